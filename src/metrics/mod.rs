//! What a process counts, for Prometheus. Every series exists from the start, so that a missing one
//! means that the process is down; labels come from closed sets.

mod declare;
mod exemplars;
mod labels;
mod openmetrics;
mod series;

pub use exemplars::Exemplar;
pub use labels::{
    Class, Direction, Endpoint, HttpClass, IntakeResult, Operation, QueueState, Source,
    StoreErrorKind, TokenResult,
};
pub use openmetrics::OPENMETRICS;

use std::sync::OnceLock;
use std::time::Duration;

use prometheus::{Gauge, GaugeVec, Registry, TextEncoder};

use exemplars::Exemplars;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{DeliveryResult, ReasonCode, State, StepKind};
use labels::NO_REASON;
use series::{CALLS, HttpSeries, Series};

/// The labels of a metric that has none.
const ALONE: &[&str] = &[];

/// The counters of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    accounts: Vec<String>,
    series: Series,
    exemplars: Exemplars,
    http: OnceLock<(Vec<String>, HttpSeries)>,
}

/// The label of all accounts that are in the store and not in the configuration.
pub const OTHER_ACCOUNTS: &str = "other";

/// The route of a request that no route takes.
const NO_ROUTE: &str = "unknown";

impl Default for Metrics {
    fn default() -> Self {
        Self::of_accounts([])
    }
}

