//! Fetches the results or the feedback of a final submission again. Its state stays final meanwhile: no
//! failure loses the verdict, and a refetch, which uploads nothing, takes no turn among the submissions
//! of its name.

use std::time::Duration;

use super::{
    DeliveryResult, IllegalTransitionError, Lasting, LifecycleError, Next, NextStep,
    OperatorAction, Outcome, Reason, ReasonCode, Ruled, State, StepKind, Submission, Transition,
};
use crate::domain::{Timestamp, later};

impl Submission {
    /// True while results or feedback of a final submission are fetched again.
    pub fn is_refetching(&self) -> bool {
        let fetches = matches!(self.step, Some(StepKind::Poll | StepKind::Collect));
        // A failed submission keeps the step to resume at, which is not due.
        self.state.is_final() && fetches && self.due_at.is_some()
    }

    /// Fetches results or feedback again, within another `deadline`. Where the verdict is not known,
    /// because Ferry gave up or an operator cancelled, the Platform is polled first.
    pub fn refetch(&mut self, deadline: Duration, now: Timestamp) -> Ruled<LifecycleError> {
        let (id, state) = (self.id, self.state);
        if self.is_refetching() {
            return Ok(None);
        }
        if !OperatorAction::Refetch.concerns(state) {
            return Err(LifecycleError::NotFinal { id, state });
        }
        if self.processing_token.is_none() {
            return Err(LifecycleError::NoToken { id, state });
        }
        if self.leased_until.is_some() {
            return Err(LifecycleError::Delivering { id });
        }
        let has_verdict =
            matches!(state, State::Completed | State::Rejected) || self.rejection.is_some();
        let resumes =
            if self.step == Some(StepKind::Deliver) { self.resume_step } else { self.step };
        let is_decided = has_verdict || resumes == Some(StepKind::Collect);
        let message = "refetch requested";
        let parts = &mut self.0;
        parts.step = Some(if is_decided { StepKind::Collect } else { StepKind::Poll });
        parts.resume_step = None;
        parts.due_at = Some(now);
        parts.deadline = later(now, deadline);
        parts.updated_at = now;
        parts.failures = 0;
        parts.lasting = Lasting::default();
        parts.uncommitted_claims = 0;
        parts.reason = Some(Reason::new(ReasonCode::Operator, message));
        Ok(Some(self.entry(now, message)))
    }

    /// Applies the decision about a step of a refetch. The state changes only if a verdict is learned
    /// that was not known before.
    pub(super) fn apply_refetch(
        &mut self,
        transition: &Transition,
        now: Timestamp,
    ) -> Ruled<IllegalTransitionError> {
        let verdict = match transition.next {
            Next::Step(NextStep { kind: kind @ (StepKind::Poll | StepKind::Collect), after }) => {
                return Ok(self.refetch_again(transition, kind, after, now));
            }
            Next::End(Outcome::Failed) => None,
            Next::End(outcome) => Some(outcome.state()),
            Next::Step(_) | Next::Held | Next::Delivery { .. } => {
                return Err(self.illegal(transition.state().unwrap_or(self.state)));
            }
        };
        if let Some(to) = verdict.filter(|to| *to != self.state) {
            self.enter(to, None, now)?;
        }
        self.count(transition);
        let fetched = || "fetched again".to_owned();
        let message = transition.reason.as_ref().map_or_else(fetched, |reason| reason.text.clone());
        self.end_refetch(transition.reason.clone(), verdict.is_some(), now);
        Ok(Some(self.entry(now, message)))
    }

    fn refetch_again(
        &mut self,
        transition: &Transition,
        kind: StepKind,
        after: Duration,
        now: Timestamp,
    ) -> Option<super::TimelineEntry> {
        self.count(transition);
        let code = |reason: &Option<Reason>| reason.as_ref().map(|reason| reason.code);
        let is_new = code(&self.reason) != code(&transition.reason);
        let parts = &mut self.0;
        parts.step = Some(kind);
        parts.due_at = Some(later(now, after));
        parts.leased_until = None;
        parts.updated_at = now;
        let reason = transition.reason.as_ref()?;
        parts.reason = Some(reason.clone());
        is_new.then(|| self.entry(now, reason.text.clone()))
    }

    /// Ends a refetch. The outcome is delivered if it brought something, or if it was still to be delivered.
    pub(super) fn end_refetch(&mut self, reason: Option<Reason>, has_news: bool, now: Timestamp) {
        self.0.reason = reason;
        self.0.updated_at = now;
        let last = self.webhook.as_ref().and_then(|webhook| webhook.deliveries.last());
        let is_delivered = last.is_some_and(|last| last.result == DeliveryResult::Delivered);
        self.finish(has_news || !is_delivered, now);
    }
}
