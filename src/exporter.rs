//! Keeps the metrics of the whole store up to date. It reads the store in the background: a scrape
//! waits for nothing, however long the backlog.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::metrics::{
    Account, AnyAccount, Gauge, Metrics, OTHER_ACCOUNTS, label, metrics, seconds,
};
use crate::redis_metrics::RedisMetrics;
use crate::throughput::Throughput;
use ferry_store::{Filter, ServerState, Stats, StepStats, Store, StoreError};
use ferry_types::clock::Clock;
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{
    Admission, BlockReason, Health, HealthPolicy, is_paused_by_operator,
};
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::recurring::Recurring;

/// The store is asked no more often.
const DELAY: Duration = Duration::from_secs(2);

/// Asking takes at most one part in so many of the time, however long a response takes.
const SHARE: u32 = 20;

/// Of more held submissions the rest counts for the upload, where nearly all are held.
const HELD: usize = 200;

metrics! {
    /// The metrics of the queue of the whole store, and of the blocks of its accounts.
    pub struct QueueMetrics {
        /// Steps in the store; `other` are all accounts that are not configured.
        steps: Gauge<(AnyAccount, StepKind, QueueState)> = "ferry_queue_steps";
        /// Submissions in the store; `other` are all accounts that are not configured.
        submissions: Gauge<(AnyAccount, State)> = "ferry_queue_submissions";
        /// Age of the oldest ready step, in seconds; 0 for paused accounts.
        oldest: Gauge<(AnyAccount, StepKind)> = "ferry_queue_oldest_ready_seconds";
        /// Ready steps that neither their account nor a predecessor blocks.
        runnable: Gauge = "ferry_queue_runnable_steps";
        /// Estimated drain time, in seconds, of the unfinished submissions of accounts that are not paused,
        /// at the pace of the last minutes, without submissions that are uploaded later.
        drain: Gauge = "ferry_queue_drain_estimate_seconds";
        /// 1 while the account is paused.
        paused: Gauge<(Account, PausedBy)> = "ferry_account_paused";
        /// 1 while the account is throttled.
        throttled: Gauge<Account> = "ferry_account_throttled";
        /// Requests in a second that the account makes at most, because the Platform responds 429 to more; 0 if no
        /// 429 has shown that.
        learned: Gauge<Account> = "ferry_account_learned_requests_per_second";
        /// Circuit breaker of the account: 0 if it is closed, or half-open without a step to probe with; 1 if
        /// it is open; 0.5 if it is half-open, for one probe at a time.
        breaker: Gauge<Account> = "ferry_account_breaker_state";
        /// Time of the last successful read of the queue; 0 if none.
        updated: Gauge = "ferry_queue_metrics_timestamp_seconds";
    }
}

label! {
    /// The one who paused an account.
    pub enum PausedBy: "by" {
        /// A worker, because the Platform denied the credentials.
        Credentials = "credentials",
        /// An operator.
        Operator = "operator",
    }
}

label! {
    /// The state of a step in the queue.
    pub enum QueueState: "state" {
        /// It is due.
        Ready = "ready",
        /// It is due later.
        Scheduled = "scheduled",
        /// A worker has it.
        Running = "running",
        /// An operator must decide about its submission.
        Held = "held",
        /// It is due, and its account is paused.
        Paused = "paused",
    }
}

/// Keeps the metrics of the whole store up to date, for as long as it is polled.
pub async fn export(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: HealthPolicy,
    metrics: Arc<Metrics>,
    throughput: Arc<Throughput>,
) {
    let (store, clock, gauges) = (store.as_ref(), clock.as_ref(), metrics.of::<QueueMetrics>());
    let (redis, server_failures) = (metrics.of::<RedisMetrics>(), Recurring::default());
    loop {
        let started = Instant::now();
        let mut server = store.server().await;
        match look(store).await {
            Ok((stats, held)) => {
                // An outage may have ended between the two.
                if server.is_err() {
                    server = store.server().await;
                }
                if let Ok(Some(server)) = server {
                    redis.publish(server);
                }
                let now = clock.now();
                let queue = Queue::of(&stats, &held, now, &policy);
                throughput.observe(&stats, started);
                let drain = throughput.drain(&stats, started);
                gauges.drain.set((), drain.map_or(f64::INFINITY, |drain| drain.as_secs_f64()));
                publish_gauges(&queue, &metrics, &gauges);
                gauges.updated.set((), seconds(now));
                log_failures(&server_failures, &server);
            }
            Err(error) => debug!(%error, "cannot read queue statistics, retrying"),
        }
        tokio::time::sleep(DELAY.max(started.elapsed() * SHARE)).await;
    }
}

