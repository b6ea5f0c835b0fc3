//! The rows of a valid text, with their lines before and after the upload.

use std::ops::Range;

use csv::ByteRecord;

use super::bytes::text_of;
use super::opening::Opening;
use super::records::{Lines, Records, is_blank};
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
pub(in crate::domain) fn each_row(table: Table, text: &str, mut visit: impl FnMut(&Row<'_>)) {
    let bytes = text_of(text.as_bytes());
    let opening = Opening::of(table, bytes);
    let (mut records, mut lines) = (Records::new(bytes, opening.start, b','), Lines::new(bytes));
    let (mut record, mut number, mut uploaded) = (ByteRecord::new(), 0, 1);
    let mut is_header = opening.has_header;
    while let Some(span) = records.read(&mut record) {
        if is_blank(&record) {
            continue;
        }
        number += u64::from(!std::mem::take(&mut is_header));
        let line = lines.at(span.start);
        let end = uploaded + lines.at(span.end) - line + 1;
        visit(&Row { number, line, uploaded: uploaded..end, record: &record });
        uploaded = end;
    }
}
