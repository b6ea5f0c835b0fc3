//! The page on which a dataset is submitted.

use askama::Template;

use super::frame::Frame;
use super::text::{Sentence, said};
use ferry_types::contract::{Problem, ValidateView};

/// Problems that are listed.
const MOST_PROBLEMS: usize = 200;

/// The fields of the form, as they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewFields {
    /// Dataset name.
    pub(crate) name: String,
    /// Account.
    pub(crate) account: String,
    /// The dataset as text.
    pub(crate) data: String,
    /// Its events as text.
    pub(crate) events: String,
    /// True if it may overwrite.
    pub(crate) overwrite: bool,
    /// Labels, each on a line.
    pub(crate) labels: String,
    /// Result keys, separated by commas.
    pub(crate) result_keys: String,
    /// Earliest time of the upload, in UTC.
    pub(crate) not_before: String,
    /// Time to give up at, in UTC.
    pub(crate) deadline: String,
    /// URL of the webhook.
    pub(crate) webhook_url: String,
    /// The idempotency key of this page.
    pub(crate) key: String,
    /// True if a file has to be chosen again.
    pub(crate) choose_again: bool,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "new.html")]
pub(crate) struct NewPage {
    frame: Frame,
    fields: NewFields,
    /// Accounts to choose from; any if empty.
    accounts: Vec<String>,
    is_valid: bool,
    refusal: Option<Sentence>,
    problems: Vec<String>,
    omitted: u64,
}

impl NewPage {
    /// The form, with the result of a check, or the reason for which it was not submitted.
    pub(crate) fn new(
        frame: Frame,
        accounts: Vec<String>,
        fields: NewFields,
        outcome: Option<Result<ValidateView, Box<Problem>>>,
    ) -> Self {
        let (is_valid, refusal, problems, omitted) = match outcome {
            None => (false, None, Vec::new(), 0),
            Some(Ok(view)) => {
                let detail = format!("the dataset has {} errors", view.error_count);
                let refusal = (!view.valid).then_some(detail);
                (view.valid, refusal, view.problems, view.omitted)
            }
            Some(Err(problem)) => (false, Some(problem.detail), problem.problems, problem.omitted),
        };
        let unlisted = problems.len().saturating_sub(MOST_PROBLEMS) as u64;
        Self {
            frame,
            fields,
            accounts,
            is_valid,
            refusal: refusal.as_deref().map(Sentence::from),
            problems: problems.iter().take(MOST_PROBLEMS).map(said).collect(),
            omitted: omitted + unlisted,
        }
    }
}