/// Logs when the state of the server can no longer be read, and when it can be again: its metrics stand still
/// in between. Where the queue cannot be read either, the outage of the store is logged instead.
fn log_failures(failures: &Recurring, server: &Result<Option<ServerState>, StoreError>) {
    match server {
        Ok(_) => failures.worked(|failures| {
            info!(failures, "the state of the Redis server can be read again");
        }),
        Err(error) => failures.failed(|| {
            warn!(%error, "cannot read the state of the Redis server, its metrics stand still");
        }),
    }
}

/// The statistics of the store, and the accounts and steps of held submissions.
async fn look(store: &dyn Store) -> Result<(Stats, Vec<HeldByStep>), StoreError> {
    let stats = store.stats().await?;
    if stats.count(State::Held) == 0 {
        return Ok((stats, Vec::new()));
    }
    let filter = Filter { states: vec![State::Held], ..Filter::default() };
    let page = store.list(&filter, None, HELD).await?;
    let held = page.found.into_iter().map(|found| found.submission);
    let steps = held.filter_map(|held| held.step.map(|step| (held.account.clone(), step)));
    Ok((stats, steps.collect()))
}

/// The account of a held submission, and the step that a person must decide about.
type HeldByStep = (String, StepKind);

/// The gauges of the whole store.
#[derive(Debug, Default, PartialEq)]
struct Queue {
    accounts: BTreeMap<String, AccountGauges>,
    /// Due steps that nothing stops: no block of their account, and no predecessor.
    runnable: u64,
    /// Submissions that continue by themselves.
    open: u64,
}

/// The gauges of an account.
#[derive(Debug, Default, PartialEq)]
struct AccountGauges {
    steps: BTreeMap<(StepKind, QueueState), u64>,
    oldest: BTreeMap<StepKind, Duration>,
    states: BTreeMap<State, u64>,
    paused: Option<PausedBy>,
    throttled: bool,
    learned: f64,
    /// The state of the breaker, from 0 (closed) to 1 (open).
    breaker: f64,
}

impl Queue {
    fn of(stats: &Stats, held: &[HeldByStep], now: Timestamp, policy: &HealthPolicy) -> Self {
        let mut queue = Self::default();
        let (mut admissions, mut probes) = (BTreeMap::new(), probes(&stats.steps));
        for stats in &stats.accounts {
            let health = &stats.health;
            let open = stats.states.iter().filter(|(state, _)| is_unsettled(**state));
            let open = open.map(|(_, submissions)| submissions).sum::<u64>();
            if health.pause_reason.is_none() {
                queue.open += open;
            }
            let account = queue.accounts.entry(stats.account.clone()).or_default();
            account.states.clone_from(&stats.states);
            account.paused = health.pause_reason.as_deref().map(PausedBy::of);
            account.throttled = is_throttled(health, now);
            account.learned = health.requests_per_second(now).unwrap_or_default();
            account.breaker = breaker(health, probes.remove(&*stats.account).unwrap_or(0), now);
            let held = held.iter().filter(|(of, _)| *of == stats.account);
            let mut more = stats.states.get(&State::Held).copied().unwrap_or_default();
            for (_, kind) in held {
                account.add(*kind, QueueState::Held, 1);
                more = more.saturating_sub(1);
            }
            account.add(StepKind::Upload, QueueState::Held, more);
            admissions.insert(stats.account.as_str(), health.admit(now, policy));
        }
        for steps in &stats.steps {
            let admission = admissions.get(steps.account.as_str());
            let paused = matches!(admission, Some(Admission::Blocked(BlockReason::Paused { .. })));
            let ready = if paused { QueueState::Paused } else { QueueState::Ready };
            let account = queue.accounts.entry(steps.account.clone()).or_default();
            account.add(steps.kind, ready, steps.ready);
            account.add(steps.kind, QueueState::Scheduled, steps.scheduled);
            account.add(steps.kind, QueueState::Running, steps.running);
            if let Some(age) = steps.oldest_ready.filter(|_| !paused) {
                account.oldest.insert(steps.kind, age);
            }
            if !matches!(admission, Some(Admission::Blocked(_))) {
                queue.runnable += steps.runnable;
            }
        }
        queue
    }

