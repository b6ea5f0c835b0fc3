//! The metrics of a process, for Prometheus. The module that counts declares its families, with typed
//! labels; every series of them exists from the start, so that a missing one means that the process
//! is down.

mod exemplars;
mod family;
mod labels;
mod openmetrics;

pub use exemplars::Exemplar;
pub use family::{Busy, Counter, Declared, Families, Family, Gauge, Held, Histogram, seconds};
pub(crate) use family::{REQUEST_SECONDS, metrics};
pub(crate) use labels::label;
pub use labels::{Account, AnyAccount, Label, Labels, OTHER_ACCOUNTS, Route, Sets};
pub use openmetrics::OPENMETRICS;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::TextEncoder;

/// The metrics of a process.
pub struct Metrics {
    families: Families,
    declared: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

metrics! {
    /// The metrics of the process itself.
    pub struct ProcessMetrics {
        /// Version of this Ferry.
        build: Gauge<Version> = "ferry_build_info";
    }
}

/// The version of this Ferry.
#[derive(Debug)]
pub struct Version;

impl Label for Version {
    const NAME: &'static str = "version";

    fn all(_: &Sets) -> Vec<&str> {
        vec![env!("CARGO_PKG_VERSION")]
    }

    fn value<'a>(&self, _: &'a Sets) -> Option<&'a str> {
        Some(env!("CARGO_PKG_VERSION"))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::of_accounts([])
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("families", &self.families).finish_non_exhaustive()
    }
}

impl Metrics {
    /// The metrics of a process that knows these accounts.
    pub fn of_accounts(accounts: impl IntoIterator<Item = String>) -> Self {
        let families = Families::of_accounts(accounts.into_iter().collect());
        watch_process(&families);
        let metrics = Self { families, declared: Mutex::default() };
        metrics.of::<ProcessMetrics>().build.set(Version, 1.0);
        metrics
    }

    /// The metrics of a module: the same for all of its instances, and in every scrape from now on.
    pub fn of<M: Declared>(&self) -> Arc<M> {
        let mut declared = self.declared.lock();
        let module = declared
            .entry(TypeId::of::<M>())
            .or_insert_with(|| Arc::new(M::declare(&self.families)))
            .clone();
        module.downcast().expect("it is stored under its own type")
    }

    /// Names the routes of the HTTP API; to be called before its metrics are declared.
    pub fn serves(&self, routes: impl IntoIterator<Item = String>) {
        self.families.sets.routes.get_or_init(|| routes.into_iter().collect());
    }

    /// The response to a scrape that accepts these types: the type, and everything in it.
    pub fn scrape(&self, accept: Option<&str>) -> (&'static str, String) {
        let Families { registry, exemplars, .. } = &self.families;
        if accept.is_some_and(openmetrics::is_preferred) {
            return (OPENMETRICS, openmetrics::encode(&registry.gather(), exemplars));
        }
        (prometheus::TEXT_FORMAT, self.render())
    }

    /// Everything in the Prometheus text format.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.families.registry.gather())
            .expect("metrics of distinct names encode")
    }

    /// The accounts that are labels of their own.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.families.sets.accounts.iter().map(String::as_str)
    }
}

#[cfg(target_os = "linux")]
fn watch_process(families: &Families) {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    families.registry.register(Box::new(process)).expect("it is registered once");
}

/// Does nothing: only Linux has these metrics.
#[cfg(not(target_os = "linux"))]
fn watch_process(_: &Families) {}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::submission::StepKind;
    use ferry_types::domain::timestamp;

    metrics! {
        struct Examples {
            /// Requests by account,
            /// and by step.
            requests: Counter<(Account, StepKind)> = "ferry_examples_total";
            /// All steps.
            steps: Gauge<AnyAccount> = "ferry_example_steps";
            /// Routes.
            routes: Gauge<Route> = "ferry_example_routes";
            /// Durations.
            durations: Histogram<StepKind> = "ferry_example_seconds" in REQUEST_SECONDS;
        }
    }

    fn examples() -> (Metrics, Arc<Examples>) {
        let metrics = Metrics::of_accounts(["north".to_owned()]);
        metrics.serves(["GET /a".to_owned()]);
        let examples = metrics.of();
        (metrics, examples)
    }

    #[track_caller]
    fn assert_has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn every_series_exists_before_anything_happened() {
        let (metrics, _) = examples();
        assert_has(
            &metrics.render(),
            &[
                "# HELP ferry_examples_total Requests by account, and by step.\n",
                "ferry_examples_total{account=\"north\",step=\"poll\"} 0\n",
                "ferry_example_steps{account=\"other\"} 0\n",
                "ferry_example_routes{route=\"unknown\"} 0\n",
                "ferry_example_seconds_count{step=\"upload\"} 0\n",
                "ferry_build_info{version=\"0.1.0\"} 1\n",
            ],
        );
    }

    #[test]
    fn unknown_labels_are_not_counted_or_counted_together() {
        let (metrics, examples) = examples();
        examples.requests.add(("south".into(), StepKind::Poll), 7);
        examples.requests.add(("north".into(), StepKind::Poll), 5);
        examples.steps.set("south".into(), 3.0);
        examples.routes.set("GET /b".into(), 2.0);
        let text = metrics.render();
        assert!(!text.contains("south") && !text.contains("GET /b"), "{text}");
        assert_has(
            &text,
            &[
                "ferry_examples_total{account=\"north\",step=\"poll\"} 5\n",
                "ferry_example_steps{account=\"other\"} 3\n",
                "ferry_example_routes{route=\"unknown\"} 2\n",
            ],
        );
    }

    #[test]
    fn the_metrics_of_a_module_are_the_same_for_all_its_instances() {
        let (metrics, examples) = examples();
        assert!(Arc::ptr_eq(&examples, &metrics.of::<Examples>()));
        let held = examples.steps.hold("north".into());
        assert_has(&metrics.render(), &["ferry_example_steps{account=\"north\"} 1\n"]);
        drop(held);
        assert_has(&metrics.render(), &["ferry_example_steps{account=\"north\"} 0\n"]);
    }

    #[test]
    fn a_measurement_is_shown_with_its_trace_in_its_bucket() {
        let (metrics, examples) = examples();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736".to_owned();
        let exemplar = Exemplar { trace, at: timestamp(1_700_000_000_250) };
        examples.durations.observe_with(StepKind::Poll, 0.03, Some(exemplar));
        let (media_type, text) = metrics.scrape(Some("application/openmetrics-text"));
        assert_eq!(media_type, OPENMETRICS);
        assert_has(
            &text,
            &[
                "ferry_example_seconds_bucket{step=\"poll\",le=\"0.025\"} 0\n",
                "ferry_example_seconds_bucket{step=\"poll\",le=\"0.05\"} 1 # \
                 {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.03 1700000000.250\n",
                "ferry_example_seconds_bucket{step=\"poll\",le=\"+Inf\"} 1\n",
                "# TYPE ferry_examples counter\n",
                "ferry_examples_total{account=\"north\",step=\"poll\"} 0.0\n",
                "# UNIT ferry_example_seconds seconds\n",
            ],
        );
        assert!(text.ends_with("\n# EOF\n"));
    }
}
