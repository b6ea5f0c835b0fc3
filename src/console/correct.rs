//! The page on which a rejected dataset is corrected: its feedback by cause, and its rows as a grid. Every
//! field has a name that says which cell it is, so that a form without script has all that is edited.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use parking_lot::Mutex;

use super::compare::{self, Row};
use super::feedback::{Cause, by_cause, shorten};
use super::frame::Frame;
use super::grid::{Grid, GridView, Marks};
use super::text::{Sentence, number, said, visible};
use crate::to_json::to_json;
use crate::words::counted;
use ferry_store::Payload;
use ferry_types::contract::{CorrectView, Problem, ProblemKind, RowProblem, SubmissionView};
use ferry_types::domain::dataset::{Bookmarks, Edits, Table, has_header};
use ferry_types::domain::feedback::FeedbackItem;

/// Problems of a check that are listed.
const MOST_PROBLEMS: usize = 100;

/// A submission that is corrected, as far as that got.
#[derive(Debug)]
pub(crate) struct Correcting<'a> {
    /// The submission.
    pub(crate) view: &'a SubmissionView,
    /// Its dataset.
    pub(crate) payload: &'a Payload,
    /// Its feedback.
    pub(crate) items: &'a [FeedbackItem],
    /// The edits.
    pub(crate) edits: &'a Edits,
    /// Columns of a corrected copy that the dataset does not have.
    pub(crate) left_out: &'a [String],
    /// The newest submission of the name that the page knows.
    pub(crate) base: String,
    /// The rows to show.
    pub(crate) shown: GridView,
    /// The bookmarks of the text that they are of.
    pub(crate) bookmarks: &'a Mutex<Bookmarks>,
    /// The result of the last check.
    pub(crate) outcome: CorrectionCheck,
}

/// The result of a check, or of an attempt to submit.
#[derive(Debug)]
pub(crate) enum CorrectionCheck {
    /// Nothing was checked.
    None,
    /// Nothing is wrong.
    Ready(Box<CorrectView>),
    /// Something is wrong.
    Invalid(Box<Problem>),
}

/// A cause, and the field that corrects all cells of it.
#[derive(Debug)]
struct CauseForm {
    cause: Cause,
    cells: String,
    edited: u64,
    can_replace: bool,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "correct.html")]