    /// The sums over these accounts.
    fn together(&self, is_meant: impl Fn(&str) -> bool) -> AccountGauges {
        let mut all = AccountGauges::default();
        for (_, account) in self.accounts.iter().filter(|(name, _)| is_meant(name)) {
            for (step, count) in &account.steps {
                *all.steps.entry(*step).or_default() += count;
            }
            for (state, count) in &account.states {
                *all.states.entry(*state).or_default() += count;
            }
            for (kind, age) in &account.oldest {
                let oldest = all.oldest.entry(*kind).or_default();
                *oldest = (*oldest).max(*age);
            }
        }
        all
    }
}

impl PausedBy {
    fn of(record: &str) -> Self {
        if is_paused_by_operator(record) { Self::Operator } else { Self::Credentials }
    }
}

impl AccountGauges {
    fn add(&mut self, kind: StepKind, state: QueueState, steps: u64) {
        *self.steps.entry((kind, state)).or_default() += steps;
    }
}

/// Everything is set at each look: what is not there any more is zero.
fn publish_gauges(queue: &Queue, metrics: &Metrics, gauges: &QueueMetrics) {
    let known: Vec<&str> = metrics.accounts().collect();
    for label in known.iter().copied() {
        publish_account(label, &queue.together(|name| name == label), gauges);
    }
    publish_account(OTHER_ACCOUNTS, &queue.together(|name| !known.contains(&name)), gauges);
    for (name, account) in &queue.accounts {
        let name = Account::from(name.as_str());
        for by in PausedBy::ALL {
            gauges.paused.set_if((name.clone(), by), account.paused == Some(by));
        }
        gauges.throttled.set_if(name.clone(), account.throttled);
        gauges.learned.set(name.clone(), account.learned);
        gauges.breaker.set(name, account.breaker);
    }
    gauges.runnable.set((), queue.runnable as f64);
}

fn publish_account(label: &str, account: &AccountGauges, gauges: &QueueMetrics) {
    let label = AnyAccount::from(label);
    for kind in StepKind::ALL {
        for state in QueueState::ALL {
            let steps = account.steps.get(&(kind, state)).copied().unwrap_or_default();
            gauges.steps.set((label.clone(), kind, state), steps as f64);
        }
        let oldest = account.oldest.get(&kind).copied().unwrap_or_default();
        gauges.oldest.set((label.clone(), kind), oldest.as_secs_f64());
    }
    for state in State::ALL {
        let submissions = account.states.get(&state).copied().unwrap_or_default();
        gauges.submissions.set((label.clone(), state), submissions as f64);
    }
}

fn is_unsettled(state: State) -> bool {
    !state.is_final() && state != State::Held
}

fn is_throttled(health: &Health, now: Timestamp) -> bool {
    health.throttled_until.is_some_and(|until| now < until)
}

/// Steps of each account that probe the Platform by themselves.
fn probes(steps: &[StepStats]) -> BTreeMap<&str, u64> {
    let mut probes = BTreeMap::new();
    for steps in steps {
        *probes.entry(&*steps.account).or_default() += steps.probes();
    }
    probes
}

