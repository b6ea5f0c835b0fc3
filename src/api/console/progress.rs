//! A bulk action on its way: its request, and what was done so far. It is signed, and stands in the address
//! of its page, so that no server has to remember it.

use std::cmp::min;

use serde::{Deserialize, Serialize};

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::session::SessionSecret;
use ferry_types::contract::{BulkActionRequest, BulkActionView, BulkUnchanged, ProblemKind};
use ferry_types::domain::{SubmissionId, Timestamp};

/// Separates it from other signed values.
const PURPOSE: &str = "bulk";

/// Submissions named as examples.
const EXAMPLES: usize = 3;

/// Above this number, the number itself confirms.
const MANY: u64 = 100;

/// A bulk action that was planned, or of which batches were done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::api) struct Progress {
    /// Name of the key that planned it.
    by: String,
    /// The request of the next batch; without a position nothing is left.
    pub(in crate::api) request: BulkActionRequest,
    /// Number of submissions that the plan would change.
    pub(in crate::api) planned: u64,
    /// True if the plan did not count all that match.
    pub(in crate::api) has_more: bool,
    /// Number of submissions that were changed, and some of them.
    pub(in crate::api) changed: u64,
    pub(in crate::api) examples: Vec<SubmissionId>,
    /// Those that were left unchanged, by reason.
    pub(in crate::api) unchanged: Vec<BulkUnchanged>,
    /// The requests of the first and of the last batch, and their times.
    pub(in crate::api) batches: Option<[(String, Timestamp); 2]>,
}

impl Progress {
    /// A plan that was just made, of which nothing was done.
    pub(in crate::api) fn planned(
        caller: &Caller,
        request: BulkActionRequest,
        plan: &BulkActionView,
    ) -> Self {
        Self {
            by: caller.name.clone(),
            request: BulkActionRequest { pinned: plan.pinned.clone(), ..request },
            planned: plan.changed,
            has_more: plan.has_more,
            changed: 0,
            examples: Vec::new(),
            unchanged: Vec::new(),
            batches: None,
        }
    }

    /// The action that `text` is, if the caller planned it.
    pub(in crate::api) fn read(
        text: &str,
        secret: &SessionSecret,
        caller: &Caller,
    ) -> Result<Self, ApiError> {
        let read: Option<Self> = secret.verified(PURPOSE, text);
        read.filter(|progress| progress.by == caller.name).ok_or_else(|| {
            let what = "this plan is of another key, or of a server with another `session_secret`: \
                        begin with a dry run";
            ApiError::new(ProblemKind::StateConflict, what)
        })
    }

    /// The text that [`Self::read`] reads.
    pub(in crate::api) fn signed(&self, secret: &SessionSecret) -> String {
        secret.signed(PURPOSE, self)
    }

    /// The address of its page.
    pub(in crate::api) fn path(&self, secret: &SessionSecret) -> String {
        format!("/console/bulk?at={}", self.signed(secret))
    }

    /// The text that confirms it, if a click is not enough.
    pub(in crate::api) fn typed(&self) -> Option<String> {
        (self.batches.is_none() && self.planned > MANY).then(|| self.planned.to_string())
    }

    /// Adds what a batch did.
    pub(in crate::api) fn add(&mut self, batch: BulkActionView, request: String, now: Timestamp) {
        self.changed += batch.changed;
        self.examples.extend(batch.examples);
        self.examples.truncate(EXAMPLES);
        for more in batch.unchanged {
            match self.unchanged.iter_mut().find(|known| known.code == more.code) {
                Some(known) => {
                    known.count += more.count;
                    let room =
                        min(EXAMPLES.saturating_sub(known.examples.len()), more.examples.len());
                    known.examples.extend(&more.examples[..room]);
                }
                None => self.unchanged.push(more),
            }
        }
        let last = (request, now);
        let first = self.batches.take().map_or_else(|| last.clone(), |[first, _]| first);
        self.batches = Some([first, last]);
        self.request.pinned = batch.pinned;
        if self.request.pinned.is_none() {
            self.request.ids.clear();
        }
    }
}
