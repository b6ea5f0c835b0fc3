//! The steps: claim, ask the Platform, decide, commit, tell. Each is one straight line.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{info, warn};

use super::backend::{LeasedStep, release};
use super::collect::{Collected, after_collect};
use super::committer::{CommitError, Committer};
use super::decide::{
    Context, after_delivery, after_poll, after_upload, interrupted_upload, may_overwrite,
    while_throttled, without_account,
};
use super::policy::Policy;
use super::schedule::Jitter;
use crate::metrics::Metrics;
use crate::platform::{Platform, Upload};
use crate::shutdown::Shutdown;
use crate::traces::{StepTrace, Traces};
use crate::webhook::{Message, Webhooks};
use ferry_store::{Commit, Committed, Payload, Store, StoreError};
use ferry_types::contract::{EventEnvelope, SubmissionView};
use ferry_types::domain::account::Signal;
use ferry_types::domain::dataset::{Table, canonical};
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::submission::{
    DeliveryResult, FEEDBACK_KEY, State, StepKind, Submission, Transition,
};
use ferry_types::domain::{later, until};

/// Datasets from this size on are brought into the canonical form beside the asynchronous threads.
const LARGE: u64 = 256 << 10;

/// What the steps of a process need.
#[derive(Debug)]
pub(crate) struct Executor {
    store: Arc<dyn Store>,
    accounts: BTreeMap<String, AccountClient>,
    policy: Policy,
    committer: Committer,
    webhooks: Webhooks,
    metrics: Arc<Metrics>,
    traces: Traces,
    shutdown: Shutdown,
    seed: u64,
    upload_memory: Semaphore,
    /// Unknown status words that were named in the log.
    unknown_statuses: Mutex<HashSet<String>>,
    /// Responses that could not be read and were shown in the log.
    unreadable: Mutex<HashSet<String>>,
}

/// Whom the steps call.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) webhooks: Webhooks,
}

/// The Platform as one account sees it.
#[derive(Debug)]
struct AccountClient {
    platform: Platform,
    /// The store keeps steps of a throttled account from being claimed; this one stops those that
    /// were claimed before the store knew.
    throttled_until: Mutex<Option<Gate>>,
}

/// A request of the Platform to wait.
#[derive(Debug, Clone, Copy)]
struct Gate {
    until: Instant,
    /// When the store knew. What is claimed after that was yielded in spite of it: the account was
    /// resumed.
    recorded: Option<Instant>,
}

/// What became of a step that ran.
enum StepOutcome {
    Decided(Transition),
    /// It was not begun, or was interrupted with no harm.
    GivenBack,
}

