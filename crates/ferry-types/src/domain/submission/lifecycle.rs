//! Rules of the steps of a submission: claim, apply, release, rescue, and its end.

use std::time::Duration;

use super::{
    IllegalTransitionError, Next, NextStep, Reason, ReasonCode, Ruled, State, StepKind,
    StoredContent, Submission, TimelineEntry, Transition,
};
use crate::domain::{Timestamp, later, timestamp};

/// A step that was claimed so often in a row without a commit crashes its worker: it is poison, and no
/// worker claims it again.
pub const MAX_UNCOMMITTED_CLAIMS: u32 = 5;

impl Submission {
    /// The one place that consults the table and changes the state.
    pub(super) fn enter(
        &mut self,
        to: State,
        reason: Option<Reason>,
        now: Timestamp,
    ) -> Result<(), IllegalTransitionError> {
        if !self.state.may_become(to) {
            return Err(self.illegal(to));
        }
        let parts = &mut self.0;
        parts.state = to;
        parts.reason = reason;
        parts.updated_at = now;
        parts.finished_at = to.is_final().then_some(now);
        Ok(())
    }

    pub(super) fn illegal(&self, to: State) -> IllegalTransitionError {
        IllegalTransitionError { id: self.id, from: self.state, to }
    }

    /// A line of the timeline about the state that it is in now.
    pub(super) fn entry(&self, now: Timestamp, message: impl Into<String>) -> TimelineEntry {
        TimelineEntry { at: now, state: self.state, message: message.into() }
    }

    /// The first line of the timeline.
    pub fn acceptance(&self) -> TimelineEntry {
        TimelineEntry { at: self.created_at, state: State::Queued, message: "accepted".to_owned() }
    }

    /// A worker takes the step that is due, until the lease ends. An upload counts as an attempt before
    /// its request leaves.
    pub fn claim(&mut self, lease: Duration, now: Timestamp) -> Ruled<IllegalTransitionError> {
        let mut entry = None;
        if self.step == Some(StepKind::Upload) {
            self.enter(State::Uploading, self.reason.clone(), now)?;
            self.0.upload_attempts += 1;
            // A further attempt for the same reason does not lengthen the timeline.
            entry = self.reason.is_none().then(|| self.entry(now, ""));
        }
        self.0.leased_until = Some(later(now, lease));
        Ok(entry)
    }

    /// Applies the decision of the worker that holds the step. A requested cancellation wins over any
    /// outcome that is not final.
    pub fn apply(
        &mut self,
        transition: &Transition,
        now: Timestamp,
    ) -> Ruled<IllegalTransitionError> {
        if self.is_refetching() {
            return self.apply_refetch(transition, now);
        }
        let next = match &transition.next {
            Next::Delivery { delivery, again } => {
                return self.apply_delivery(delivery, *again, transition.failures, now);
            }
            // After the end there is nothing else to decide, and nothing but the end leads there.
            next => next.state().filter(|_| self.step != Some(StepKind::Deliver)),
        };
        let Some(next) = next else { return Err(self.illegal(self.state)) };
        let cancelled = self.cancel_requested && !next.is_final();
        let (to, reason) = if cancelled {
            let message = "cancelled while a step was running";
            (State::Cancelled, Some(Reason::new(ReasonCode::Operator, message)))
        } else {
            (next, transition.reason.clone())
        };
        let entry = self.entry_for(to, reason.as_ref(), now);
        self.enter(to, reason, now)?;
        self.count(transition);
        self.0.due_at = None;
        self.0.leased_until = None;
        match transition.next {
            Next::Step(NextStep { kind, after }) if !cancelled => {
                self.0.step = Some(kind);
                self.0.due_at = Some(later(now, after));
            }
            _ if to.is_final() => self.finish(true, now),
            _ => {}
        }
        Ok(entry)
    }

    pub(super) fn count(&mut self, transition: &Transition) {
        let parts = &mut self.0;
        parts.upload_attempts -= u32::from(!transition.attempt_spent && parts.upload_attempts > 0);
        parts.polls += u32::from(transition.polled);
        parts.failures = transition.failures;
        parts.lasting = transition.lasting;
        parts.upload_ambiguous = transition.upload_ambiguous;
        parts.uncommitted_claims = 0;
        parts.deadline = transition.deadline.unwrap_or(parts.deadline);
        parts.processing = transition.processing.unwrap_or(parts.processing);
        if transition.last_request.is_some() {
            parts.last_request.clone_from(&transition.last_request);
        }
        if transition.processing_token.is_some() {
            parts.processing_token.clone_from(&transition.processing_token);
        }
        if transition.rejection.is_some() {
            parts.rejection.clone_from(&transition.rejection);
        }
        for (key, content) in &transition.contents {
            parts.results.retain(|stored| stored.key != *key);
            parts.results.push(StoredContent {
                key: key.clone(),
                content_type: content.content_type.clone(),
                bytes: content.bytes.len() as u64,
            });
        }
    }

    /// A repeated reason in the same state only counts; it does not lengthen the timeline.
    fn entry_for(
        &self,
        to: State,
        reason: Option<&Reason>,
        now: Timestamp,
    ) -> Option<TimelineEntry> {
        let same_state = self.state == to || (self.state, to) == (State::Uploading, State::Queued);
        let same_reason = self.reason.as_ref().map(|r| r.code) == reason.map(|r| r.code);
        if same_state && same_reason {
            return None;
        }
        let message = reason.map_or_else(String::new, |reason| reason.text.clone());
        Some(TimelineEntry { at: now, state: to, message })
    }

