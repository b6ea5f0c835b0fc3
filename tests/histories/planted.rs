//! Planted errors: what a wrong worker or store would do. Invariants must find each of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ferry_store::{Claim, Commit, Lease};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{
    Next, Outcome, ReasonCode, StepKind, SubmissionParts, Transition,
};

/// An error that is planted between workers and store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The store does not compare the lease of a commit.
    LeaseNotCompared,
    /// A rescued upload is not ambiguous.
    AmbiguityForgotten,
    /// A refusal of an ambiguous upload is a rejection.
    RefusalRejects,
}

/// A planted error at work in one history.
#[derive(Debug, Default)]
pub(crate) struct Saboteur {
    planted: Option<Planted>,
    newest: Mutex<BTreeMap<(SubmissionId, StepKind), Lease>>,
}

impl Saboteur {
    pub(crate) fn new(planted: Option<Planted>) -> Self {
        Self { planted, newest: Mutex::default() }
    }

    /// Changes what the store yields.
    pub(crate) fn claimed(&self, claim: &mut Claim) {
        let key = (claim.lease.id, claim.kind);
        self.newest.lock().expect("no test has panicked").insert(key, claim.lease);
        let reason = claim.submission.reason.as_ref();
        let is_rescued = reason.is_some_and(|reason| reason.text.contains("worker was lost"));
        if self.planted == Some(Planted::AmbiguityForgotten) && is_rescued {
            let parts = claim.submission.clone().into_parts();
            claim.submission = SubmissionParts { upload_ambiguous: false, ..parts }.into();
        }
    }

    /// Changes what the store is given.
    pub(crate) fn committing(&self, commit: &mut Commit) {
        match self.planted {
            Some(Planted::LeaseNotCompared) => {
                let newest = self.newest.lock().expect("no test has panicked");
                let lease = newest.get(&(commit.lease.id, commit.lease.kind));
                commit.lease = lease.copied().unwrap_or(commit.lease);
            }
            Some(Planted::RefusalRejects) => {
                let reason = commit.transition.reason.as_ref().map(|reason| reason.code);
                if reason == Some(ReasonCode::AlreadyExists) {
                    let next = Next::End(Outcome::Rejected);
                    commit.transition = Transition { next, ..commit.transition.clone() };
                }
            }
            Some(Planted::AmbiguityForgotten) | None => {}
        }
    }
}
