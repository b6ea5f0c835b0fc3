//! The order in which the store accepted submissions, for invariants about names.

use std::collections::BTreeMap;

use crate::trace::{Event, SubmissionNumber, Trace};

/// Places of the submissions in the order of acceptance.
#[derive(Debug)]
pub(super) struct Acceptance(BTreeMap<SubmissionNumber, usize>);

impl Acceptance {
    pub(super) fn of(trace: &Trace) -> Self {
        let accepted = trace.entries.iter().filter_map(|entry| match &entry.event {
            Event::Accepted(of) => Some(*of),
            _ => None,
        });
        Self(accepted.enumerate().map(|(place, of)| (of, place)).collect())
    }

    /// True if `first` was accepted before `second`.
    pub(super) fn is_earlier(&self, first: SubmissionNumber, second: SubmissionNumber) -> bool {
        self.0.get(&first) < self.0.get(&second)
    }

    /// The submissions of the same account and name that were accepted before `of`.
    pub(super) fn earlier_of_name<'a>(
        &'a self,
        trace: &'a Trace,
        of: SubmissionNumber,
    ) -> impl Iterator<Item = SubmissionNumber> + 'a {
        let all = self.0.keys().copied();
        all.filter(move |other| self.is_earlier(*other, of) && trace.name(*other) == trace.name(of))
    }
}
