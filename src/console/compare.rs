//! The page on which two submissions of a dataset are compared.

use askama::Template;

use super::frame::Frame;
use super::text::{Mark, Sentence, visible};
use crate::words::{self, counted};
use ferry_types::contract::SubmissionView;
use ferry_types::domain::Timestamp;
use ferry_types::domain::dataset::{Difference, RowDifference};

/// Two submissions, and how their datasets differ.
#[derive(Debug)]
pub(crate) struct Compared {
    /// The earlier one.
    pub(crate) before: SubmissionView,
    /// The later one.
    pub(crate) after: SubmissionView,
    /// The differences.
    pub(crate) difference: Difference,
}

/// A cell that differs.
#[derive(Debug)]
pub(super) struct Line {
    /// Its column.
    pub(super) column: String,
    /// Its text in the earlier dataset.
    pub(super) before: Option<String>,
    /// Its text in the later one.
    pub(super) after: Option<String>,
}

/// A row that differs.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number, before and after.
    pub(super) title: String,
    /// Its cells that differ.
    pub(super) cells: Vec<Line>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "compare.html")]
pub(crate) struct ComparePage {
    frame: Frame,
    name: String,
    other_name: String,
    before: (String, Mark),
    after: (String, Mark),
    remark: Sentence,
    summary: String,
    rows: Vec<Row>,
    next: Option<u64>,
    is_continued: bool,
}

impl ComparePage {
    /// The page of a comparison.
    pub(crate) fn new(frame: Frame, compared: &Compared, now: Timestamp) -> Self {
        let Compared { before, after, difference } = compared;
        let listed = difference.rows.len() as u64;
        Self {
            frame,
            name: visible(&after.name),
            other_name: if before.name == after.name {
                String::new()
            } else {
                visible(&before.name)
            },
            before: (before.id.to_string(), before.state.into()),
            after: (after.id.to_string(), after.state.into()),
            remark: words::remark(after, now).as_str().into(),
            summary: summary(difference),
            rows: difference.rows.iter().map(row).collect(),
            next: difference.has_more.then_some(difference.skipped + listed),
            is_continued: difference.skipped > 0,
        }
    }
}

/// The numbers of what differs.
pub(super) fn summary(difference: &Difference) -> String {
    if difference.is_empty() {
        return "The datasets have the same cells.".to_owned();
    }
    let cells = counted(difference.changed_cells, "cell");
    let rows = counted(difference.changed_rows, "row");
    let mut parts = vec![format!("{cells} in {rows} changed")];
    for (count, what) in
        [(difference.deleted_rows, "deleted"), (difference.inserted_rows, "inserted")]
    {
        if count > 0 {
            parts.push(format!("{} {what}", counted(count, "row")));
        }
    }
    format!("{}.", parts.join(", "))
}

/// A row of the table of changes.
pub(super) fn row(found: &RowDifference) -> Row {
    let of = if found.table.as_str() == "data" { "" } else { "event " };
    let title = match (found.before, found.after) {
        (Some(before), Some(after)) if before == after => format!("{of}row {before}"),
        (Some(before), Some(after)) => format!("{of}row {before}, now {after}"),
        (Some(before), None) => format!("{of}row {before}, deleted"),
        (None, Some(after)) => format!("new {of}row {after}"),
        (None, None) => String::new(),
    };
    let cell = |cell: &ferry_types::domain::dataset::CellDifference| Line {
        column: cell.column.clone().unwrap_or_else(|| format!("cell {}", cell.cell + 1)),
        before: cell.before.as_deref().map(visible),
        after: cell.after.as_deref().map(visible),
    };
    Row { title, cells: found.cells.iter().map(cell).collect() }
}
