//! Planted errors: what a wrong worker or store would do. Invariants must find each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferry_store::{Accepted, Claim, ClaimRequest, Commit, Lease, NewSubmission};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::Signal;
use ferry_types::domain::submission::{
    Next, Outcome, ReasonCode, State, StepKind, SubmissionParts, Transition, WaitingFor,
};

use crate::backing::Backing;

/// An error that is planted between workers, operators, producers and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The store does not compare the lease of a commit.
    LeaseNotCompared,
    /// A commit is applied twice.
    CommittedTwice,
    /// A rescued upload is not ambiguous.
    AmbiguityForgotten,
    /// A claim does not have the mark of its name.
    MarkForgotten,
    /// An upload does not wait for one of an earlier submission of its name that may still arrive.
    LateForgotten,
    /// A rejection of an ambiguous upload ends in `rejected`.
    AmbiguityRejects,
    /// A retry does not wait for other submissions of its name.
    RetrySkipsOrder,
    /// The next submission of a name has its turn before the earlier one is final.
    NameFreedTooSoon,
    /// Uploads have permission to overwrite that was not given.
    OverwriteUnasked,
    /// The account is throttled half as long as the Platform asked for.
    HalfThrottled,
    /// The signal of a stale commit is dropped.
    StaleSignalDropped,
    /// Denied credentials do not pause the account.
    DenialDropped,
    /// Limits of accounts are not looked at.
    LimitsIgnored,
    /// Results are stored under each other's keys.
    ResultsSwapped,
    /// Lost workers are not counted.
    NeverPoison,
    /// Idempotency keys are forgotten.
    KeysForgotten,
    /// A submission is reported as accepted, and not stored.
    NotStored,
    /// No webhook is delivered.
    NeverDelivered,
    /// A state is changed past the stream of events.
    EventMissing,
    /// Expired leases stay.
    NeverRescued,
    /// The store does not explain why a submission waits.
    NeverExplained,
    /// The store says that a submission waits for a worker, and its account is blocked.
    UntrueReason,
    /// A paused account is not paused.
    PauseIgnored,
}

/// A planted error at work in one history.
#[derive(Debug)]
pub(crate) struct Saboteur {
    planted: Option<Planted>,
    backing: Arc<Backing>,
    /// By submission and kind, the newest lease; by submission, those of its account and name.
    newest: Mutex<BTreeMap<(SubmissionId, StepKind), Lease>>,
    same_name: BTreeMap<SubmissionId, Vec<SubmissionId>>,
}

impl Saboteur {
    pub(crate) fn new(
        planted: Option<Planted>,
        backing: Arc<Backing>,
        same_name: BTreeMap<SubmissionId, Vec<SubmissionId>>,
    ) -> Self {
        Self { planted, backing, newest: Mutex::default(), same_name }
    }

