//! The feedback of the Platform by cause: the same item about many rows is one.

use askama::Template;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::frame::Frame;
use super::text::{number, visible};
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::feedback::FeedbackItem;

/// Causes that are listed, and rows that are named of each.
const MOST_CAUSES: usize = 200;
const ROWS: usize = 8;

/// Rows with the same item.
#[derive(Debug)]
pub(crate) struct Cause {
    /// The columns that hold the value.
    pub(super) columns: String,
    /// The value.
    pub(super) value: Option<String>,
    /// The item.
    pub(super) message: String,
    /// Number of items.
    pub(super) count: u64,
    /// The first rows that it concerns, and the lines on which they stand.
    pub(super) rows: Vec<String>,
    /// True if an item may mean several rows.
    pub(super) is_ambiguous: bool,
    /// Indexes of the items.
    pub(crate) items: Vec<usize>,
    /// Its name in forms, by columns, value and item.
    pub(crate) key: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "feedback.html")]
pub(crate) struct FeedbackPage {
    frame: Frame,
    id: String,
    name: String,
    items: String,
    causes: Vec<Cause>,
    omitted: String,
}

impl FeedbackPage {
    /// The page of the feedback of a submission.
    pub(crate) fn new(frame: Frame, view: &SubmissionView, items: &[FeedbackItem]) -> Self {
        let mut causes = by_cause(items);
        let omitted = shorten(&mut causes);
        Self {
            frame,
            id: view.id.to_string(),
            name: visible(&view.name),
            items: words::counted(items.len() as u64, "item"),
            causes,
            omitted: if omitted == 0 { String::new() } else { number(omitted as u64) },
        }
    }
}

fn columns(item: &FeedbackItem) -> String {
    let cells = item.locations.iter().flat_map(|location| &location.matching_cells);
    let mut names: Vec<&str> = cells.filter_map(|cell| cell.column.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn row(item: &FeedbackItem) -> String {
    let lines: Vec<String> =
        item.locations.iter().take(3).map(|location| location.line.to_string()).collect();
    let named = item.row.map_or("no row".to_owned(), |row| format!("row {row}"));
    match lines.as_slice() {
        [] => named,
        [line] => format!("{named} (line {line})"),
        lines => format!("{named} (line {})", lines.join(" or ")),
    }
}

/// Leaves out the causes that are too many, and returns their number.
pub(super) fn shorten(causes: &mut Vec<Cause>) -> usize {
    let omitted = causes.len().saturating_sub(MOST_CAUSES);
    causes.truncate(MOST_CAUSES);
    omitted
}

fn key_of(columns: &str, item: &FeedbackItem) -> String {
    let text = format!("{columns}\0{:?}\0{}", item.value, item.message);
    HEXLOWER.encode(&digest(&SHA256, text.as_bytes()).as_ref()[..8])
}

/// The causes, the most frequent first.
pub(crate) fn by_cause(items: &[FeedbackItem]) -> Vec<Cause> {
    let mut known: std::collections::HashMap<(String, Option<&str>, &str), usize> = [].into();
    let mut causes: Vec<Cause> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let columns = columns(item);
        let key = (columns.clone(), item.value.as_deref(), item.message.as_str());
        let at = *known.entry(key).or_insert_with(|| {
            causes.push(Cause {
                columns: visible(&columns),
                value: item.value.as_deref().map(visible),
                message: visible(&item.message),
                count: 0,
                rows: Vec::new(),
                is_ambiguous: false,
                items: Vec::new(),
                key: key_of(&columns, item),
            });
            causes.len() - 1
        });
        let cause = &mut causes[at];
        cause.count += 1;
        cause.items.push(index);
        cause.is_ambiguous |= item.locations.len() > 1;
        if cause.rows.len() < ROWS {
            cause.rows.push(row(item));
        }
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(row: u64, value: &str, message: &str) -> FeedbackItem {
        let (row, value) = (Some(row), Some(value.to_owned()));
        FeedbackItem { row, value, message: message.to_owned(), locations: Vec::new() }
    }

    #[test]
    fn the_same_item_about_many_rows_is_one_cause() {
        let mut items = vec![item(1, "A", "unknown"), item(2, "B", "unknown")];
        items.extend((3..15).map(|row| item(row, "B", "unknown")));
        let causes = by_cause(&items);
        let found: Vec<(u64, Option<&str>, usize)> = causes
            .iter()
            .map(|cause| (cause.count, cause.value.as_deref(), cause.rows.len()))
            .collect();
        assert_eq!(found, [(13, Some("B"), ROWS), (1, Some("A"), 1)]);
    }
}
