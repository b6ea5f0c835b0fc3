//! All metrics, each with its help, its labels and their closed sets.

use prometheus::{GaugeVec, HistogramVec, IntCounterVec};

use super::OTHER_ACCOUNTS;
use super::declare::declare;
use super::labels::{
    Class, Direction, Endpoint, HttpClass, IntakeResult, Operation, QueueState, Source,
    StoreErrorKind, TokenResult, deliveries, outcomes, states, step_kinds, step_results,
};

/// From accepted to final.
const LIVES: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0,
    86400.0,
];
pub(super) const CALLS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
const LAGS: &[f64] = &[0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const POLLS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0, 128.0, 512.0];
const DELAYS: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
const SIZES: &[f64] = &[
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const STORE_CALLS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const HTTP_REQUESTS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The accounts that there are, and one label for all that the store knows besides.
fn and_others<'a>(accounts: &[&'a str]) -> Vec<&'a str> {
    accounts.iter().copied().chain([OTHER_ACCOUNTS]).collect()
}

declare! {
    /// All metrics of a process. The doc comments are the help texts.
    #[derive(Debug)]
    pub(super) struct Series(accounts);

    /// State changes of submissions that this process made.
    transitions: IntCounterVec = "ferry_transitions_total" { from: Vec::new(), to: Vec::new() };
    /// Submissions that this process brought to a final state.
    finished: IntCounterVec = "ferry_submissions_finished_total" { outcome: outcomes() };
    /// From the acceptance of a submission to its final state.
    lives: HistogramVec = "ferry_submission_duration_seconds" { outcome: outcomes() } in LIVES;
    /// From the claim of a step to its recorded outcome.
    step_durations: HistogramVec = "ferry_step_duration_seconds" { step: step_kinds() } in CALLS;
    /// Steps that this process ran, by the reason that they left, `ok` if none.
    step_runs: IntCounterVec =
        "ferry_step_runs_total" { step: step_kinds(), result: step_results() };
    /// Time from due to claimed, by kind of step.
    step_lag: HistogramVec = "ferry_step_lag_seconds" { step: step_kinds() } in LAGS;
    /// Answered status checks of a submission, counted when it is final.
    polls: HistogramVec = "ferry_polls_per_submission" in POLLS;
    /// Requests to the Platform, by what became of them.
    requests: IntCounterVec = "ferry_platform_requests_total"
        { account: accounts.to_vec(), endpoint: Endpoint::all(), class: Class::all() };
    /// From a request to the Platform to the end of its answer.
    calls: HistogramVec =
        "ferry_platform_request_duration_seconds" { endpoint: Endpoint::all() } in CALLS;
    /// How long the Platform throttles the account.
    delays: HistogramVec = "ferry_platform_retry_after_seconds" in DELAYS;
    /// 1 while the account is throttled.
    throttled: GaugeVec = "ferry_account_throttled" { account: accounts.to_vec() };
    /// 0 while all is well or nothing is left to do, 1 while an outage keeps the account's breaker open,
    /// 0.5 while one probe at a time may close it.
    breaker: GaugeVec = "ferry_account_breaker_state" { account: accounts.to_vec() };
    /// Access tokens that were asked for.
    tokens: IntCounterVec = "ferry_token_refreshes_total"
        { account: accounts.to_vec(), result: TokenResult::all() };
    /// When the account's access token expires; 0 if there was none yet.
    token_expiry: GaugeVec =
        "ferry_token_expiry_timestamp_seconds" { account: accounts.to_vec() };
    /// Status checks answered with a word that is not configured.
    unknown_status: IntCounterVec = "ferry_unknown_status_total";
    /// Sizes of datasets, results and feedback.
    payloads: HistogramVec = "ferry_payload_bytes" { direction: Direction::all() } in SIZES;
    /// Steps that this process may run at once.
    slots: GaugeVec = "ferry_worker_slots" { step: step_kinds() };
    /// Steps that this process holds.
    busy: GaugeVec = "ferry_worker_busy_slots" { step: step_kinds() };
    /// Steps that this process made due again because their worker was gone.
    rescued: IntCounterVec = "ferry_leases_rescued_total";
    /// Outcomes that came too late, because another worker had the step by then.
    commit_conflicts: IntCounterVec = "ferry_commit_conflicts_total";
    /// How long the store took.
    operations: HistogramVec = "ferry_store_operation_duration_seconds"
        { operation: Operation::all() } in STORE_CALLS;
    /// Calls that the store refused or failed.
    store_errors: IntCounterVec = "ferry_store_errors_total" { kind: StoreErrorKind::all() };
    /// Losses of data that this process detected in its store.
    data_losses: IntCounterVec = "ferry_store_data_loss_total";
    /// 1 from the detection of a loss until an operator acknowledges it or the data is back.
    unacknowledged_loss: GaugeVec = "ferry_store_data_loss_unacknowledged";
    /// Submission requests received, by source and result.
    intake: IntCounterVec = "ferry_submissions_received_total"
        { source: Source::all(), result: IntakeResult::all() };
    /// Webhook delivery attempts, by result.
    deliveries: IntCounterVec = "ferry_webhook_deliveries_total" { result: deliveries() };
    /// Which Ferry this is.
    build: GaugeVec = "ferry_build_info" { version: vec![env!("CARGO_PKG_VERSION")] };
    /// Steps in the store; `other` are all accounts that are not configured.
    queue: GaugeVec = "ferry_queue_steps"
        { account: and_others(accounts), step: step_kinds(), state: QueueState::all() };
    /// Submissions in the store; `other` are all accounts that are not configured.
    submissions: GaugeVec =
        "ferry_queue_submissions" { account: and_others(accounts), state: states() };
    /// How long the oldest due step has been due; 0 for paused accounts.
    oldest: GaugeVec =
        "ferry_queue_oldest_ready_seconds" { account: and_others(accounts), step: step_kinds() };
    /// Ready steps of accounts that are not blocked.
    runnable: GaugeVec = "ferry_queue_runnable_steps";
    /// How long the open submissions of accounts that are not paused would take at the pace of the
    /// last minutes.
    drain: GaugeVec = "ferry_queue_drain_estimate_seconds";
    /// 1 while the account is paused.
    paused: GaugeVec = "ferry_account_paused" { account: accounts.to_vec() };
    /// 1 if the durability check passed; 0 also before the first check.
    durable: GaugeVec = "ferry_store_durable";
    /// Time of the last successful read of the queue; 0 if none.
    queue_timestamp: GaugeVec = "ferry_queue_metrics_timestamp_seconds";
}

declare! {
    /// What a process counts that answers HTTP requests.
    #[derive(Debug)]
    pub(super) struct HttpSeries(routes);

    /// Answered HTTP requests by route, `unknown` for what no route takes, and by the first digit of
    /// the status.
    requests: IntCounterVec = "ferry_http_requests_total"
        { route: routes.to_vec(), class: HttpClass::all() };
    /// From an HTTP request to the head of its answer, the time included for which `wait` held it back.
    durations: HistogramVec =
        "ferry_http_request_duration_seconds" { route: routes.to_vec() } in HTTP_REQUESTS;
    /// HTTP requests that are under way, probes and scrapes left out: of `max_concurrent_requests` at once.
    in_flight: GaugeVec = "ferry_http_requests_in_flight";
}
