//! The rows of a dataset or of a result as a table: a window of them at a time, with what the Platform says about
//! their cells.

use std::collections::BTreeSet;

use askama::Template;
use form_urlencoded::Serializer;

use super::frame::Frame;
use super::grid::{Marks, column};
use super::text::{Sentence, encoded, number, visible};
use crate::content_type::media_type;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::dataset::{Bookmarks, ShownRow, Table, Window, marked_window, sheet};
use ferry_types::domain::feedback::FeedbackItem;

/// Rows of a window, and of what the page of the submission shows of a result.
const ROWS: usize = 200;
const PREVIEWED: usize = 10;

/// Media types that may be a table; also without one.
const TABLES: [&str; 5] = [
    "text/csv",
    "application/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/octet-stream",
];

/// A text whose rows a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A CSV text of the dataset.
    Table(Table),
    /// The result of this key.
    Result(String),
}

/// The rows that a page shows.
#[derive(Debug, Clone)]
pub(crate) struct RowsView {
    /// Their text.
    pub(crate) source: Source,
    /// The first row.
    pub(crate) from: u64,
    /// True to show the rows with feedback alone.
    pub(crate) has_feedback: bool,
}

/// A cell.
#[derive(Debug)]
pub(super) struct SeenCell {
    pub(super) text: String,
    pub(super) is_cut: bool,
    pub(super) messages: Vec<String>,
}

/// A row.
#[derive(Debug)]
pub(super) struct SeenRow {
    pub(super) number: u64,
    pub(super) line: u64,
    pub(super) cells: Vec<SeenCell>,
    pub(super) omitted: usize,
}

/// A table of rows.
#[derive(Debug, Default)]
pub(crate) struct SeenRows {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<SeenRow>,
    next: Option<u64>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "rows.html")]
