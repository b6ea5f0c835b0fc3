//! Recognizes lines that a spreadsheet quoted as a whole, because it took them for the text of one cell.

use csv::ByteRecord;

use super::blank;
use super::forms;
use super::header;
use super::quotes::{after_quote, error};
use super::records::Records;
use super::schema::Table;

/// Replaces a record that is one quoted cell by the record inside, if that looks like a row or a header.
pub(super) fn unwrap(record: &mut ByteRecord, raw: &[u8], delimiter: u8) -> bool {
    if !raw.starts_with(b"\"") || record.iter().skip(1).any(|cell| !blank::is_empty(cell)) {
        return false;
    }
    let line = record[0].to_owned();
    let is_closed = after_quote(raw, 0).is_some() && error(&line, delimiter).is_none();
    let mut inner = ByteRecord::new();
    let is_line = is_closed
        && Records::new(&line, 0, delimiter).read(&mut inner).is_some()
        && inner.len() >= Table::Data.columns().len()
        && likely_cells(&inner).nth(1).is_some();
    if is_line {
        *record = inner;
    }
    is_line
}

/// The cells that hold a name of the schema, or what could be a date or a time.
fn likely_cells(record: &ByteRecord) -> impl Iterator<Item = &[u8]> {
    record.iter().filter(|cell| is_moment(cell) || header::is_known(cell))
}

/// True for a cell that may be a date or a time.
pub(super) fn is_moment(cell: &[u8]) -> bool {
    let cell = forms::look(cell);
    let is_mark = |byte: &u8| matches!(byte, b'/' | b':' | b'-' | b'.');
    cell.first().is_some_and(u8::is_ascii_digit)
        && cell.iter().all(|byte| byte.is_ascii_digit() || is_mark(byte))
        && cell.iter().any(is_mark)
}