    pub(crate) fn is(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    fn newest(&self, lease: &Lease) -> Lease {
        let newest = self.newest.lock().expect("no test has panicked");
        newest.get(&(lease.id, lease.kind)).copied().unwrap_or(*lease)
    }

    /// Changes what the store is asked for.
    pub(crate) fn claiming(&self, request: &mut ClaimRequest) {
        if self.is(Planted::LimitsIgnored) {
            request.account_limits = Arc::default();
        }
        if self.is(Planted::LateForgotten) {
            self.backing.forget_late_uploads();
        }
    }

    /// Changes what the store yields.
    pub(crate) fn claimed(&self, claim: &mut Claim) {
        let (key, id) = ((claim.lease.id, claim.kind), claim.lease.id);
        self.newest.lock().expect("no test has panicked").insert(key, claim.lease);
        let is_upload = claim.kind == StepKind::Upload;
        match self.planted {
            Some(Planted::AmbiguityForgotten) => {
                let reason = claim.submission.reason.as_ref();
                if reason.is_some_and(|reason| reason.text.contains("worker was lost")) {
                    change(claim, |parts| parts.upload_ambiguous = false);
                }
            }
            Some(Planted::MarkForgotten) => claim.name_mark = None,
            Some(Planted::OverwriteUnasked) => change(claim, |parts| parts.overwrite = true),
            Some(Planted::NeverPoison) => {
                self.backing.spoil(id, |parts| parts.uncommitted_claims = 0);
            }
            Some(Planted::NameFreedTooSoon) if is_upload => {
                for other in &self.same_name[&id] {
                    self.backing.spoil(*other, |parts| parts.has_predecessor = false);
                }
            }
            _ => {}
        }
    }

    /// Changes what the store is given.
    pub(crate) fn committing(&self, batch: &[Commit]) -> Vec<Commit> {
        let mut batch = batch.to_vec();
        for commit in &mut batch {
            self.commits(commit);
        }
        batch
    }

    fn commits(&self, commit: &mut Commit) {
        let newest = self.newest(&commit.lease);
        let transition = &mut commit.transition;
        match (self.planted, &mut transition.signal) {
            (Some(Planted::LeaseNotCompared), _) => commit.lease = newest,
            (Some(Planted::AmbiguityRejects), _) => {
                let reason = transition.reason.as_ref().map(|reason| reason.code);
                if reason == Some(ReasonCode::AlreadyExists) {
                    let next = Next::End(Outcome::Rejected);
                    *transition = Transition { next, ..transition.clone() };
                }
            }
            (Some(Planted::HalfThrottled), Signal::Throttled { delay, .. }) => *delay /= 2,
            (Some(Planted::StaleSignalDropped), signal) if newest != commit.lease => {
                *signal = Signal::None;
            }
            (Some(Planted::DenialDropped), signal @ Signal::CredentialsDenied(_)) => {
                *signal = Signal::None;
                // Due at once again and again, it would keep the time from passing.
                if let Next::Step(next) = &mut transition.next {
                    next.after = next.after.max(Duration::from_mins(1));
                }
            }
            (Some(Planted::ResultsSwapped), _) => {
                if let [(_, first), (_, second)] = transition.contents.as_mut_slice() {
                    std::mem::swap(first, second);
                }
            }
            _ => {}
        }
    }

    /// Changes the store after a commit.
    pub(crate) fn committed(&self, batch: &[Commit]) {
        for commit in batch {
            self.backing.spoil(commit.lease.id, |parts| match self.planted {
                Some(Planted::NeverDelivered) if parts.step == Some(StepKind::Deliver) => {
                    (parts.step, parts.due_at) = (None, None);
                }
                Some(Planted::EventMissing) if parts.state == State::Completed => {
                    parts.state = State::Rejected;
                }
                // As if the store had not noticed that the step has ended.
                Some(Planted::CommittedTwice) if parts.step == Some(StepKind::Poll) => {
                    parts.leased_until = parts.due_at;
                }
                _ => {}
            });
        }
    }

    /// True if expired leases end.
    pub(crate) fn rescues(&self) -> bool {
        !self.is(Planted::NeverRescued)
    }

    /// Changes what the store says about a submission.
    pub(crate) fn explaining(
        &self,
        waiting_for: Option<WaitingFor>,
        step: Option<StepKind>,
    ) -> Option<WaitingFor> {
        match (self.planted, waiting_for, step) {
            (Some(Planted::NeverExplained), _, _) => None,
            (Some(Planted::UntrueReason), Some(WaitingFor::Account(_)), Some(step)) => {
                Some(WaitingFor::Worker { step })
            }
            (_, waiting_for, _) => waiting_for,
        }
    }

    /// Changes what a producer submits; returns the response if the store is not to know of it.
    pub(crate) fn submitting(&self, new: &mut NewSubmission) -> Option<Accepted> {
        if self.is(Planted::KeysForgotten) {
            new.idempotency_key = None;
        }
        self.is(Planted::NotStored).then_some(Accepted::New(new.id))
    }

    /// Changes the store before a retry.
    pub(crate) fn retrying(&self, id: SubmissionId) {
        if self.is(Planted::RetrySkipsOrder) {
            self.backing.spoil(id, |parts| {
                let step = parts.resume_step.or(parts.step).unwrap_or(StepKind::Upload);
                let Some(state) = step.waiting_state().filter(|_| parts.state == State::Failed)
                else {
                    return;
                };
                (parts.state, parts.step, parts.due_at) = (state, Some(step), parts.finished_at);
                (parts.finished_at, parts.has_predecessor) = (None, false);
            });
        }
    }
}

fn change(claim: &mut Claim, change: impl FnOnce(&mut SubmissionParts)) {
    let mut parts = claim.submission.clone().into_parts();
    change(&mut parts);
    claim.submission = parts.into();
}