/// A slot that is busy until this is dropped.
#[derive(Debug)]
pub struct Busy(Gauge);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// The metrics of a process that knows these accounts.
    pub fn of_accounts(accounts: impl IntoIterator<Item = String>) -> Self {
        let registry = Registry::new();
        let accounts: Vec<String> = accounts.into_iter().collect();
        let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
        let series = Series::new(&registry, &names);
        for (from, to) in changes() {
            series.transitions.with_label_values(&[from.as_str(), to.as_str()]);
        }
        series.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        watch_process(&registry);
        Self { registry, accounts, series, exemplars: Exemplars::default(), http: OnceLock::new() }
    }

    /// Counts a state change.
    pub fn transition(&self, from: State, to: State) {
        if from == to {
            return;
        }
        self.series.transitions.with_label_values(&[from.as_str(), to.as_str()]).inc();
        if to.is_final() {
            self.series.finished.with_label_values(&[to.as_str()]).inc();
        }
    }

    /// Observes how long a submission took until `outcome`, and the status checks that it needed if
    /// the Platform ever had it.
    pub fn finished(&self, outcome: State, life: Duration, polls: Option<u32>) {
        self.series.lives.with_label_values(&[outcome.as_str()]).observe(life.as_secs_f64());
        if let Some(polls) = polls {
            self.series.polls.with_label_values(ALONE).observe(f64::from(polls));
        }
    }

    /// Counts a step that ran and the reason that it left, if any.
    pub fn step(&self, kind: StepKind, reason: Option<ReasonCode>) {
        let result = reason.map_or(NO_REASON, ReasonCode::as_str);
        self.series.step_runs.with_label_values(&[kind.as_str(), result]).inc();
    }

    /// Observes how long a step took, from its claim to its recorded outcome.
    pub fn step_duration(&self, kind: StepKind, took: Duration, exemplar: Option<Exemplar>) {
        let (label, took) = (kind.as_str(), took.as_secs_f64());
        self.series.step_durations.with_label_values(&[label]).observe(took);
        if let Some(exemplar) = exemplar {
            self.exemplars.keep(("ferry_step_duration_seconds", label), CALLS, took, exemplar);
        }
    }

    /// Observes how long a step had been due when it was claimed.
    pub fn step_lag(&self, kind: StepKind, lag: Duration) {
        self.series.step_lag.with_label_values(&[kind.as_str()]).observe(lag.as_secs_f64());
    }

    /// Counts a request to the Platform.
    pub fn request(
        &self,
        account: &str,
        endpoint: Endpoint,
        class: Class,
        took: Duration,
        exemplar: Option<Exemplar>,
    ) {
        let (endpoint, took) = (endpoint.as_str(), took.as_secs_f64());
        if let Some(account) = self.known(account) {
            self.series.requests.with_label_values(&[account, endpoint, class.as_str()]).inc();
        }
        self.series.calls.with_label_values(&[endpoint]).observe(took);
        if let Some(exemplar) = exemplar {
            let metric = "ferry_platform_request_duration_seconds";
            self.exemplars.keep((metric, endpoint), CALLS, took, exemplar);
        }
    }

    /// Observes a pause that the Platform asked for.
    pub fn retry_after(&self, delay: Duration) {
        self.series.delays.with_label_values(ALONE).observe(delay.as_secs_f64());
    }

    /// Counts an attempt to get an access token.
    pub fn token(&self, account: &str, result: TokenResult) {
        if let Some(account) = self.known(account) {
            self.series.tokens.with_label_values(&[account, result.as_str()]).inc();
        }
    }

    /// Until when the account's access token lasts.
    pub fn token_expires(&self, account: &str, at: Timestamp) {
        set_of(&self.series.token_expiry, self.known(account), seconds(at));
    }

    /// Counts a status word that is not configured.
    pub fn unknown_status(&self) {
        self.series.unknown_status.with_label_values(ALONE).inc();
    }

    /// Observes the size of a dataset, a result or feedback.
    pub fn payload(&self, direction: Direction, bytes: u64) {
        self.series.payloads.with_label_values(&[direction.as_str()]).observe(bytes as f64);
    }

    /// How many steps of a kind may run at once.
    pub fn slots(&self, kind: StepKind, slots: usize) {
        self.series.slots.with_label_values(&[kind.as_str()]).set(slots as f64);
    }

    /// Counts a slot as busy until the answer is dropped.
    pub fn busy(&self, kind: StepKind) -> Busy {
        let gauge = self.series.busy.with_label_values(&[kind.as_str()]);
        gauge.inc();
        Busy(gauge)
    }

    /// Counts steps that are due again because their worker was gone.
    pub fn rescued(&self, steps: u64) {
        self.series.rescued.with_label_values(ALONE).inc_by(steps);
    }

    /// Counts an outcome that came too late.
    pub fn commit_conflict(&self) {
        self.series.commit_conflicts.with_label_values(ALONE).inc();
    }

    /// Observes how long the store took.
    pub fn store_operation(&self, operation: Operation, took: Duration) {
        self.series.operations.with_label_values(&[operation.as_str()]).observe(took.as_secs_f64());
    }

    /// Counts a call that the store refused or failed.
    pub fn store_error(&self, kind: StoreErrorKind) {
        self.series.store_errors.with_label_values(&[kind.as_str()]).inc();
    }

    /// Counts losses of data, which are not acknowledged yet.
    pub fn store_lost_data(&self, losses: u64) {
        self.series.data_losses.with_label_values(ALONE).inc_by(losses);
        self.series.unacknowledged_loss.with_label_values(ALONE).set(1.0);
    }

    /// The loss was acknowledged, or the data is back.
    pub fn loss_settled(&self) {
        self.series.unacknowledged_loss.with_label_values(ALONE).set(0.0);
    }

    /// True between the two.
    pub fn has_unacknowledged_loss(&self) -> bool {
        self.series.unacknowledged_loss.with_label_values(ALONE).get() > 0.0
    }

    /// Counts a request at the door.
    pub fn intake(&self, source: Source, result: IntakeResult) {
        self.series.intake.with_label_values(&[source.as_str(), result.as_str()]).inc();
    }

    /// Counts a try to tell an outcome.
    pub fn delivery(&self, result: DeliveryResult) {
        self.series.deliveries.with_label_values(&[result.as_str()]).inc();
    }

    /// How many steps of a kind and an account are in a state.
    pub fn queue_steps(&self, account: &str, kind: StepKind, state: QueueState, steps: u64) {
        let labels = [self.label(account), kind.as_str(), state.as_str()];
        self.series.queue.with_label_values(&labels).set(steps as f64);
    }

    /// How many submissions of an account are in a state.
    pub fn submissions(&self, account: &str, state: State, submissions: u64) {
        let labels = [self.label(account), state.as_str()];
        self.series.submissions.with_label_values(&labels).set(submissions as f64);
    }

    /// How long the oldest due step of a kind and an account has been due.
    pub fn oldest_ready(&self, account: &str, kind: StepKind, age: Duration) {
        let labels = [self.label(account), kind.as_str()];
        self.series.oldest.with_label_values(&labels).set(age.as_secs_f64());
    }

    /// How many due steps nothing stops.
    pub fn runnable(&self, steps: u64) {
        self.series.runnable.with_label_values(ALONE).set(steps as f64);
    }

    /// How long it takes until nothing is left; infinite if nothing moves.
    pub fn drain_estimate(&self, duration: Option<Duration>) {
        let seconds = duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        self.series.drain.with_label_values(ALONE).set(seconds);
    }

    /// What stops an account: a pause, a closed gate, and how far its breaker is open, from 0 to 1.
    pub fn account(&self, account: &str, paused: bool, throttled: bool, breaker: f64) {
        let account = self.known(account);
        set_of(&self.series.paused, account, f64::from(u8::from(paused)));
        set_of(&self.series.throttled, account, f64::from(u8::from(throttled)));
        set_of(&self.series.breaker, account, breaker);
    }

    /// Whether the store is safe.
    pub fn store_durable(&self, durable: bool) {
        self.series.durable.with_label_values(ALONE).set(f64::from(u8::from(durable)));
    }

    /// The store told at `now` how much there is to do.
    pub fn exported(&self, now: Timestamp) {
        self.series.queue_timestamp.with_label_values(ALONE).set(seconds(now));
    }

    /// Makes the series of HTTP requests exist, for a process that answers those of these routes.
    pub fn serves(&self, routes: impl IntoIterator<Item = String>) {
        self.http.get_or_init(|| {
            let routes: Vec<String> = routes.into_iter().chain([NO_ROUTE.to_owned()]).collect();
            let names: Vec<&str> = routes.iter().map(String::as_str).collect();
            let series = HttpSeries::new(&self.registry, &names);
            (routes, series)
        });
    }

    /// Counts a request as under way until the answer is dropped.
    pub fn http_request(&self) -> Option<Busy> {
        let gauge = self.http.get()?.1.in_flight.with_label_values(ALONE);
        gauge.inc();
        Some(Busy(gauge))
    }

    /// Counts an answered HTTP request.
    pub fn http_answered(&self, route: &str, status: u16, took: Duration) {
        let Some((routes, series)) = self.http.get() else { return };
        let known = routes.iter().find(|known| *known == route).map_or(NO_ROUTE, String::as_str);
        let class = match status / 100 {
            2 => HttpClass::Success,
            3 => HttpClass::Redirection,
            4 => HttpClass::ClientError,
            _ => HttpClass::ServerError,
        };
        series.requests.with_label_values(&[known, class.as_str()]).inc();
        series.durations.with_label_values(&[known]).observe(took.as_secs_f64());
    }

    /// What a scrape gets that accepts these types, and of which type that is.
    pub fn scrape(&self, accept: Option<&str>) -> (&'static str, String) {
        if accept.is_some_and(openmetrics::is_preferred) {
            let text = openmetrics::encode(&self.registry.gather(), &self.exemplars);
            return (OPENMETRICS, text);
        }
        (prometheus::TEXT_FORMAT, self.render())
    }

    /// Everything in the Prometheus text format.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("metrics of distinct names encode")
    }

    /// The accounts that are labels of their own.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(String::as_str)
    }

    fn label<'a>(&self, account: &'a str) -> &'a str {
        self.known(account).unwrap_or(OTHER_ACCOUNTS)
    }

    /// A label takes only configured accounts: the store may know others.
    fn known<'a>(&self, account: &'a str) -> Option<&'a str> {
        self.accounts.iter().any(|known| known == account).then_some(account)
    }
}

