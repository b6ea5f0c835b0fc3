//! `Keys`: of one idempotency key, one submission is accepted, and each response names it; other content is a
//! conflict.

use std::collections::BTreeMap;

use crate::trace::{Answer, Event, SubmissionNumber, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut known: BTreeMap<SubmissionNumber, usize> = BTreeMap::new();
    for entry in &trace.entries {
        let Event::Submitted { of, is_own, answer: Some(answer) } = &entry.event else { continue };
        let (Answer::New(attempt) | Answer::Duplicate(attempt) | Answer::Conflict(attempt)) =
            answer;
        let first = known.get(of).copied();
        known.entry(*of).or_insert(*attempt);
        if first.is_some_and(|first| first != *attempt) {
            return Err(format!("{entry}: it was accepted as another one before"));
        }
        let is_right = match answer {
            Answer::New(_) => first.is_none() && *is_own,
            Answer::Duplicate(_) => *is_own,
            Answer::Conflict(_) => !is_own,
        };
        if !is_right {
            return Err(format!("{entry}: its content says otherwise"));
        }
    }
    Ok(())
}
