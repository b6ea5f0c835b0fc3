//! What a process counts, for Prometheus. Every series exists from the start, so that a missing one
//! means that the process is down; labels come from closed sets.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
};

use crate::domain::submission::{ReasonCode, State, StepKind};

/// The counters of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    transitions: IntCounterVec,
    finished: IntCounterVec,
    steps: IntCounterVec,
    wake_lag: HistogramVec,
    unknown_status: IntCounter,
    rescued: IntCounter,
    refused: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let metrics = Self {
            transitions: counters(
                &registry,
                "ferry_transitions_total",
                "State changes of submissions, committed by this process.",
                &["from", "to"],
            ),
            finished: counters(
                &registry,
                "ferry_submissions_finished_total",
                "Submissions that this process brought to a final state.",
                &["outcome"],
            ),
            steps: counters(
                &registry,
                "ferry_step_attempts_total",
                "Steps that this process ran, by the reason that they left, `ok` if none.",
                &["stage", "result"],
            ),
            wake_lag: wake_lag(&registry),
            unknown_status: counter(
                &registry,
                "ferry_unknown_status_total",
                "Status checks answered with a word that is not configured.",
            ),
            rescued: counter(
                &registry,
                "ferry_leases_rescued_total",
                "Steps that this process made due again because their worker was gone.",
            ),
            refused: counter(
                &registry,
                "ferry_commits_refused_total",
                "Outcomes that came too late, because another worker had the step by then.",
            ),
            registry,
        };
        metrics.touch_all();
        metrics
    }
}

impl Metrics {
    /// Counts a state change.
    pub fn transition(&self, from: State, to: State) {
        if from == to {
            return;
        }
        self.transitions.with_label_values(&[from.as_str(), to.as_str()]).inc();
        if to.is_final() {
            self.finished.with_label_values(&[to.as_str()]).inc();
        }
    }

    /// Counts a step that ran and the reason that it left, if any.
    pub fn step(&self, kind: StepKind, reason: Option<ReasonCode>) {
        let result = reason.map_or("ok", ReasonCode::as_str);
        self.steps.with_label_values(&[kind.as_str(), result]).inc();
    }

    /// Observes how long a step had been due when it was claimed.
    pub fn wake_lag(&self, kind: StepKind, lag: Duration) {
        self.wake_lag.with_label_values(&[kind.as_str()]).observe(lag.as_secs_f64());
    }

    /// Counts a status word that is not configured.
    pub fn unknown_status(&self) {
        self.unknown_status.inc();
    }

    /// Counts steps that are due again because their worker was gone.
    pub fn rescued(&self, steps: u64) {
        self.rescued.inc_by(steps);
    }

    /// Counts an outcome that came too late.
    pub fn commit_refused(&self) {
        self.refused.inc();
    }

    /// Everything in the Prometheus text format.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("metrics of distinct names encode")
    }

    fn touch_all(&self) {
        for from in State::ALL {
            for to in State::ALL.into_iter().filter(|to| from != *to && from.may_become(*to)) {
                self.transitions.with_label_values(&[from.as_str(), to.as_str()]);
            }
            if from.is_final() {
                self.finished.with_label_values(&[from.as_str()]);
            }
        }
        for kind in StepKind::ALL {
            self.wake_lag.with_label_values(&[kind.as_str()]);
            self.steps.with_label_values(&[kind.as_str(), "ok"]);
            for reason in ReasonCode::ALL {
                self.steps.with_label_values(&[kind.as_str(), reason.as_str()]);
            }
        }
    }
}

const DECLARED: &str = "a metric with a valid name that no other one has";

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels).expect(DECLARED))
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help).expect(DECLARED))
}

fn wake_lag(registry: &Registry) -> HistogramVec {
    let help = "From the time that a step was due to its claim.";
    let buckets = vec![0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
    let options = HistogramOpts::new("ferry_wake_lag_seconds", help).buckets(buckets);
    register(registry, HistogramVec::new(options, &["stage"]).expect(DECLARED))
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> C {
    registry.register(Box::new(metric.clone())).expect(DECLARED);
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_exists_before_anything_happened() {
        let text = Metrics::default().render();
        for series in [
            "ferry_transitions_total{from=\"queued\",to=\"uploading\"} 0",
            "ferry_submissions_finished_total{outcome=\"rejected\"} 0",
            "ferry_step_attempts_total{result=\"slow_down\",stage=\"poll\"} 0",
            "ferry_wake_lag_seconds_count{stage=\"collect\"} 0",
            "ferry_commits_refused_total 0",
        ] {
            assert!(text.contains(series), "{series} is missing in\n{text}");
        }
    }
}
