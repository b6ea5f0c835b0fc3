//! `Poison`: a step that was claimed five times in a row without a commit is claimed no more, unless an
//! operator decides so. What comes after the end is counted from zero.

use std::collections::BTreeMap;

use ferry_store::Committed;
use ferry_types::domain::submission::{OperatorAction, State};

use crate::trace::{Event, SubmissionNumber, Trace};

const MOST: u32 = 5;

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut claims: BTreeMap<SubmissionNumber, u32> = BTreeMap::new();
    for entry in trace.lasting() {
        match &entry.event {
            Event::Claimed { of, .. } => {
                let claims = claims.entry(*of).or_default();
                *claims += 1;
                if *claims > MOST {
                    return Err(format!("{entry}: its {claims}th claim without a commit"));
                }
            }
            Event::Released { of, .. } => {
                let claims = claims.entry(*of).or_default();
                *claims = claims.saturating_sub(1);
            }
            Event::Committed { of, outcome: Committed::Done(..), .. }
            | Event::Changed { of, state: State::Failed | State::Cancelled, .. }
            | Event::Operated(
                of,
                OperatorAction::Retry
                | OperatorAction::ResolveOverwrite
                | OperatorAction::ResolveRetry
                | OperatorAction::ResolveFail
                | OperatorAction::Refetch
                | OperatorAction::Redeliver,
            ) => {
                claims.remove(of);
            }
            _ => {}
        }
    }
    Ok(())
}
