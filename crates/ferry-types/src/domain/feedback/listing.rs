//! The feedback as CSV, for spreadsheets.

use super::locate::FeedbackItem;

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

/// A cell that no spreadsheet runs: one that begins like a formula has an apostrophe before it.
fn inert(cell: &str) -> String {
    const BEGINS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let quote = if cell.starts_with(BEGINS) { "'" } else { "" };
    format!("{quote}{cell}")
}
