//! Claims whose responses were lost: the next claim names them, so that the steps that they leased do
//! not wait for the end of a lease, and no upload counts as ambiguous that did not begin.

use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::claim_id::{ClaimId, ClaimIds};
use ferry_types::domain::submission::StepKind;

/// Claims that name a lost one: the server may still have been about to run it when the first of
/// them came.
const TRIES: u32 = 3;

/// Lost claims of one kind that are remembered. One claimer makes one claim at a time, so that more of
/// them are of an outage, in which few were run.
const MOST: usize = 16;

/// The claims of one process.
#[derive(Debug)]
pub(super) struct UnacknowledgedClaims {
    ids: ClaimIds,
    lost: Mutex<Vec<UnacknowledgedClaim>>,
}

#[derive(Debug)]
struct UnacknowledgedClaim {
    kind: StepKind,
    id: ClaimId,
    tries: u32,
    /// End of the leases that it may have made: from then on they are rescued.
    until: Option<Instant>,
}

impl UnacknowledgedClaims {
    pub(super) fn new() -> Self {
        Self { ids: ClaimIds::random(), lost: Mutex::default() }
    }

    /// Returns the id of a new claim, and the lost claims that it is to name.
    pub(super) fn begin(&self, kind: StepKind) -> (ClaimId, Vec<ClaimId>) {
        let mut lost = self.lock();
        let now = Instant::now();
        lost.retain(|claim| claim.until.is_none_or(|until| until > now));
        let lost = lost.iter().filter(|claim| claim.kind == kind).map(|claim| claim.id);
        (self.ids.next(), lost.collect())
    }

    /// Remembers a claim whose response was lost, for as long as its leases can last.
    pub(super) fn lose(&self, kind: StepKind, id: ClaimId, lease: Duration) {
        let mut lost = self.lock();
        let of_kind = lost.iter().filter(|claim| claim.kind == kind).count();
        if of_kind >= MOST
            && let Some(oldest) = lost.iter().position(|claim| claim.kind == kind)
        {
            lost.remove(oldest);
        }
        let until = Instant::now().checked_add(lease);
        lost.push(UnacknowledgedClaim { kind, id, tries: 0, until });
    }

    /// Notes the response to a claim that named lost ones; `is_full` if it has as many steps as it
    /// wanted, so that more may be left.
    pub(super) fn acknowledged(&self, named: &[ClaimId], is_full: bool) {
        if named.is_empty() {
            return;
        }
        let mut lost = self.lock();
        for claim in lost.iter_mut().filter(|claim| !is_full && named.contains(&claim.id)) {
            claim.tries += 1;
        }
        lost.retain(|claim| claim.tries < TRIES);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<UnacknowledgedClaim>> {
        // Every critical section leaves a whole list.
        self.lost.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_makes_no_long_list_and_leases_that_ended_leave_it() {
        let claims = UnacknowledgedClaims::new();
        for _ in 0..1000 {
            let (id, _) = claims.begin(StepKind::Upload);
            claims.lose(StepKind::Upload, id, Duration::from_hours(1));
            let (id, _) = claims.begin(StepKind::Poll);
            claims.lose(StepKind::Poll, id, Duration::ZERO);
        }
        let (newest, lost) = claims.begin(StepKind::Upload);
        assert_eq!(lost.len(), MOST);
        assert!(!lost.contains(&newest));
        assert_eq!(claims.begin(StepKind::Poll).1, []);
    }
}