/// The state of the breaker. Without a step that probes, no end of an outage is awaited.
fn breaker(health: &Health, probes: u64, now: Timestamp) -> f64 {
    match health.probe_at {
        Some(until) if now < until => 1.0,
        Some(_) if probes == 0 => 0.0,
        Some(_) => 0.5,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_store::AccountStats;
    use ferry_types::domain::{later, timestamp};

    fn account(name: &str, health: Health) -> AccountStats {
        let states = [(State::Queued, 7), (State::Held, 3), (State::Completed, 9)].into();
        AccountStats { account: name.into(), health, states }
    }

    fn uploads(account: &str, age: u64) -> StepStats {
        StepStats {
            account: account.into(),
            kind: StepKind::Upload,
            ready: 5,
            runnable: 4,
            behind: 1,
            scheduled: 2,
            running: 1,
            oldest_ready: Some(Duration::from_secs(age)),
            oldest_runnable: Some(Duration::from_secs(age)),
        }
    }

    #[test]
    fn a_paused_account_does_not_make_the_queue_old() {
        let now = timestamp(1_700_000_000_000);
        let soon = later(now, Duration::from_secs(9));
        let paused = Health { pause_reason: Some("by hand".into()), ..Health::default() };
        let throttled = Health { throttled_until: Some(soon), ..Health::default() };
        let broken = Health { probe_at: Some(soon), ..Health::default() };
        let all = [("a", paused), ("b", throttled), ("c", broken), ("d", Health::default())];
        let ages = [("a", 900), ("b", 30), ("c", 20), ("d", 10)];
        let stats = Stats {
            accounts: all.into_iter().map(|(name, health)| account(name, health)).collect(),
            steps: ages.into_iter().map(|(name, age)| uploads(name, age)).collect(),
        };
        let held = [("b".to_owned(), StepKind::Poll)];
        let queue = Queue::of(&stats, &held, now, &HealthPolicy::default());
        let all = queue.together(|_| true);
        let steps = |state: QueueState| all.steps[&(StepKind::Upload, state)];
        let states = [QueueState::Ready, QueueState::Scheduled, QueueState::Running];
        assert_eq!(states.map(steps), [15, 8, 4]);
        assert_eq!((steps(QueueState::Paused), steps(QueueState::Held)), (5, 11));
        assert_eq!(all.oldest[&StepKind::Upload], Duration::from_secs(30));
        assert_eq!((queue.runnable, queue.open), (4, 21));
        let broken = &queue.accounts["c"];
        assert_eq!((broken.paused, broken.throttled, broken.breaker), (None, false, 1.0));
        assert_eq!(queue.accounts["a"].paused, Some(PausedBy::Operator));
        assert_eq!(queue.accounts["b"].steps[&(StepKind::Poll, QueueState::Held)], 1);
    }

    #[test]
    fn accounts_that_are_not_configured_are_reported_together() {
        let now = timestamp(1_700_000_000_000);
        let names = ["north", "gone", "lost"];
        let stats = Stats {
            accounts: names.map(|name| account(name, Health::default())).into(),
            steps: names.map(|name| uploads(name, 9)).into(),
        };
        let metrics = Metrics::of_accounts(["north".to_owned()]);
        let queue = Queue::of(&stats, &[], now, &HealthPolicy::default());
        publish_gauges(&queue, &metrics, &metrics.of());
        let text = metrics.render();
        for series in [
            "ferry_queue_steps{account=\"north\",state=\"ready\",step=\"upload\"} 5",
            "ferry_queue_steps{account=\"other\",state=\"ready\",step=\"upload\"} 10",
            "ferry_queue_submissions{account=\"other\",state=\"held\"} 6",
            "ferry_queue_oldest_ready_seconds{account=\"other\",step=\"upload\"} 9",
        ] {
            assert!(text.contains(series), "{series} is missing in\n{text}");
        }
    }

    #[test]
    fn an_outage_of_which_nothing_is_left_to_learn_is_over() {
        let now = timestamp(1_700_000_000_000);
        let health = Health { probe_at: Some(now), ..Health::default() };
        let state = |open, after| breaker(&health, open, later(now, Duration::from_secs(after)));
        assert_eq!((state(1, 0), state(1, 3600)), (0.5, 0.5), "the next step probes");
        assert_eq!((state(0, 0), state(0, 3600)), (0.0, 0.0));
        let queue = |steps: StepStats| {
            let accounts = vec![account("a", health.clone())];
            let stats = Stats { accounts, steps: vec![steps] };
            Queue::of(&stats, &[], now, &HealthPolicy::default()).accounts["a"].breaker
        };
        let behind = StepStats {
            ready: 1,
            behind: 2,
            scheduled: 1,
            ..StepStats::none("a", StepKind::Upload)
        };
        let probing = StepStats { runnable: 1, behind: 1, ..behind.clone() };
        let delivering = StepStats { kind: StepKind::Deliver, behind: 0, ..behind.clone() };
        let states = (queue(behind), queue(probing), queue(delivering));
        assert_eq!(states, (0.0, 0.5, 0.0), "one behind a predecessor does not probe");
        let open = Health { probe_at: Some(later(now, Duration::from_secs(9))), ..health.clone() };
        assert_eq!((breaker(&open, 0, now), breaker(&open, 1, now)), (1.0, 1.0));
    }
}