pub(crate) struct CorrectPage {
    frame: Frame,
    id: String,
    name: String,
    base: String,
    /// The edits as JSON, which the form sends along.
    edits: String,
    /// The same if they were checked and nothing is wrong.
    checked: bool,
    is_edited: bool,
    newer: Option<String>,
    /// The changes of the newer one: their numbers, and some of the rows.
    difference: Option<(String, Vec<Row>)>,
    error: Option<Sentence>,
    problems: Vec<Sentence>,
    omitted: String,
    warnings: Vec<Sentence>,
    changes: String,
    left_out: String,
    messages: Vec<String>,
    causes: Vec<CauseForm>,
    omitted_causes: String,
    tables: Vec<(Table, bool)>,
    /// The texts with the feedback as a last column, by the words of their links.
    with_feedback: Vec<(&'static str, String)>,
    shown: GridView,
    grid: Grid,
}

impl CorrectPage {
    /// The page of a submission that is corrected.
    pub(crate) fn new(frame: Frame, one: &Correcting<'_>) -> Self {
        let mut causes = by_cause(one.items);
        let is_placed = |cause: &Cause| !one.items[cause.items[0]].locations.is_empty();
        let messages = causes.iter().filter(|cause| !is_placed(cause)).map(message).collect();
        causes.retain(is_placed);
        let omitted_causes = shorten(&mut causes);
        let (problems, found, omitted) = match &one.outcome {
            CorrectionCheck::Invalid(problem) => {
                (&*problem.problems, Some(problem), problem.omitted)
            }
            _ => (&[][..], None, 0),
        };
        let listed = problems.iter().take(MOST_PROBLEMS).map(said).collect();
        let omitted = omitted + problems.len().saturating_sub(MOST_PROBLEMS) as u64;
        let checked = match &one.outcome {
            CorrectionCheck::Ready(view) => Some(&**view),
            _ => None,
        };
        let has_events = one.payload.event_data.is_some();
        let tables = Table::ALL.into_iter().filter(|table| has_events || *table == Table::Data);
        let marks = marks(one, problems);
        let with_feedback = with_feedback(one);
        Self {
            frame,
            id: one.view.id.to_string(),
            name: visible(&one.view.name),
            base: one.base.clone(),
            edits: to_json(&one.edits.list()),
            checked: checked.is_some(),
            is_edited: Table::ALL.iter().any(|table| !one.edits.of_text(*table).is_empty()),
            newer: found.and_then(|problem| problem.submission).map(|id| id.to_string()),
            difference: found.and_then(|problem| problem.difference.as_deref()).map(|found| {
                (compare::summary(found), found.rows.iter().map(compare::row).collect())
            }),
            error: found.map(|problem| why(problem)),
            problems: listed,
            omitted: some_number(omitted),
            warnings: checked
                .map(|view| view.warnings.iter().map(said).collect())
                .unwrap_or_default(),
            changes: checked.map(changes).unwrap_or_default(),
            left_out: one.left_out.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", "),
            messages,
            causes: causes.into_iter().map(|cause| form(one, cause)).collect(),
            omitted_causes: some_number(omitted_causes as u64),
            tables: tables.map(|table| (table, table == one.shown.table)).collect(),
            with_feedback,
            shown: one.shown,
            grid: {
                let bookmarks = &mut one.bookmarks.lock();
                Grid::new((one.payload, one.edits), one.shown, &marks, bookmarks)
            },
        }
    }
}

/// The sentence about a problem; that of the API about a newer submission is for programs.
fn why(problem: &Problem) -> Sentence {
    match problem.submission.filter(|_| problem.kind() == Some(ProblemKind::StateConflict)) {
        Some(newer) => format!("{newer} of the same name came first: this page did not know it")
            .as_str()
            .into(),
        None => problem.detail.as_str().into(),
    }
}

/// The texts that have a header, and rows with feedback.
fn with_feedback(one: &Correcting<'_>) -> Vec<(&'static str, String)> {
    let events = one.payload.event_data.as_deref();
    let texts = [
        (Table::Data, Some(&*one.payload.data), "The dataset with its feedback", "data"),
        (Table::Events, events, "The events with their feedback", "event-data"),
    ];
    let is_meant = |table| {
        let mut locations = one.items.iter().flat_map(|item| &item.locations);
        locations.any(|location| location.table == table)
    };
    let link = |(table, text, words, form): (Table, Option<&str>, &'static str, &str)| {
        let is_there = is_meant(table) && text.is_some_and(|text| has_header(table, text));
        let path = format!("/console/submissions/{}/feedback?as={form}", one.view.id);
        is_there.then_some((words, path))
    };
    texts.into_iter().filter_map(link).collect()
}

/// The edits that replace all cells of causes, by the key of each cause.
pub(crate) fn replace(
    edits: &mut Edits,
    items: &[FeedbackItem],
    replacements: &BTreeMap<String, String>,
) {
    for cause in by_cause(items) {
        let Some(value) = replacements.get(&cause.key) else { continue };
        for (table, row, cell) in cells(items, &cause) {
            edits.row(table, row).cells.insert(cell, value.clone());
        }
    }
}

/// The changes of a revision, in words.
pub(crate) fn changes(view: &CorrectView) -> String {
    let mut parts = vec![format!(
        "{} in {} {}",
        counted(view.changed_cells, "cell"),
        counted(view.changed_rows, "row"),
        if view.changed_cells == 1 { "changes" } else { "change" }
    )];
    if view.deleted_rows > 0 {
        parts.push(format!("{} deleted", counted(view.deleted_rows, "row")));
    }
    if view.inserted_rows > 0 {
        parts.push(format!("{} inserted", counted(view.inserted_rows, "row")));
    }
    parts.join(", ")
}

