//! The page on which datasets are submitted.

use askama::Template;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};

use super::frame::Frame;
use super::grid::{Grid, GridView, Marks};
use super::rows::{SeenRows, preview};
use super::text::{Sentence, said, visible};
use crate::words::counted;
use ferry_store::Payload;
use ferry_types::contract::{Problem, RowProblem, ValidateView};
use ferry_types::domain::dataset::{Bookmarks, Edits, Table};

/// Problems that are listed, and those of each of several files.
const MOST_PROBLEMS: usize = 200;
const MOST_OF_A_FILE: usize = 3;

/// Bytes of a dataset of which the first rows are shown.
const PREVIEWED: usize = 64 << 10;

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
    /// Name of the file from which the text is.
    pub(crate) file: String,
    /// `lf` if the text has no other line ends.
    pub(crate) line_ends: String,
    /// Fingerprint of the texts whose rows are shown.
    pub(crate) rows_of: String,
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
    /// The begin of the dataset.
    pub(crate) head: String,
}

impl NewFields {
    /// Has the page show the texts, if they have at most so many bytes.
    pub(crate) fn show(&mut self, payload: &Payload, most: usize) {
        self.choose_again = payload.bytes() > most as u64;
        head(&payload.data).clone_into(&mut self.head);
        let shown = |text: &str| if self.choose_again { String::new() } else { text.to_owned() };
        let events = payload.event_data.as_deref().unwrap_or_default();
        (self.data, self.events) = (shown(&payload.data), shown(events));
        let is_lf = ![&*payload.data, events].iter().any(|text| text.contains('\r'));
        if is_lf { "lf" } else { "" }.clone_into(&mut self.line_ends);
    }

    /// The fields that no one fills in.
    fn hidden(&self) -> [(&'static str, &str); 3] {
        [("file", &self.file), ("line_ends", &self.line_ends), ("rows_of", &self.rows_of)]
    }
}

/// The lines at the begin of a text that are enough for a preview.
fn head(text: &str) -> &str {
    if text.len() <= PREVIEWED {
        return text;
    }
    let begin = &text[..text.floor_char_boundary(PREVIEWED)];
    begin.rfind('\n').map_or(begin, |end| &begin[..=end])
}

/// Short text that differs for other texts; line ends do not count, for browsers change them.
pub(crate) fn fingerprint(payload: &Payload) -> String {
    let mut context = Context::new(&SHA256);
    for text in [&*payload.data, payload.event_data.as_deref().unwrap_or_default()] {
        for part in text.split('\r') {
            context.update(part.as_bytes());
        }
        context.update(&[0]);
    }
    HEXLOWER.encode(&context.finish().as_ref()[..8])
}

/// Result of one of several files.
#[derive(Debug)]
pub(crate) struct Verdict {
    file: String,
    /// Its errors; none if it is valid.
    errors: Vec<Sentence>,
}

impl Verdict {
    /// The result of a file.
    pub(crate) fn new(file: &str, problem: Option<Box<Problem>>) -> Self {
        let mut errors: Vec<Sentence> = Vec::new();
        if let Some(problem) = problem {
            errors.extend(problem.problems.iter().take(MOST_OF_A_FILE).map(said));
            let unlisted = problem.problems.len().saturating_sub(MOST_OF_A_FILE) as u64;
            match problem.omitted + unlisted {
                _ if errors.is_empty() => errors.push(problem.detail.as_str().into()),
                0 => {}
                more => errors.push(format!("{} more", counted(more, "error")).as_str().into()),
            }
        }
        Self { file: visible(file), errors }
    }

    /// True if the file has no error.
    pub(crate) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
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
    error: Option<Sentence>,
    problems: Vec<Sentence>,
    omitted: u64,
    verdicts: Vec<Verdict>,
    /// The first rows of a dataset without errors.
    preview: Option<SeenRows>,
    /// The rows with errors, of one of the texts.
    rows: Option<(Table, Grid)>,
}

impl NewPage {
    /// The form, with the result of a check, or the reason for which it was not submitted.
    pub(crate) fn new(
        frame: Frame,
        accounts: Vec<String>,
        mut fields: NewFields,
        outcome: Option<Result<ValidateView, Box<Problem>>>,
    ) -> Self {
        let (is_valid, error, problems, omitted) = match outcome {
            None => (false, None, Vec::new(), 0),
            Some(Ok(view)) => {
                let detail = format!("the dataset has {}", counted(view.error_count, "error"));
                let error = (!view.valid).then_some(detail);
                (view.valid, error, view.problems, view.omitted)
            }
            Some(Err(problem)) => (false, Some(problem.detail), problem.problems, problem.omitted),
        };
        let unlisted = problems.len().saturating_sub(MOST_PROBLEMS) as u64;
        let rows = if fields.choose_again { None } else { rows(&mut fields, &problems) };
        Self {
            frame,
            preview: is_valid.then(|| preview(&fields.head)).flatten(),
            fields,
            accounts,
            is_valid,
            error: error.as_deref().map(Sentence::from),
            problems: problems.iter().take(MOST_PROBLEMS).map(said).collect(),
            omitted: omitted + unlisted,
            verdicts: Vec::new(),
            rows,
        }
    }

    /// The page with the results of several files.
    pub(crate) fn with_verdicts(self, verdicts: Vec<Verdict>) -> Self {
        let invalid = verdicts.iter().filter(|one| !one.is_valid()).count() as u64;
        let (of, verb) = (verdicts.len(), if invalid == 1 { "has" } else { "have" });
        let error = format!("{invalid} of {of} files {verb} errors, and all go together");
        let error = (invalid > 0).then(|| error.as_str().into());
        Self { is_valid: invalid == 0, error, verdicts, ..self }
    }
}

/// The rows with errors of the first text that has some.
fn rows(fields: &mut NewFields, problems: &[RowProblem]) -> Option<(Table, Grid)> {
    let table = problems.iter().find(|problem| problem.row.is_some())?.table;
    let event_data = Some(fields.events.clone()).filter(|text| !text.is_empty());
    let payload = Payload { data: fields.data.clone(), event_data };
    let mut marks = Marks::default();
    marks.add_problems(problems, table, Some);
    fields.rows_of = fingerprint(&payload);
    let shown = GridView { table, from: 1, all: false };
    let texts = (&payload, &Edits::default());
    Some((table, Grid::new(texts, shown, &marks, &mut Bookmarks::default())))
}
