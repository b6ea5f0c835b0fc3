//! Runs steps, each as one straight line: claimed, requested, decided, committed, reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::debug;

use super::claimer::{LeasedStep, release};
use super::collect::after_collect;
use super::committer::{CommitError, Committer};
use super::decide::uploads::{
    after_upload, before_upload, interrupted_upload, may_overwrite, without_payload,
};
use super::decide::{Context, after_delivery, after_poll, while_throttled, without_account};
use super::delivery::{message, message_id};
use super::fetch::{fetch, token};
use super::guard::{RequestState, StepGuard};
use super::observer::{Recorded, StepObserver};
use super::pacing::Pacing;
use super::payload;
use super::policy::Policy;
use super::schedule::Jitter;
use super::throttle::Throttle;
use super::upload_memory::UploadMemory;
use crate::platform::{Platform, RequestError, Upload, Withheld};
use crate::shutdown::Shutdown;
use crate::traces::StepTrace;
use crate::webhook::Webhooks;
use ferry_store::{Commit, Store};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::account::Signal;
use ferry_types::domain::later;
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::submission::{DeliveryResult, StepKind, Transition};

/// The parts of an executor.
#[derive(Debug)]
pub(super) struct ExecutorParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) platforms: Vec<Platform>,
    pub(super) webhooks: Webhooks,
    pub(super) policy: Policy,
    pub(super) committer: Committer,
    pub(super) observer: StepObserver,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
    pub(super) shutdown: Shutdown,
    pub(super) seed: u64,
}

/// Runs the steps of a process.
#[derive(Debug)]
pub struct Executor {
    parts: ExecutorParts,
    accounts: BTreeMap<String, Account>,
    upload_memory: UploadMemory,
}

#[derive(Debug)]
struct Account {
    platform: Platform,
    throttle: Throttle,
    pacing: Pacing,
}

/// The end of a step, before it is committed.
#[expect(clippy::large_enum_variant, reason = "it is moved once for each step")]
enum StepOutcome {
    Decided(Transition),
    /// It was not begun, or interrupted at no cost.
    GivenBack,
    /// The lease expired during an upload: the store rescues it.
    Lost,
}

impl Executor {
    pub(super) fn new(mut parts: ExecutorParts) -> Self {
        let platforms = std::mem::take(&mut parts.platforms);
        let account = |platform: Platform| {
            let throttle = Throttle::new(parts.monotonic.clone());
            let pacing = Pacing::new(&parts.policy);
            (platform.account().to_owned(), Account { platform, throttle, pacing })
        };
        let accounts = platforms.into_iter().map(account).collect();
        let upload_memory = UploadMemory::new(parts.policy.upload_memory);
        Self { parts, accounts, upload_memory }
    }

    /// Runs a step and commits its outcome. An error means that the outcome could not be committed: the
    /// lease expires, and the step becomes due again.
    pub async fn run(&self, step: LeasedStep) -> Result<(), CommitError> {
        let trace = self.parts.observer.begun(&step.claim);
        let outcome = trace.scope(self.outcome(&step)).await;
        match outcome {
            StepOutcome::Decided(transition) => self.commit(&step, transition, &trace).await,
            StepOutcome::GivenBack => {
                StepObserver::released(&trace);
                self.give_back(&step).await;
                Ok(())
            }
            StepOutcome::Lost => {
                StepObserver::lost(&step.claim, &trace);
                Ok(())
            }
        }
    }

