//! `OneCommit`: of one claim one commit counts, and only until the step is claimed again. Claims are
//! counted here; fencing tokens are not compared.

use std::collections::BTreeMap;

use ferry_store::Committed;

use crate::trace::{Event, Trace};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    // By submission, its newest claim, and if that has been committed.
    let mut newest = BTreeMap::new();
    for entry in trace.lasting() {
        match &entry.event {
            Event::Claimed { worker, of, lease, .. } => {
                newest.insert(*of, (*worker, *lease, false));
            }
            Event::Committed { worker, of, lease, outcome: Committed::Done(..), .. } => {
                let Some((owner, owned, is_committed)) = newest.get_mut(of) else {
                    return Err(format!("{entry}: the step was never claimed"));
                };
                if (*owner, *owned) != (*worker, *lease) {
                    return Err(format!("{entry}: worker {owner} has claimed it since: {owned:?}"));
                }
                if std::mem::replace(is_committed, true) {
                    return Err(format!("{entry}: the claim had been committed before"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}
