//! The feedback as CSV, for spreadsheets.

use std::collections::BTreeMap;

use super::locate::FeedbackItem;
use crate::domain::dataset::{Table, noted};

/// Messages beside a row.
const MOST_NOTES: usize = 10;

const COLUMNS: [&str; 6] = ["Table", "Row", "Line", "Column", "Value", "Message"];

/// The items as CSV with a header: a row for each row of the dataset that an item may mean, and one for an
/// item without. A cell that begins like a formula has an apostrophe before it.
///
/// ```
/// use ferry_types::domain::feedback::{as_csv, locate, read};
///
/// let data = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\n";
/// let csv = as_csv(&locate(&read("1|SITE-1|unknown reference"), Some(data), None));
/// assert_eq!(csv, "Table,Row,Line,Column,Value,Message\ndata,1,1,Reference,SITE-1,unknown reference\n");
/// ```
pub fn as_csv(items: &[FeedbackItem]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write =
        |cells: [&str; 6]| writer.write_record(cells.map(inert)).expect("memory has room");
    write(COLUMNS);
    for item in items {
        let value = item.value.as_deref().unwrap_or_default();
        for location in &item.locations {
            let columns = location.matching_cells.iter().filter_map(|cell| cell.column.as_deref());
            let columns = columns.collect::<Vec<&str>>().join(", ");
            let (row, line) = (location.row.to_string(), location.line.to_string());
            write([location.table.as_str(), &row, &line, &columns, value, &item.message]);
        }
        if item.locations.is_empty() {
            let row = item.row.map(|row| row.to_string()).unwrap_or_default();
            write(["", &row, "", "", value, &item.message]);
        }
    }
    let bytes = writer.into_inner().expect("memory has room");
    String::from_utf8(bytes).expect("texts make a text")
}

/// The title of the column of [`beside`].
const TITLE: &str = "Feedback";

/// A text of the dataset with the feedback about each row as a last column; none if the text has no header. Each
/// row that an item may mean has its message.
pub fn beside(table: Table, text: &str, items: &[FeedbackItem]) -> Option<String> {
    let mut notes: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for item in items {
        for location in item.locations.iter().filter(|location| location.table == table) {
            let columns = location.matching_cells.iter().filter_map(|cell| cell.column.as_deref());
            let columns = columns.collect::<Vec<&str>>().join(", ");
            let note = match &*columns {
                "" => item.message.clone(),
                columns => format!("{columns}: {}", item.message),
            };
            let of_row = notes.entry(location.row).or_default();
            if of_row.len() < MOST_NOTES && !of_row.contains(&note) {
                of_row.push(note);
            }
        }
    }
    let notes = notes.into_iter().map(|(row, notes)| (row, inert(&notes.join("; ")))).collect();
    noted(table, text, TITLE, &notes)
}

/// A cell that no spreadsheet runs: one that begins like a formula has an apostrophe before it.
fn inert(cell: &str) -> String {
    const BEGINS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let quote = if cell.starts_with(BEGINS) { "'" } else { "" };
    format!("{quote}{cell}")
}