fn cells(items: &[FeedbackItem], cause: &Cause) -> BTreeSet<(Table, u64, usize)> {
    let locations = cause.items.iter().flat_map(|item| &items[*item].locations);
    locations
        .flat_map(|found| found.matching_cells.iter().map(|c| (found.table, found.row, c.cell)))
        .collect()
}

fn form(one: &Correcting<'_>, cause: Cause) -> CauseForm {
    let cells = cells(one.items, &cause);
    let is_edited = |(table, row, cell): &&(Table, u64, usize)| {
        let edits = one.edits.of_text(*table).get(*row);
        edits.is_some_and(|edits| edits.is_deleted || edits.cells.contains_key(cell))
    };
    let edited = cells.iter().filter(is_edited).count() as u64;
    let count = counted(cells.len() as u64, "cell");
    CauseForm { can_replace: !cells.is_empty(), cells: count, edited, cause }
}

fn message(cause: &Cause) -> String {
    let times =
        if cause.count > 1 { format!("{} × ", number(cause.count)) } else { String::new() };
    let value = cause.value.as_ref().map(|value| format!("{value}: ")).unwrap_or_default();
    let rows =
        if cause.rows.iter().any(|row| row != "no row") { &*cause.rows.join(", ") } else { "" };
    let rows = if rows.is_empty() { String::new() } else { format!(" ({rows})") };
    format!("{times}{value}{}{rows}", cause.message)
}

/// The messages about each cell: of the Platform, and of the check.
fn marks(one: &Correcting<'_>, problems: &[RowProblem]) -> Marks {
    let table = one.shown.table;
    let mut marks = Marks::of_feedback(one.items, table);
    marks.add_problems(problems, table, |row| original(one.edits, table, row));
    marks
}

/// The row of the original that is this row of the edited text; none if it was inserted.
fn original(edits: &Edits, table: Table, row: u64) -> Option<u64> {
    // `row` is the edited row of `at + 1` plus what was inserted before it, less what was deleted.
    let (mut at, mut left) = (0, row);
    for (number, edits) in edits.of_text(table).rows() {
        let between = number.saturating_sub(at + 1);
        if left <= between {
            return Some(at + left);
        }
        left -= between;
        at = number;
        if number > 0 && !edits.is_deleted {
            if left == 1 {
                return Some(number);
            }
            left -= 1;
        }
        let inserted = edits.inserted.len() as u64;
        if left <= inserted {
            return None;
        }
        left -= inserted;
    }
    Some(at + left)
}

fn some_number(count: u64) -> String {
    if count == 0 { String::new() } else { number(count) }
}

/// Takes the text of a cell as an edit, unless it is the original one.
pub(crate) fn set_cell(
    edits: &mut Edits,
    (table, row, cell): (Table, u64, usize),
    (original, value): (Option<&str>, &str),
) {
    let cells = &mut edits.row(table, row).cells;
    if original == Some(value) {
        cells.remove(&cell);
    } else {
        cells.insert(cell, value.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::dataset::Edit;

    #[test]
    fn a_row_of_the_edited_text_is_found_in_the_original() {
        let table = Table::Data;
        let insert = |after| Edit::Insert { table, after, cells: vec!["x".to_owned()] };
        let list = vec![
            insert(0),
            Edit::Delete { table, row: 3 },
            insert(3),
            insert(5),
            Edit::Set { table, row: 4, cell: 0, value: "y".to_owned() },
        ];
        let edits = Edits::of(list).unwrap();
        let found: Vec<Option<u64>> = (1..=8).map(|row| original(&edits, table, row)).collect();
        // Edited: new, 1, 2, new, 4, 5, new, 6.
        assert_eq!(found, [None, Some(1), Some(2), None, Some(4), Some(5), None, Some(6)]);
    }
}