impl Executor {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        Clients { platforms, webhooks }: Clients,
        policy: Policy,
        committer: Committer,
        metrics: Arc<Metrics>,
        shutdown: Shutdown,
        seed: u64,
    ) -> Self {
        let accounts = platforms.into_iter().map(|platform| {
            (
                platform.account().to_owned(),
                AccountClient { platform, throttled_until: Mutex::default() },
            )
        });
        Self {
            store,
            accounts: accounts.collect(),
            upload_memory: Semaphore::new(permits(policy.upload_memory) as usize),
            policy,
            committer,
            webhooks,
            metrics,
            traces: Traces::default(),
            shutdown,
            seed,
            unknown_statuses: Mutex::default(),
            unreadable: Mutex::default(),
        }
    }

    /// The same steps, told to a collector.
    pub(crate) fn with_traces(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Runs a step and records its outcome. An error means that the outcome could not be recorded:
    /// the lease runs out, and the step becomes due again.
    pub(crate) async fn run(&self, step: LeasedStep) -> Result<(), CommitError> {
        let kind = step.claim.kind;
        self.metrics.step_lag(kind, step.claim.lag);
        let trace = self.traces.step(&step.claim.submission, kind);
        let ran = tokio::select! {
            biased;
            ran = trace.scope(self.decide(&step)) => ran,
            () = self.shutdown.aborting() => Ok(self.interrupted(&step)),
        };
        match ran {
            Ok(StepOutcome::Decided(transition)) => self.commit(&step, transition, &trace).await,
            Ok(StepOutcome::GivenBack) => {
                trace.set_outcome("given_back");
                release(self.store.clone(), vec![step.claim.clone()]).await;
                Ok(())
            }
            Err(error) => {
                trace.set_outcome("not_begun");
                warn!(submission.id = %step.claim.lease.id, "`{kind}` was not begun: {error}");
                Err(CommitError)
            }
        }
    }

    async fn decide(&self, step: &LeasedStep) -> Result<StepOutcome, StoreError> {
        let claim = &step.claim;
        if !claim.kind.calls_platform() {
            return Ok(self.deliver(step).await);
        }
        let Some(account) = self.accounts.get(&claim.submission.account) else {
            let context = self.context(step);
            return Ok(StepOutcome::Decided(without_account(&context, claim.kind)));
        };
        if let Some(delay) = account.throttled_for(step.claimed) {
            return Ok(StepOutcome::Decided(while_throttled(
                &self.context(step),
                claim.kind,
                delay,
            )));
        }
        let transition = match claim.kind {
            StepKind::Upload => {
                let bytes = claim.submission.payload_bytes;
                let _memory = self.memory_for(bytes).await;
                let payload = self.payload(&claim.submission).await?;
                if !step.lease.is_owned() {
                    return Ok(StepOutcome::GivenBack);
                }
                let response = self.upload(step, account, &payload).await;
                self.note_error(&response);
                after_upload(&self.context(step), response)
            }
            StepKind::Poll => {
                let response = account.platform.status(token(&claim.submission)).await;
                self.note_unknown_status(&response);
                self.note_error(&response);
                after_poll(&self.context(step), response)
            }
            StepKind::Collect => {
                let collected = collect(&account.platform, &claim.submission).await;
                for (_, error) in &collected.missing {
                    self.note_unreadable(error);
                }
                after_collect(&self.context(step), collected)
            }
            StepKind::Deliver => return Ok(self.deliver(step).await),
        };
        if let Signal::Throttled { delay, .. } = &transition.signal {
            account.throttle(*delay);
        }
        Ok(StepOutcome::Decided(transition))
    }

    /// Tells the outcome of a submission to whoever wants to hear it.
    async fn deliver(&self, step: &LeasedStep) -> StepOutcome {
        let submission = &step.claim.submission;
        let Some(webhook) = submission.webhook.as_ref().filter(|_| step.lease.is_owned()) else {
            return StepOutcome::GivenBack;
        };
        let (id, body) = outcome(submission);
        let message = Message {
            account: &submission.account,
            url: &webhook.url,
            id: &id,
            now: self.context(step).now,
            body,
        };
        let attempt = self.webhooks.send(message).await;
        let result = attempt.result;
        self.metrics.delivery(result);
        let transition = after_delivery(&self.context(step), attempt);
        if transition.delay().is_none() && result != DeliveryResult::Delivered {
            warn!(
                submission.id = %submission.id,
                "webhook delivery of `{}` abandoned: {}", submission.name, result.as_str()
            );
        }
        StepOutcome::Decided(transition)
    }

    async fn upload(
        &self,
        step: &LeasedStep,
        account: &AccountClient,
        payload: &Payload,
    ) -> Result<String, PlatformError> {
        let submission = &step.claim.submission;
        let upload = Upload {
            name: &submission.name,
            data: &payload.data,
            event_data: payload.event_data.as_deref(),
            overwrite: may_overwrite(submission, &self.policy),
        };
        account.platform.upload(upload).await
    }

    async fn commit(
        &self,
        step: &LeasedStep,
        transition: Transition,
        trace: &StepTrace,
    ) -> Result<(), CommitError> {
        let claim = &step.claim;
        self.metrics.step(claim.kind, transition.reason.as_ref().map(|reason| reason.code));
        if matches!(transition.signal, Signal::CredentialsDenied(_)) {
            let why = transition.reason.as_ref().map_or("", |reason| &reason.text);
            tracing::error!(
                account = claim.submission.account,
                "account `{}` paused, credentials denied: {why}",
                claim.submission.account
            );
        }
        let reason = transition.reason.clone();
        let polls = claim.submission.polls + u32::from(transition.polled);
        let closes_gate = matches!(transition.signal, Signal::Throttled { .. });
        let committed = self.committer.commit(Commit { lease: claim.lease, transition }).await?;
        if let Some(account) = self.accounts.get(&claim.submission.account).filter(|_| closes_gate)
        {
            account.gate_recorded();
        }
        match committed {
            Committed::Done(from, to) => {
                self.metrics.transition(from, to);
                trace.set_state(to, reason.as_ref().map(|reason| reason.code));
                let exemplar = trace.exemplar(self.context(step).now);
                self.metrics.step_duration(claim.kind, step.claimed.elapsed(), exemplar);
                if to.is_final() && from != to {
                    self.count_finished(step, to, polls);
                }
                log_transition(
                    claim.kind,
                    &claim.submission,
                    from,
                    to,
                    reason.map(|reason| reason.text),
                );
            }
            Committed::Stale => {
                trace.set_outcome("stale");
                self.metrics.commit_conflict();
                warn!(
                    submission.id = %claim.lease.id,
                    "stale commit of `{}`, another worker owns the step, or it ended", claim.kind
                );
            }
            Committed::Illegal(illegal) => {
                trace.set_outcome("illegal");
                self.metrics.commit_conflict();
                tracing::error!(submission.id = %claim.lease.id, "refused to record `{}`: {illegal}", claim.kind);
            }
        }
        Ok(())
    }

    fn count_finished(&self, step: &LeasedStep, outcome: State, polls: u32) {
        let submission = &step.claim.submission;
        let life = until(submission.created_at, self.context(step).now);
        let polls = submission.processing_token.is_some().then_some(polls);
        self.metrics.finished(outcome, life, polls);
    }

    /// A poll or a fetch can be interrupted at no cost; an upload may have arrived.
    fn interrupted(&self, step: &LeasedStep) -> StepOutcome {
        match step.claim.kind {
            StepKind::Upload => StepOutcome::Decided(interrupted_upload(&self.context(step))),
            StepKind::Poll | StepKind::Collect | StepKind::Deliver => StepOutcome::GivenBack,
        }
    }

    fn context<'a>(&'a self, step: &'a LeasedStep) -> Context<'a> {
        let claim = &step.claim;
        Context {
            submission: &claim.submission,
            now: later(claim.now, step.claimed.elapsed()),
            policy: &self.policy,
            jitter: Jitter::for_claim(self.seed, claim.lease.id, claim.lease.fence),
        }
    }

    /// Reads the dataset in the form that is uploaded. A store that is unavailable is read again.
    async fn payload(&self, submission: &Submission) -> Result<Payload, StoreError> {
        let read = || self.store.payload(submission.id);
        let payload = read
            .retry(ExponentialBuilder::default().with_max_times(5))
            .when(StoreError::is_temporary)
            .sleep(tokio::time::sleep)
            .await?;
        if payload.bytes() < LARGE {
            return Ok(uploaded(payload));
        }
        // A large dataset would keep the other steps of this thread waiting, and their leases.
        let written = tokio::task::spawn_blocking(|| uploaded(payload)).await;
        Ok(written.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }

    /// A dataset larger than the whole budget goes alone.
    async fn memory_for(&self, bytes: u64) -> SemaphorePermit<'_> {
        let wanted = permits(bytes.min(self.policy.upload_memory));
        self.upload_memory.acquire_many(wanted).await.expect("the semaphore is never closed")
    }

    fn note_error<T>(&self, response: &Result<T, PlatformError>) {
        if let Err(error) = response {
            self.note_unreadable(error);
        }
    }

    /// Logs a response that nobody can read, each once.
    fn note_unreadable(&self, error: &PlatformError) {
        let (PlatformError::Unreadable(what) | PlatformError::NotYet { what, .. }) = error else {
            return;
        };
        if is_new(&self.unreadable, what) {
            warn!("unexpected response of the Platform: {what}");
        }
    }

    fn note_unknown_status(&self, response: &Result<Status, PlatformError>) {
        let Ok(Status::Pending { status, known: false }) = response else { return };
        self.metrics.unknown_status();
        if is_new(&self.unknown_statuses, status) {
            warn!(
                "the Platform answered the status `{status}`, which is not configured: taken as pending"
            );
        }
    }
}

