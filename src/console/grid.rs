//! The rows of a dataset as fields of a form.

use std::collections::{BTreeMap, BTreeSet};

use super::text::visible;
use crate::words::counted;
use ferry_store::Payload;
use ferry_types::contract::RowProblem;
use ferry_types::domain::dataset::{Bookmarks, Edits, RowEdits, ShownRow, Table, marked_window};
use ferry_types::domain::feedback::FeedbackItem;

/// Rows of a window: of all rows, and of those with messages.
const ROWS: usize = 200;
const ROWS_WITH_MESSAGES: usize = 100;

/// Messages that a cell shows.
const MOST_MESSAGES: usize = 3;

/// Messages about the cells of a text, by row and cell.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<u64, BTreeMap<usize, Vec<String>>>);

/// The rows that the page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GridView {
    /// The CSV text.
    pub(crate) table: Table,
    /// The first row.
    pub(crate) from: u64,
    /// True to show all rows, and not only those with feedback or problems.
    pub(crate) all: bool,
}

/// A window of rows.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<GridRow>,
    /// The first rows of the windows before and behind it.
    pub(super) previous: Option<u64>,
    pub(super) next: Option<u64>,
}

/// A row, or one that was inserted.
#[derive(Debug)]
pub(super) struct GridRow {
    /// Its number in the original; `new` for an inserted one.
    pub(super) number: String,
    pub(super) line: Option<u64>,
    /// Its name in forms.
    pub(super) key: String,
    pub(super) is_deleted: bool,
    pub(super) is_inserted: bool,
    pub(super) cells: Vec<GridCell>,
    pub(super) omitted: usize,
}

/// A cell.
#[derive(Debug)]
pub(super) struct GridCell {
    /// The name of its field.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) value: String,
    /// True if a field cannot hold it: it is longer, or has line breaks.
    pub(super) is_fixed: bool,
    pub(super) is_edited: bool,
    /// Its text with what is invisible shown, if that differs.
    pub(super) visible: Option<String>,
    pub(super) messages: Vec<String>,
}

impl Marks {
    /// The feedback about the cells of a text. Where the Platform's row may mean several, each is marked.
    pub(super) fn of_feedback(items: &[FeedbackItem], table: Table) -> Self {
        let mut marks = Self::default();
        for item in items {
            let note = match item.locations.len() as u64 {
                0 | 1 => String::new(),
                rows => format!(" (this row or {} more)", counted(rows - 1, "row")),
            };
            for location in item.locations.iter().filter(|location| location.table == table) {
                for cell in &location.matching_cells {
                    marks.add(location.row, cell.cell, format!("{}{note}", item.message));
                }
            }
        }
        marks
    }

    /// The rows with messages.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    /// The messages about a row, by cell.
    pub(super) fn of_row(&self, row: u64) -> Option<&BTreeMap<usize, Vec<String>>> {
        self.0.get(&row)
    }

    pub(super) fn add(&mut self, row: u64, cell: usize, message: String) {
        let messages = self.0.entry(row).or_default().entry(cell).or_default();
        if messages.len() < MOST_MESSAGES && !messages.contains(&message) {
            messages.push(message);
        }
    }

    /// Adds the problems of a text; `original` is the row of the original that is a row of it.
    pub(super) fn add_problems(
        &mut self,
        problems: &[RowProblem],
        table: Table,
        original: impl Fn(u64) -> Option<u64>,
    ) {
        for problem in problems.iter().filter(|problem| problem.table == table) {
            let columns = problem.table.columns();
            let cell = columns.iter().position(|one| Some(one.name) == problem.column.as_deref());
            if let Some(row) = problem.row.and_then(&original) {
                // A note has no formats.
                let message = problem.message.replace('`', "");
                self.add(row, cell.unwrap_or_default(), message);
            }
        }
    }
}

/// The name of the field of a cell.
fn cell_name(table: Table, row: u64, cell: usize) -> String {
    format!("cell-{table}-{row}-{cell}")
}

/// The name of the field of a cell of the `nth` row that is inserted after `after`.
fn new_name(table: Table, after: u64, nth: usize, cell: usize) -> String {
    format!("new-{table}-{after}-{nth}-{cell}")
}