    async fn outcome(&self, step: &LeasedStep) -> StepOutcome {
        let claim = &step.claim;
        if !claim.kind.calls_platform() {
            return self.deliver(step).await;
        }
        let Some(account) = self.accounts.get(&claim.submission.account) else {
            return StepOutcome::Decided(without_account(&self.context(step), claim.kind));
        };
        let guard = StepGuard {
            claim,
            lease: &step.lease,
            claimed: step.claimed,
            throttle: &account.throttle,
            monotonic: self.parts.monotonic.as_ref(),
            shutdown: &self.parts.shutdown,
            requests: RequestState::default(),
        };
        let request = Box::pin(self.request(step, account, &guard));
        // Only an upload must not outlive its lease: nothing that is read can do harm.
        let requested = async {
            match claim.kind {
                StepKind::Upload => step.lease.while_owned(request).await,
                _ => Some(request.await),
            }
        };
        let requested = self.unless_aborted(requested).await;
        let may_have_arrived = claim.kind == StepKind::Upload && guard.is_in_flight();
        match requested {
            Some(Some(Ok(transition))) => {
                if let Signal::Throttled { delay, .. } = &transition.signal {
                    account.throttle.begin(*delay);
                }
                StepOutcome::Decided(transition)
            }
            Some(Some(Err(Withheld::Throttled(_)))) => {
                StepOutcome::Decided(while_throttled(&self.context(step), claim.kind))
            }
            Some(Some(Err(Withheld::PastDeadline))) => {
                let too_late = before_upload(&self.context(step));
                too_late.map_or(StepOutcome::GivenBack, StepOutcome::Decided)
            }
            Some(None) if may_have_arrived => StepOutcome::Lost,
            None if may_have_arrived => {
                StepOutcome::Decided(interrupted_upload(&self.context(step)))
            }
            Some(None | Some(Err(Withheld::LeaseExpired | Withheld::Aborted))) | None => {
                StepOutcome::GivenBack
            }
        }
    }

    /// Sends the requests of a step, and decides.
    async fn request(
        &self,
        step: &LeasedStep,
        account: &Account,
        guard: &StepGuard<'_>,
    ) -> Result<Transition, Withheld> {
        let (submission, platform) = (&step.claim.submission, &account.platform);
        match step.claim.kind {
            StepKind::Upload => self.upload(step, account, guard).await,
            StepKind::Poll => {
                let response = platform.status(token(submission), guard).await;
                let response = unless_withheld(response)?;
                self.parts.observer.status(&response);
                let context = self.context(step);
                account.pacing.observe(submission, &response, context.now);
                let schedule = account.pacing.schedule(submission, context.now);
                let context = Context { schedule: schedule.as_deref(), ..context };
                let text = response.as_ref().map_or_else(ToString::to_string, Status::to_string);
                let last_request = guard.last_request(context.now, &text);
                let polled = guard.has_sent();
                Ok(Transition { polled, last_request, ..after_poll(&context, response) })
            }
            StepKind::Collect => {
                let fetched = fetch(platform, submission, guard).await?;
                for (_, error) in &fetched.collected.missing {
                    self.parts.observer.failed_request(error);
                }
                let context = self.context(step);
                let missing = fetched.collected.missing.last();
                let text = missing.map_or("received".to_owned(), |(_, error)| error.to_string());
                let last_request = guard.last_request(context.now, &text);
                if fetched.is_cut_short {
                    let contents = fetched.collected.contents;
                    let waits = while_throttled(&context, StepKind::Collect);
                    return Ok(Transition { contents, last_request, ..waits });
                }
                Ok(Transition { last_request, ..after_collect(&context, fetched.collected) })
            }
            StepKind::Deliver => unreachable!("a delivery sends no request to the Platform"),
        }
    }

    async fn upload(
        &self,
        step: &LeasedStep,
        account: &Account,
        guard: &StepGuard<'_>,
    ) -> Result<Transition, Withheld> {
        if let Some(too_late) = before_upload(&self.context(step)) {
            return Ok(too_late);
        }
        let submission = &step.claim.submission;
        let _memory = self.upload_memory.acquire(submission.payload_bytes).await;
        let (store, monotonic) = (self.parts.store.as_ref(), self.parts.monotonic.as_ref());
        let payload = match payload::read(store, submission.id, monotonic).await {
            Ok(payload) => payload,
            Err(error) => return Ok(without_payload(&self.context(step), &error)),
        };
        let upload = Upload {
            name: &submission.name,
            data: &payload.data,
            event_data: payload.event_data.as_deref(),
            overwrite: may_overwrite(&self.context(step)),
        };
        let response = unless_withheld(account.platform.upload(upload, guard).await)?;
        if let Err(error) = &response {
            self.parts.observer.failed_request(error);
            self.look_for_loss(error).await;
        }
        let context = self.context(step);
        let text = response.as_ref().map_or_else(ToString::to_string, |_| "accepted".to_owned());
        let last_request = guard.last_request(context.now, &text);
        let schedule = account.pacing.schedule(submission, context.now);
        let decided = after_upload(&Context { schedule: schedule.as_deref(), ..context }, response);
        let deadline = decided.deadline.map(|at| step.claim.store_time(at));
        Ok(Transition { deadline, last_request, ..decided })
    }