    /// The worker gives a step back that it has not begun: as if it had not been claimed.
    pub fn release(&mut self, now: Timestamp) -> Ruled<IllegalTransitionError> {
        let uploading = self.step == Some(StepKind::Upload);
        if uploading {
            self.0.upload_attempts = self.upload_attempts.saturating_sub(1);
        }
        if self.is_cancelling() {
            return self.end(State::Cancelled, "cancelled", now);
        }
        self.0.leased_until = None;
        self.0.updated_at = now;
        if uploading {
            self.enter(State::Queued, self.reason.clone(), now)?;
            if self.reason.is_none() {
                return Ok(Some(self.entry(now, "released by a stopping worker")));
            }
        }
        Ok(None)
    }

    /// The lease ran out: the worker is lost, and the step is due again, unless it has lost too many
    /// workers.
    pub fn rescue(&mut self, now: Timestamp) -> Ruled<IllegalTransitionError> {
        let uploading = self.step == Some(StepKind::Upload);
        // The attempt was begun, and its outcome is unknown.
        self.0.upload_ambiguous |= uploading;
        if self.is_cancelling() {
            return self.end(State::Cancelled, "cancelled", now);
        }
        self.0.uncommitted_claims += 1;
        self.0.leased_until = None;
        self.0.due_at = Some(now);
        self.0.updated_at = now;
        if self.uncommitted_claims >= MAX_UNCOMMITTED_CLAIMS {
            return self.give_up_poison(now);
        }
        if uploading {
            let text = "the worker was lost during the upload, which may have arrived";
            self.enter(State::Queued, Some(Reason::new(ReasonCode::Ambiguous, text)), now)?;
            return Ok(Some(self.entry(now, text)));
        }
        Ok(None)
    }

    fn give_up_poison(&mut self, now: Timestamp) -> Ruled<IllegalTransitionError> {
        let step = self.step.map_or("step", StepKind::as_str);
        let text =
            format!("`{step}` crashed its worker {} times in a row", self.uncommitted_claims);
        self.0.uncommitted_claims = 0;
        if self.step == Some(StepKind::Deliver) {
            // The outcome stays what it is.
            self.end_delivery();
        } else if self.is_refetching() {
            self.end_refetch(Some(Reason::new(ReasonCode::Poison, &*text)), false, now);
        } else {
            self.enter(State::Held, Some(Reason::new(ReasonCode::Poison, &*text)), now)?;
            self.0.due_at = None;
        }
        Ok(Some(self.entry(now, text)))
    }

    /// True if it is cancelled as soon as its running step ends; a final one cannot be cancelled.
    pub fn is_cancelling(&self) -> bool {
        self.cancel_requested && !self.state.is_final()
    }

    /// Ends a submission whose step no worker runs any more, because of an operator.
    pub(super) fn end(
        &mut self,
        state: State,
        message: &str,
        now: Timestamp,
    ) -> Ruled<IllegalTransitionError> {
        self.enter(state, Some(Reason::new(ReasonCode::Operator, message)), now)?;
        self.finish(true, now);
        Ok(Some(self.entry(now, message)))
    }

    /// Ends a submission that has entered a final state: nothing is due but the delivery of the outcome, if
    /// it `delivers`. A failed one keeps its step, to resume with. The next submission of the name has its
    /// turn: see [`Submission::follow`].
    pub(super) fn finish(&mut self, delivers: bool, now: Timestamp) {
        let parts = &mut self.0;
        parts.due_at = None;
        parts.leased_until = None;
        parts.has_predecessor = false;
        // Workers lost before do not count against the delivery.
        parts.uncommitted_claims = 0;
        parts.resume_step = None;
        let step = parts.step.take().filter(|_| parts.state == State::Failed);
        if delivers && parts.webhook.as_ref().is_some_and(|webhook| !webhook.gone) {
            parts.resume_step = step;
            parts.step = Some(StepKind::Deliver);
            parts.due_at = Some(now);
            parts.failures = 0;
        } else {
            parts.step = step;
        }
    }

    /// The submission that it waited for has ended: it has its turn, at once or at its own time.
    pub fn follow(&mut self, now: Timestamp) {
        self.0.has_predecessor = false;
        self.0.due_at = self.due_at.map(|due| due.max(now));
    }

    /// The wall clock stepped ahead by so many milliseconds of the store's time, which did not. A start
    /// that a producer named is by the wall clock; all other times are by the store's.
    pub fn move_start(&mut self, step: i64, now: Timestamp) {
        // Times do not show that: a submission may be claimed and committed within a millisecond.
        let is_new = self.upload_attempts == 0 && self.reason.is_none();
        if is_new && self.leased_until.is_none() && self.step == Some(StepKind::Upload) {
            let moved = |due: Timestamp| {
                if due > now {
                    timestamp(due.timestamp_millis().saturating_sub(step)).max(now)
                } else {
                    due
                }
            };
            self.0.due_at = self.due_at.map(moved);
        }
    }

    /// A step that the Platform postponed is due at once, because an operator resumed the account.
    pub fn bring_forward(&mut self, now: Timestamp) {
        self.0.due_at = self.due_at.map(|due| due.min(now));
    }
}
