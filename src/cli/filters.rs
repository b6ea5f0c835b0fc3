//! Filters of submissions, which listing and acting on all that match share.

use clap::Args;

use super::complete;
use super::values;
use ferry_store::Filter;
use ferry_store::selection::Selection;
use ferry_types::domain::submission::{State, WaitReason, WebhookState};
use ferry_types::domain::{SubmissionId, Timestamp};

/// The filters beside name and account.
#[derive(Debug, Args)]
pub(super) struct Filters {
    /// In this state; may be repeated.
    #[arg(long = "state", value_name = "STATE", add = complete::states())]
    states: Vec<State>,
    /// With this label; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    labels: Vec<(String, String)>,
    /// Accepted at this time or later.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_after: Option<Timestamp>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_before: Option<Timestamp>,
    /// With a webhook in this state: `failed`, `pending`, `delivered` or `gone`.
    #[arg(long, value_name = "STATE")]
    webhook: Option<WebhookState>,
    /// Waiting for this reason: `due_time`, `worker`, `paused`, `throttled`, `limit_reached`, `breaker_open`,
    /// `predecessor` or `resolution`.
    #[arg(long, value_name = "REASON")]
    waiting_for: Option<WaitReason>,
    /// Revisions of this submission.
    #[arg(long, value_name = "ID")]
    revision_of: Option<SubmissionId>,
}

impl Filters {
    /// True if there is any.
    pub(super) fn is_given(&self) -> bool {
        let is_timed = self.created_after.is_some() || self.created_before.is_some();
        let is_of_kind = !self.states.is_empty() || !self.labels.is_empty();
        let is_read = self.waiting_for.is_some() || self.revision_of.is_some();
        is_of_kind || is_timed || is_read || self.webhook.is_some()
    }

    /// The submissions of this name and these accounts that match.
    pub(super) fn into_selection(self, name: Option<String>, accounts: Vec<String>) -> Selection {
        let Self { states, labels, created_after, created_before, .. } = self;
        let labels = labels.into_iter().collect();
        let filter = Filter { states, name, accounts, labels, created_after, created_before };
        let Self { webhook, waiting_for, revision_of, .. } = self;
        Selection { filter, webhook, waiting_for, revision_of }
    }
}
