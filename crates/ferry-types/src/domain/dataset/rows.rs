//! The rows of a valid text, with their lines before and after the upload.

use std::ops::Range;

use csv::ByteRecord;

use super::bytes::text_of;
use super::opening::Opening;
use super::records::{Lines, Records};
use super::schema::Table;

/// A record of a valid text, as [`each_row`] shows it.
#[derive(Debug)]
pub(in crate::domain) struct Row<'a> {
    /// The data row, from 1; 0 is the header.
    pub(in crate::domain) number: u64,
    /// The line of the text on which it starts.
    pub(in crate::domain) line: u64,
    /// The lines on which it stands in the canonical form, which the Platform got.
    pub(in crate::domain) uploaded: Range<u64>,
    /// Its cells.
    pub(in crate::domain) record: &'a ByteRecord,
}

/// Shows every record of a text of `table`, the header first if there is one. Rows of empty cells are
/// left out, as in the canonical form.
pub(in crate::domain) fn each_row(table: Table, text: &str, visit: impl FnMut(&Row<'_>)) {
    each_wanted_row(table, text, |_, _| true, visit);
}

/// The same for the header, and for the rows of which `is_wanted` says so by their number and the lines that
/// were uploaded: it passes over the others without their cells.
pub(in crate::domain) fn each_wanted_row(
    table: Table,
    text: &str,
    is_wanted: impl Fn(u64, &Range<u64>) -> bool,
    mut visit: impl FnMut(&Row<'_>),
) {
    let bytes = text_of(text.as_bytes());
    let opening = Opening::of(table, bytes);
    let (mut records, mut lines) = (Records::new(bytes, opening.start, b','), Lines::new(bytes));
    let (mut record, mut number, mut uploaded) = (ByteRecord::new(), 0, 1);
    let mut is_header = opening.has_header;
    while let Some((span, has_values)) = records.pass() {
        if !has_values {
            continue;
        }
        let is_row = !std::mem::take(&mut is_header);
        number += u64::from(is_row);
        let line = lines.at(span.start);
        let end = uploaded + lines.at(span.end) - line + 1;
        if !is_row || is_wanted(number, &(uploaded..end)) {
            records.read_passed(&span, &mut record);
            visit(&Row { number, line, uploaded: uploaded..end, record: &record });
        }
        uploaded = end;
    }
}