/// True if a field of a form can hold the text: it has no line breaks.
fn fits_a_field(text: &str) -> bool {
    !text.contains(['\n', '\r', '\0'])
}

impl Grid {
    pub(super) fn new(
        (payload, edits): (&Payload, &Edits),
        shown: GridView,
        marks: &Marks,
        bookmarks: &mut Bookmarks,
    ) -> Self {
        let (table, from) = (shown.table, shown.from);
        let text = match table {
            Table::Data => payload.data.as_str(),
            Table::Events => payload.event_data.as_deref().unwrap_or_default(),
        };
        let edits = edits.of_text(table);
        let of: BTreeSet<u64> = marks
            .0
            .keys()
            .copied()
            .chain(edits.rows().filter(|(_, row)| **row != RowEdits::default()).map(|(at, _)| at))
            // A row of context on each side.
            .flat_map(|row| [row.saturating_sub(1), row, row + 1])
            .filter(|row| *row > 0)
            .collect();
        let (count, of) = if shown.all { (ROWS, None) } else { (ROWS_WITH_MESSAGES, Some(of)) };
        let window = marked_window(table, text, (from, count), of.as_ref(), bookmarks);
        let mut rows = Vec::new();
        if from == 1
            && let Some(first) = edits.get(0)
        {
            rows.extend(inserted(table, 0, first, &window.columns));
        }
        for shown in window.rows {
            let number = shown.row;
            let of_row = edits.get(number);
            rows.push(row(table, shown, of_row, marks.of_row(number), &window.columns));
            rows.extend(
                of_row
                    .into_iter()
                    .flat_map(|of_row| inserted(table, number, of_row, &window.columns)),
            );
        }
        let previous = match &of {
            _ if from <= 1 => None,
            None => Some(from.saturating_sub(ROWS as u64).max(1)),
            Some(of) => of.range(..from).rev().take(ROWS_WITH_MESSAGES).last().copied().or(Some(1)),
        };
        let columns = window.columns.iter().map(|name| visible(name)).collect();
        Self { columns, rows, previous, next: window.next }
    }
}

pub(super) fn column(columns: &[String], cell: usize) -> String {
    let name = columns.get(cell).map(|name| visible(name)).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("cell {}", cell + 1))
}

fn row(
    table: Table,
    shown: ShownRow,
    edits: Option<&RowEdits>,
    marks: Option<&BTreeMap<usize, Vec<String>>>,
    columns: &[String],
) -> GridRow {
    let number = shown.row;
    let cell = |(at, text): (usize, String)| {
        let edited = edits.and_then(|edits| edits.cells.get(&at));
        let is_fixed = shown.shortened.contains(&at) || !fits_a_field(&text);
        let value = edited.cloned().unwrap_or(text);
        let shows = visible(&value);
        GridCell {
            name: cell_name(table, number, at),
            label: format!("{}, row {number}", column(columns, at)),
            is_fixed: is_fixed || !fits_a_field(&value),
            is_edited: edited.is_some(),
            visible: (shows != value).then_some(shows),
            messages: marks.and_then(|marks| marks.get(&at)).cloned().unwrap_or_default(),
            value,
        }
    };
    GridRow {
        number: number.to_string(),
        line: Some(shown.line),
        key: format!("{table}-{number}"),
        is_deleted: edits.is_some_and(|edits| edits.is_deleted),
        is_inserted: false,
        cells: shown.cells.into_iter().enumerate().map(cell).collect(),
        omitted: shown.omitted,
    }
}

fn inserted(table: Table, after: u64, edits: &RowEdits, columns: &[String]) -> Vec<GridRow> {
    let row = |(nth, cells): (usize, &Vec<String>)| {
        let cell = |(at, value): (usize, &String)| GridCell {
            name: new_name(table, after, nth, at),
            label: format!("{}, new row after row {after}", column(columns, at)),
            value: value.clone(),
            is_fixed: !fits_a_field(value),
            is_edited: true,
            visible: None,
            messages: Vec::new(),
        };
        GridRow {
            number: "new".to_owned(),
            line: None,
            key: format!("{table}-{after}-{nth}"),
            is_deleted: false,
            is_inserted: true,
            cells: cells.iter().enumerate().map(cell).collect(),
            omitted: 0,
        }
    };
    edits.inserted.iter().enumerate().map(row).collect()
}
