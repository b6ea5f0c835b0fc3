//! The effect of a submission on the later ones of its account and name: an upload that may have arrived
//! concerns them too, until the Platform settles it.

use std::time::Duration;

use super::{State, StepKind, Submission};
use crate::closed_set;
use crate::domain::{SubmissionId, Timestamp};

/// Time for which an upload without a response may still arrive: the system of a process that has ended, and
/// proxies on the way, deliver what they have of its request.
pub const LATE_UPLOAD: Duration = Duration::from_secs(30);

/// An upload that may still arrive. Stores keep one for each name, until that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateUpload {
    /// The submission whose dataset it has.
    pub of: SubmissionId,
    /// Time until which it may arrive.
    pub until: Timestamp,
}

closed_set! {
    /// Effect of a change of a submission on the later ones of its account and name. Stores keep the mark
    /// of a name, which is the id of a submission, and return it with each claim of an upload.
    pub enum NameEffect: "effect" {
        /// It ended without a verdict, and its dataset may be at the Platform: it marks the name.
        Marks = "marks",
        /// The Platform accepted an upload, so that nothing unknown has the name: there is no mark.
        Settles = "settles",
        /// The Platform decided about its dataset: its own mark is removed, if the name has it.
        SettlesOwn = "settles_own",
    }
}

impl Submission {
    /// Effect of the change from `before` to this.
    pub fn effect_on_name(&self, before: &Self) -> Option<NameEffect> {
        let has_ended = self.state.is_final() && !before.state.is_final();
        if has_ended && self.may_have_left_a_dataset(before) {
            return Some(NameEffect::Marks);
        }
        if self.processing_token != before.processing_token {
            return Some(NameEffect::Settles);
        }
        let has_verdict = matches!(self.state, State::Collecting | State::Completed)
            || (self.state == State::Rejected && self.processing_token.is_some());
        (has_verdict && self.state != before.state).then_some(NameEffect::SettlesOwn)
    }

    /// True if, after the change from `before`, its upload may still arrive: see [`LATE_UPLOAD`].
    pub fn may_arrive_late(&self, before: &Self) -> bool {
        let has_ended = before.state == State::Uploading && self.state != State::Uploading;
        let is_declared = before.leased_until.is_none() && !before.upload_ambiguous;
        self.upload_ambiguous && (has_ended || is_declared)
    }

    /// Time until which its upload waits, because that of another submission of its name may still arrive,
    /// and would take effect after it. A further upload of the same dataset waits for nothing.
    pub fn waits_for_late(&self, late: Option<LateUpload>, now: Timestamp) -> Option<Timestamp> {
        let late = late.filter(|_| self.step == Some(StepKind::Upload))?;
        (late.of != self.id && late.until > now).then_some(late.until)
    }

    /// Its upload is due no earlier than that.
    pub fn postpone(&mut self, until: Timestamp) {
        self.0.due_at = self.due_at.map(|due| due.max(until));
    }

    /// True if it is final, and the Platform may have its dataset.
    pub fn is_maybe_at_platform(&self) -> bool {
        let may_have_arrived = self.upload_ambiguous || self.processing_token.is_some();
        match self.state {
            State::Completed => true,
            State::Failed | State::Cancelled => self.rejection.is_none() && may_have_arrived,
            _ => false,
        }
    }

    /// True if a request with its dataset may have arrived, and the Platform has said nothing of what
    /// became of it. An accepted upload that is abandoned counts: its outcome is unknown.
    fn may_have_left_a_dataset(&self, before: &Self) -> bool {
        let gave_up = matches!(self.state, State::Failed | State::Cancelled);
        let has_verdict = before.step == Some(StepKind::Collect) || self.rejection.is_some();
        gave_up && !has_verdict && (self.upload_ambiguous || self.processing_token.is_some())
    }
}