fn set_of(family: &GaugeVec, account: Option<&str>, value: f64) {
    if let Some(account) = account {
        family.with_label_values(&[account]).set(value);
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

/// Every change of state that is legal.
fn changes() -> impl Iterator<Item = (State, State)> {
    let to = |from| State::ALL.into_iter().map(move |to| (from, to));
    State::ALL.into_iter().flat_map(to).filter(|(from, to)| from != to && from.may_become(*to))
}

#[cfg(target_os = "linux")]
fn watch_process(registry: &Registry) {
    let process = prometheus::process_collector::ProcessCollector::for_self();
    registry.register(Box::new(process)).expect("it is registered once");
}

/// Only Linux tells.
#[cfg(not(target_os = "linux"))]
fn watch_process(_: &Registry) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_exists_before_anything_happened() {
        let text = Metrics::of_accounts(["north".to_owned()]).render();
        for series in [
            "ferry_transitions_total{from=\"queued\",to=\"uploading\"} 0",
            "ferry_submissions_finished_total{outcome=\"rejected\"} 0",
            "ferry_step_runs_total{result=\"throttled\",step=\"poll\"} 0",
            "ferry_step_lag_seconds_count{step=\"collect\"} 0",
            "ferry_commit_conflicts_total 0",
            "ferry_webhook_deliveries_total{result=\"no_secret\"} 0",
            "ferry_polls_per_submission_count 0",
            "ferry_queue_runnable_steps 0",
            "ferry_platform_requests_total{account=\"north\",class=\"ok\",endpoint=\"token\"} 0",
            "ferry_account_breaker_state{account=\"north\"} 0",
            "ferry_build_info{version=\"0.1.0\"} 1",
        ] {
            assert!(text.contains(series), "{series} is missing in\n{text}");
        }
        let help = "# HELP ferry_store_durable 1 if the durability check passed; 0 also before";
        assert!(text.contains(help), "{text}");
    }

    /// Others build dashboards and alerts upon them.
    #[test]
    fn every_metric_has_the_name_and_the_labels_that_are_promised() {
        let metrics = Metrics::of_accounts(["north".to_owned()]);
        metrics.serves(["GET /a".to_owned()]);
        let families = metrics.registry.gather().into_iter();
        let ours = families.filter(|family| family.name().starts_with("ferry_"));
        let told = ours.map(|family| {
            let labels = family.get_metric()[0].get_label().iter();
            let labels: Vec<&str> = labels.map(prometheus::proto::LabelPair::name).collect();
            format!("{} {}", family.name(), labels.join(" ")).trim_end().to_owned()
        });
        insta::assert_snapshot!(told.collect::<Vec<String>>().join("\n"), @"
        ferry_account_breaker_state account
        ferry_account_paused account
        ferry_account_throttled account
        ferry_build_info version
        ferry_commit_conflicts_total
        ferry_http_request_duration_seconds route
        ferry_http_requests_in_flight
        ferry_http_requests_total class route
        ferry_leases_rescued_total
        ferry_payload_bytes direction
        ferry_platform_request_duration_seconds endpoint
        ferry_platform_requests_total account class endpoint
        ferry_platform_retry_after_seconds
        ferry_polls_per_submission
        ferry_queue_drain_estimate_seconds
        ferry_queue_metrics_timestamp_seconds
        ferry_queue_oldest_ready_seconds account step
        ferry_queue_runnable_steps
        ferry_queue_steps account state step
        ferry_queue_submissions account state
        ferry_step_duration_seconds step
        ferry_step_lag_seconds step
        ferry_step_runs_total result step
        ferry_store_data_loss_total
        ferry_store_data_loss_unacknowledged
        ferry_store_durable
        ferry_store_errors_total kind
        ferry_store_operation_duration_seconds operation
        ferry_submission_duration_seconds outcome
        ferry_submissions_finished_total outcome
        ferry_submissions_received_total result source
        ferry_token_expiry_timestamp_seconds account
        ferry_token_refreshes_total account result
        ferry_transitions_total from to
        ferry_unknown_status_total
        ferry_webhook_deliveries_total result
        ferry_worker_busy_slots step
        ferry_worker_slots step
        ");
    }

    #[test]
    fn requests_are_counted_by_the_routes_that_there_are() {
        let metrics = Metrics::default();
        assert!(!metrics.render().contains("ferry_http"));
        metrics.serves(["GET /a".to_owned()]);
        let text = metrics.render();
        for class in HttpClass::all() {
            for route in ["GET /a", "unknown"] {
                let series = format!("class=\"{class}\",route=\"{route}\"}} 0");
                assert!(text.contains(&series), "{series} is missing in\n{text}");
            }
        }
        metrics.http_answered("GET /b", 404, Duration::from_millis(3));
        let text = metrics.render();
        assert!(text.contains("class=\"4xx\",route=\"unknown\"} 1"), "{text}");
        assert!(!text.contains("GET /b"), "{text}");
    }

    #[test]
    fn only_configured_accounts_become_labels() {
        let metrics = Metrics::of_accounts(["north".to_owned()]);
        metrics.account("south", true, true, 1.0);
        metrics.token("south", TokenResult::Ok);
        assert!(!metrics.render().contains("south"));
        metrics.account("north", true, false, 0.5);
        assert!(metrics.render().contains("ferry_account_paused{account=\"north\"} 1"));
    }
}
