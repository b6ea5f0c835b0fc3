//! Acts on many submissions: what would be done, and what was done.

use askama::Template;

use super::acts::{BULK, BulkChoice, bulk_choice};
use super::frame::Frame;
use super::list::Filters;
use super::text::{Moment, Sentence, number, visible};
use crate::words;
use ferry_types::contract::{BulkActionView, BulkUnchanged, OperatorAction};
use ferry_types::domain::{SubmissionId, Timestamp};

/// Submissions that are left as they are, for one reason.
#[derive(Debug)]
pub(crate) struct Unchanged {
    count: String,
    message: Sentence,
    examples: Vec<String>,
    has_others: bool,
}

impl Unchanged {
    fn new(group: &BulkUnchanged) -> Self {
        Self {
            count: words::counted(group.count, "submission"),
            message: group.message.as_str().into(),
            examples: group.examples.iter().map(ToString::to_string).collect(),
            has_others: group.count > group.examples.len() as u64,
        }
    }
}

/// The plan of an action.
#[derive(Debug)]
pub(crate) struct Plan {
    choice: BulkChoice,
    count: String,
    examples: Vec<String>,
    has_others: bool,
    unchanged: Vec<Unchanged>,
    has_more: bool,
    /// Text that the confirmation sends; none if there is nothing to do.
    at: Option<String>,
    /// The text that confirms it.
    typed: Option<String>,
}

/// The page of a plan; without one, the actions to choose from.
#[derive(Debug, Template)]
#[template(path = "bulk.html")]
pub(crate) struct BulkPlanPage {
    frame: Frame,
    filters: Filters,
    /// The ids that were chosen; all that match if none.
    chosen: Vec<String>,
    plan: Option<Plan>,
    choices: &'static [BulkChoice],
    /// The list of the submissions.
    list: String,
}

impl BulkPlanPage {
    /// The actions on these submissions.
    pub(crate) fn new(frame: Frame, filters: Filters, chosen: Vec<String>) -> Self {
        let list = filters.path("");
        Self { frame, filters, chosen, plan: None, choices: &BULK, list }
    }

    /// The plan of one of them.
    pub(crate) fn with_plan(
        self,
        action: OperatorAction,
        plan: &BulkActionView,
        at: String,
        typed: Option<String>,
    ) -> Self {
        let does_something = plan.changed > 0 || plan.has_more;
        let plan = Plan {
            choice: bulk_choice(action),
            count: counted(plan.changed, plan.has_more),
            examples: plan.examples.iter().map(ToString::to_string).collect(),
            has_others: plan.changed > plan.examples.len() as u64,
            unchanged: plan.unchanged.iter().map(Unchanged::new).collect(),
            has_more: plan.has_more,
            at: plan.pinned.is_some().then_some(at).filter(|_| does_something),
            typed,
        };
        Self { plan: Some(plan), ..self }
    }
}

fn counted(count: u64, has_more: bool) -> String {
    let noun = if count == 1 { "submission" } else { "submissions" };
    format!("{}{} {noun}", if has_more { "at least " } else { "" }, number(count))
}

/// The action so far.
#[derive(Debug)]
pub(crate) struct BulkReceipt {
    /// The action.
    pub(crate) action: OperatorAction,
    /// Name of the key that acts.
    pub(crate) by: String,
    /// Number of submissions that the plan would change, and if it did not count all.
    pub(crate) planned: u64,
    /// See `planned`.
    pub(crate) has_more: bool,
    /// Number of submissions that were changed, and some of them.
    pub(crate) changed: u64,
    /// See `changed`.
    pub(crate) examples: Vec<SubmissionId>,
    /// Those that were left unchanged.
    pub(crate) unchanged: Vec<BulkUnchanged>,
    /// The requests of the first and of the last batch, and their times.
    pub(crate) batches: Option<[(String, Timestamp); 2]>,
    /// Text that the next batch sends; none if nothing is left.
    pub(crate) next: Option<String>,
    /// True if an operator stopped it.
    pub(crate) is_stopped: bool,
}

/// The page of a receipt.
#[derive(Debug, Template)]
#[template(path = "receipt.html")]
pub(crate) struct BulkReceiptPage {
    frame: Frame,
    choice: BulkChoice,
    by: String,
    planned: String,
    changed: String,
    examples: Vec<String>,
    has_others: bool,
    unchanged: Vec<Unchanged>,
    batches: Option<[(String, Moment); 2]>,
    next: Option<String>,
    is_stopped: bool,
}

impl BulkReceiptPage {
    /// The page.
    pub(crate) fn new(frame: Frame, receipt: BulkReceipt) -> Self {
        Self {
            frame,
            choice: bulk_choice(receipt.action),
            by: visible(&receipt.by),
            planned: counted(receipt.planned, receipt.has_more),
            changed: counted(receipt.changed, false),
            has_others: receipt.changed > receipt.examples.len() as u64,
            examples: receipt.examples.iter().map(ToString::to_string).collect(),
            unchanged: receipt.unchanged.iter().map(Unchanged::new).collect(),
            batches: receipt.batches.map(|batches| batches.map(|(id, at)| (id, at.into()))),
            next: receipt.next,
            is_stopped: receipt.is_stopped,
        }
    }
}
