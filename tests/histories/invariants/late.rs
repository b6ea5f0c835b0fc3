//! Uploads that may still arrive, as a trace has them, for invariants about them.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_types::domain::submission::{LATE_UPLOAD, State};

use crate::trace::{AccountNumber, Entry, Event, SubmissionNumber, Trace};

/// By account and name, the submission whose upload had no response, and until when it may arrive, while a
/// trace is read.
#[derive(Debug, Default)]
pub(super) struct Late {
    states: BTreeMap<SubmissionNumber, State>,
    uploads: BTreeMap<(AccountNumber, String), (SubmissionNumber, Duration)>,
}

impl Late {
    /// Reads the next entry.
    pub(super) fn read(&mut self, trace: &Trace, entry: &Entry) {
        let Event::Changed { of, state, ambiguous, .. } = &entry.event else { return };
        let before = self.states.insert(*of, *state);
        if *ambiguous && before == Some(State::Uploading) && *state != State::Uploading {
            let (account, name) = trace.name(*of);
            let until = entry.at + LATE_UPLOAD;
            self.uploads.insert((account, name.to_owned()), (*of, until));
        }
    }

    /// Time until which an upload of another submission of the name may arrive, if one still may.
    pub(super) fn of_another(
        &self,
        trace: &Trace,
        of: SubmissionNumber,
        at: Duration,
    ) -> Option<Duration> {
        let (account, name) = trace.name(of);
        let (other, until) = self.uploads.get(&(account, name.to_owned()))?;
        (*other != of && *until > at).then_some(*until)
    }
}