impl AccountClient {
    /// How long the Platform wants to be left alone by a step that was claimed at `claimed`.
    fn throttled_for(&self, claimed: Instant) -> Option<Duration> {
        let throttled_until = self.throttled_until();
        let throttled_until = throttled_until.filter(|throttled_until| {
            throttled_until.recorded.is_none_or(|recorded| claimed < recorded)
        })?;
        let left = throttled_until.until.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    fn throttle(&self, delay: Duration) {
        let mut throttled_until = self.throttled_until();
        let until = Instant::now() + delay;
        let until = throttled_until.map_or(until, |old| old.until.max(until));
        *throttled_until = Some(Gate { until, recorded: None });
    }

    fn gate_recorded(&self) {
        if let Some(throttled_until) = self.throttled_until().as_mut() {
            throttled_until.recorded.get_or_insert_with(Instant::now);
        }
    }

    fn throttled_until(&self) -> MutexGuard<'_, Option<Gate>> {
        self.throttled_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches what is not stored yet. A trouble of the whole account ends the round.
async fn collect(platform: &Platform, submission: &Submission) -> Collected {
    let token = token(submission);
    let mut collected = Collected::default();
    if submission.rejection.is_some() {
        match platform.feedback(token).await {
            Ok(content) => collected.contents.push((FEEDBACK_KEY.to_owned(), content)),
            Err(error) => collected.missing.push((FEEDBACK_KEY.to_owned(), error)),
        }
        return collected;
    }
    let is_stored = |key: &String| submission.results.iter().any(|stored| stored.key == *key);
    let is_wanted = |key: &&String| submission.is_refetching() || !is_stored(key);
    for key in submission.result_keys.iter().filter(is_wanted) {
        match platform.result(token, key).await {
            Ok(content) => collected.contents.push((key.clone(), content)),
            Err(error) => {
                let concerns_all = matches!(
                    error,
                    PlatformError::Throttled { .. }
                        | PlatformError::Credentials(_)
                        | PlatformError::Unsent(_)
                );
                collected.missing.push((key.clone(), error));
                if concerns_all {
                    break;
                }
            }
        }
    }
    collected
}

/// The message about the outcome of a submission, the same at each try, and its id.
fn outcome(submission: &Submission) -> (String, String) {
    let ended = submission.finished_at.unwrap_or(submission.updated_at);
    let mut view = SubmissionView::new(submission.clone(), None);
    view.updated_at = ended;
    let id = format!("{}-{}", submission.id, ended.timestamp_millis());
    let notice = EventEnvelope::of(submission.state, ended, view);
    (id, serde_json::to_string(&notice).expect("texts, numbers and maps have a JSON form"))
}

/// A submission past its upload has a token; without one the Platform answers that it knows none.
fn token(submission: &Submission) -> &str {
    submission.processing_token.as_deref().unwrap_or_default()
}

/// The canonical form of what was submitted.
fn uploaded(Payload { data, event_data }: Payload) -> Payload {
    let data = canonical(Table::Data, &data);
    Payload { data, event_data: event_data.map(|text| canonical(Table::Events, &text)) }
}

/// True at the first time of each text. The Platform may invent them without end; the log need not
/// follow.
fn is_new(known: &Mutex<HashSet<String>>, text: &str) -> bool {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.len() < 100 && known.insert(text.to_owned())
}

/// One permit for each KiB, so that the budget fits the semaphore.
fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4)
}

/// One line for each change of state.
fn log_transition(
    kind: StepKind,
    submission: &Submission,
    from: State,
    to: State,
    why: Option<String>,
) {
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    if from == to {
        tracing::debug!(submission.id = %submission.id, "`{}` stays {to} after {kind}{why}", submission.name);
    } else {
        info!(
            submission.id = %submission.id,
            account = submission.account,
            "`{}` is {to}, was {from}{why}",
            submission.name
        );
    }
}
