//! The rule after a restored backup, or a failover that went back.

use super::{LifecycleError, Ruled, State, StepKind, Submission};
use crate::domain::Timestamp;

impl Submission {
    /// Declares its upload ambiguous: the store has forgotten what happened since, and the Platform may
    /// have the dataset. A submission that is final stays as it is, unless a retry would upload it.
    pub fn declare_ambiguous(&mut self, now: Timestamp) -> Ruled<LifecycleError> {
        let may_upload = match self.state {
            State::Failed => self.resume_step() == StepKind::Upload,
            state => !state.is_final(),
        };
        if !may_upload || self.upload_ambiguous {
            return Ok(None);
        }
        self.0.upload_ambiguous = true;
        Ok(Some(self.entry(now, "declared ambiguous: the store may have forgotten an upload")))
    }
}