    /// Before a rejection is judged: a store that failed over or was restored shows that only to those who look.
    async fn look_for_loss(&self, error: &PlatformError) {
        if error.may_be_about_another()
            && let Err(error) = self.parts.store.look().await
        {
            debug!(%error, "cannot see whether the store lost data");
        }
    }

    /// Sends the outcome of a submission to its webhook.
    async fn deliver(&self, step: &LeasedStep) -> StepOutcome {
        let submission = &step.claim.submission;
        let Some(webhook) = submission.webhook.as_ref().filter(|_| step.lease.is_owned()) else {
            return StepOutcome::GivenBack;
        };
        let id = message_id(&step.claim);
        let message = message(submission, &webhook.url, &id, self.context(step).now);
        let sent = self.unless_aborted(self.parts.webhooks.send(message)).await;
        let Some(attempt) = sent else { return StepOutcome::GivenBack };
        self.parts.observer.attempted(&webhook.url, &attempt);
        let transition = after_delivery(&self.context(step), &attempt);
        if transition.delay().is_none() && attempt.result != DeliveryResult::Delivered {
            self.parts.webhooks.count_abandoned();
            StepObserver::abandoned(submission, &attempt);
        }
        StepOutcome::Decided(transition)
    }

    async fn commit(
        &self,
        step: &LeasedStep,
        transition: Transition,
        trace: &StepTrace,
    ) -> Result<(), CommitError> {
        let claim = &step.claim;
        self.parts.observer.decided(claim, &transition);
        let (reason, polled) = (transition.reason.clone(), transition.polled);
        let is_throttled = matches!(transition.signal, Signal::Throttled { .. });
        let commit = Commit { lease: claim.lease, transition };
        let committed = self.parts.committer.commit(commit).await?;
        if let Some(account) = self.accounts.get(&claim.submission.account).filter(|_| is_throttled)
        {
            account.throttle.set_recorded();
        }
        let duration = self.parts.monotonic.elapsed(step.claimed);
        let now = self.context(step).now;
        let recorded = Recorded { committed, reason, polled, now, duration };
        self.parts.observer.recorded(claim, trace, recorded);
        Ok(())
    }

    /// A step that is released spends no attempt, so that its worker does not count as lost.
    async fn give_back(&self, step: &LeasedStep) {
        let (store, monotonic) = (self.parts.store.as_ref(), self.parts.monotonic.as_ref());
        let is_patient = || !self.parts.shutdown.is_draining();
        release(store, vec![step.claim.clone()], monotonic, is_patient).await;
    }

    /// Runs `work` to its end, unless the process is aborted before.
    async fn unless_aborted<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.parts.shutdown.aborting() => None,
        }
    }

    fn context<'a>(&'a self, step: &'a LeasedStep) -> Context<'a> {
        let claim = &step.claim;
        Context {
            submission: &claim.submission,
            name_mark: claim.name_mark,
            store_lost_data: self.parts.store.continuity().loss().is_some(),
            // Never ahead of the store's clock, or a poll at the deadline would come before it.
            now: later(claim.now, self.parts.monotonic.elapsed(step.received)),
            policy: &self.parts.policy,
            jitter: Jitter::for_claim(self.parts.seed, claim.lease.id, claim.lease.fence),
            schedule: None,
        }
    }
}

fn unless_withheld<T>(
    response: Result<T, RequestError>,
) -> Result<Result<T, PlatformError>, Withheld> {
    match response {
        Ok(response) => Ok(Ok(response)),
        Err(RequestError::Platform(error)) => Ok(Err(error)),
        Err(RequestError::Withheld(withheld)) => Err(withheld),
    }
}