pub(crate) struct RowsPage {
    frame: Frame,
    id: String,
    name: String,
    shown: RowsView,
    title: String,
    /// The other text of the dataset.
    other: Option<(String, &'static str)>,
    /// Switches between all rows and those with feedback.
    feedback: Option<(String, &'static str)>,
    download: String,
    seen: SeenRows,
    /// The reason for which there are none.
    nothing: Option<Sentence>,
    first: Option<String>,
    earlier: Option<String>,
    later: Option<String>,
}

/// The path of a result.
pub(super) fn result_path(view: &SubmissionView, key: &str) -> String {
    format!("/console/submissions/{}/results/{}", view.id, encoded(key))
}

/// The page of the rows of a result.
pub(super) fn rows_path(view: &SubmissionView, key: &str) -> String {
    format!("/console/submissions/{}/rows?result={}", view.id, encoded(key))
}

/// True if a result of this type may be a table.
pub(crate) fn may_be_table(content_type: Option<&str>) -> bool {
    content_type.map(media_type).is_none_or(|found| TABLES.contains(&&*found))
}

/// The first rows of a result; none if it is no table.
pub(crate) fn preview(text: &str) -> Option<SeenRows> {
    is_table(text).then(|| SeenRows::new(sheet(text, 1, PREVIEWED), &Marks::default()))
}

/// False of JSON, XML and bytes, which servers also send without their type.
fn is_table(text: &str) -> bool {
    !text.trim_start().starts_with(['{', '[', '<']) && !text.contains('\0')
}

impl SeenRows {
    fn new(window: Window, marks: &Marks) -> Self {
        let Window { columns, rows, next } = window;
        let row = |shown: ShownRow| {
            let of_row = marks.of_row(shown.row);
            let cell = |(at, text): (usize, &String)| SeenCell {
                text: visible(text),
                is_cut: shown.shortened.contains(&at),
                messages: of_row.and_then(|marks| marks.get(&at)).cloned().unwrap_or_default(),
            };
            SeenRow {
                number: shown.row,
                line: shown.line,
                cells: shown.cells.iter().enumerate().map(cell).collect(),
                omitted: shown.omitted,
            }
        };
        let rows: Vec<SeenRow> = rows.into_iter().map(row).collect();
        let widest = rows.iter().map(|row| row.cells.len()).max().unwrap_or_default();
        let columns = (0..columns.len().max(widest)).map(|at| column(&columns, at)).collect();
        Self { columns, rows, next }
    }

    /// True if more rows follow.
    pub(super) fn has_more(&self) -> bool {
        self.next.is_some()
    }
}

impl RowsView {
    fn path(&self, id: &str) -> String {
        let mut query = Serializer::new(String::new());
        match &self.source {
            Source::Table(table) => query.append_pair("table", table.as_str()),
            Source::Result(key) => query.append_pair("result", key),
        };
        if self.has_feedback {
            query.append_pair("only", "feedback");
        }
        if self.from > 1 {
            query.append_pair("from", &self.from.to_string());
        }
        format!("/console/submissions/{id}/rows?{}", query.finish())
    }

    fn at(&self, from: u64) -> Self {
        Self { from, ..self.clone() }
    }

    /// Name and value of the field that leads here.
    fn field(&self) -> (&'static str, &str) {
        match &self.source {
            Source::Table(table) => ("table", table.as_str()),
            Source::Result(key) => ("result", key),
        }
    }
}

impl RowsPage {
    /// The page of a text of a dataset; `has_other` if the dataset has another one. Of the text, the feedback and
    /// the bookmarks are known.
    pub(crate) fn of_dataset(
        frame: Frame,
        view: &SubmissionView,
        shown: RowsView,
        (table, text, has_other): (Table, &str, bool),
        (items, bookmarks): (&[FeedbackItem], &mut Bookmarks),
    ) -> Self {
        let id = view.id.to_string();
        let marks = Marks::of_feedback(items, table);
        let of: BTreeSet<u64> = marks.rows().collect();
        let (title, file, other, other_title) = match table {
            Table::Data => ("Dataset", "data", Table::Events, "Rows of the events"),
            Table::Events => ("Events", "event-data", Table::Data, "Rows of the dataset"),
        };
        let other = RowsView { source: Source::Table(other), from: 1, has_feedback: false };
        let switched = RowsView { has_feedback: !shown.has_feedback, ..shown.at(1) };
        let switch = if shown.has_feedback { "All rows" } else { "Only rows with feedback" };
        let only = shown.has_feedback.then_some(&of);
        let window = marked_window(table, text, (shown.from, ROWS), only, bookmarks);
        let seen = SeenRows::new(window, &marks);
        Self {
            title: title.to_owned(),
            other: has_other.then(|| (other.path(&id), other_title)),
            feedback: (!of.is_empty()).then(|| (switched.path(&id), switch)),
            download: format!("/console/submissions/{id}/{file}"),
            ..Self::new(frame, view, shown, seen)
        }
    }

    /// The page of the result of a key, whose text this is; none if its type is that of no table.
    pub(crate) fn of_result(
        frame: Frame,
        view: &SubmissionView,
        (key, from): (String, u64),
        text: Option<&str>,
    ) -> Self {
        let title = format!("Result {}", visible(&key));
        let download = result_path(view, &key);
        let shown = RowsView { source: Source::Result(key), from, has_feedback: false };
        let text = text.filter(|text| is_table(text));
        let window = text.map(|text| sheet(text, from, ROWS)).unwrap_or_default();
        let page = Self::new(frame, view, shown, SeenRows::new(window, &Marks::default()));
        let no_table = || "It is no table: download it.".into();
        let nothing = if text.is_none() { Some(no_table()) } else { page.nothing };
        Self { title, download, nothing, ..page }
    }

    fn new(frame: Frame, view: &SubmissionView, shown: RowsView, seen: SeenRows) -> Self {
        let id = view.id.to_string();
        let nothing = seen.rows.is_empty().then(|| match shown.from {
            1 => "It has no rows.".to_owned(),
            from => format!("It ends before row {}.", number(from)),
        });
        let is_continued = shown.from > 1;
        let before = shown.from.saturating_sub(ROWS as u64).max(1);
        Self {
            name: visible(&view.name),
            title: String::new(),
            other: None,
            feedback: None,
            download: String::new(),
            nothing: nothing.as_deref().map(Sentence::from),
            first: is_continued.then(|| shown.at(1).path(&id)),
            earlier: (is_continued && !shown.has_feedback).then(|| shown.at(before).path(&id)),
            later: seen.next.map(|next| shown.at(next).path(&id)),
            id,
            seen,
            shown,
            frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_may_be_a_table_by_its_type_and_is_one_by_its_text() {
        for content_type in [None, Some("text/csv; charset=utf-8"), Some("Text/Plain")] {
            assert!(may_be_table(content_type), "{content_type:?}");
        }
        for content_type in ["application/json", "text/html", "image/png", ""] {
            assert!(!may_be_table(Some(content_type)), "{content_type}");
        }
        assert!(preview("Id,Name\n1,a\n").is_some());
        for text in ["{\"a\": 1}", " [1, 2]", "<html>", "a\0b"] {
            assert!(preview(text).is_none(), "{text}");
        }
    }
}
