//! Claims whose answers got lost: the steps that they leased are asked for with the next claim, so
//! that no step waits for the end of a lease, and no upload is in doubt that was not begun.

use std::sync::{Mutex, PoisonError};

use crate::claim_id::{ClaimId, ClaimIds};
use ferry_types::domain::submission::StepKind;

/// So many claims ask for what an earlier one leased: the server may still have been to carry that
/// out when the first of them came.
const TRIES: u32 = 3;

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
}

impl UnacknowledgedClaims {
    pub(super) fn new() -> Self {
        Self { ids: ClaimIds::random(), lost: Mutex::default() }
    }

    /// A new claim, and those whose answers got lost.
    pub(super) fn begin(&self, kind: StepKind) -> (ClaimId, Vec<ClaimId>) {
        let lost = self.lock();
        let lost = lost.iter().filter(|claim| claim.kind == kind).map(|claim| claim.id);
        (self.ids.next(), lost.collect())
    }

    /// The answer to a claim got lost.
    pub(super) fn lose(&self, kind: StepKind, id: ClaimId) {
        self.lock().push(UnacknowledgedClaim { kind, id, tries: 0 });
    }

    /// A claim that asked for lost ones was answered, with as many steps as it wanted or not.
    pub(super) fn heard(&self, asked_for: &[ClaimId], full: bool) {
        if asked_for.is_empty() {
            return;
        }
        let mut lost = self.lock();
        for claim in lost.iter_mut().filter(|claim| !full && asked_for.contains(&claim.id)) {
            claim.tries += 1;
        }
        lost.retain(|claim| claim.tries < TRIES);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<UnacknowledgedClaim>> {
        // Every critical section leaves a whole list.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
