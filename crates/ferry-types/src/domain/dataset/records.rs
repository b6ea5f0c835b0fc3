//! Reads records together with where they stand, which the CSV reader alone gets wrong behind blank
//! lines and CRLF.

use std::io::Cursor;
use std::ops::Range;

use csv::ByteRecord;

use super::header;

/// Records of a text without byte order mark. Blank lines are no records.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    reader: csv::Reader<Cursor<&'a [u8]>>,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8], delimiter: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(1 << 16)
            .from_reader(Cursor::new(bytes));
        Self { bytes, reader }
    }

    /// Begins again: to make a reader takes longer than to read a small text.
    pub(super) fn rewound(mut self) -> Self {
        // A text in memory can be read from anywhere.
        let _ = self.reader.seek(csv::Position::new());
        self
    }

    /// Reads the next record and gives its place in the text.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Option<Range<usize>> {
        loop {
            let from = self.offset();
            // Reading from memory, with any number of columns allowed, has no errors.
            if !self.reader.read_byte_record(record).unwrap_or(false) {
                return None;
            }
            let end = self.offset();
            let breaks = self.bytes[from..end].iter().take_while(|byte| is_break(**byte)).count();
            if record.len() > 1 || !record[0].trim_ascii().is_empty() {
                return Some(from + breaks..end);
            }
        }
    }

    fn offset(&self) -> usize {
        (self.reader.position().byte() as usize).min(self.bytes.len())
    }
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Tells the line of an offset; cheap for offsets that rise.
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1 }
    }

    /// The line, from 1, of the byte at `offset`.
    pub(super) fn at(&mut self, offset: usize) -> u64 {
        if offset < self.offset {
            (self.offset, self.line) = (0, 1);
        }
        let passed = self.offset..offset.min(self.bytes.len());
        self.offset = passed.end;
        self.line += passed.filter(|at| self.ends_line(*at)).count() as u64;
        self.line
    }

    fn ends_line(&self, at: usize) -> bool {
        self.bytes[at] == b'\n'
            || (self.bytes[at] == b'\r' && self.bytes.get(at + 1) != Some(&b'\n'))
    }
}

/// A record of a text, as [`each_row`] shows it.
#[derive(Debug)]
pub(in crate::domain) struct Row<'a> {
    /// The data row, from 1; 0 is the header.
    pub(in crate::domain) number: u64,
    /// The lines that it stands on.
    pub(in crate::domain) lines: Range<u64>,
    /// Its cells.
    pub(in crate::domain) record: &'a ByteRecord,
}

/// Shows every record of a text of `table`, the header first if there is one.
pub(in crate::domain) fn each_row(text: &str, mut visit: impl FnMut(&Row<'_>)) {
    let bytes = text.trim_start_matches('\u{feff}').as_bytes();
    let (mut records, mut lines) = (Records::new(bytes, b','), Lines::new(bytes));
    let (mut record, mut row, mut is_first) = (ByteRecord::new(), 0, true);
    while let Some(span) = records.read(&mut record) {
        if !(is_first && header::is_header(&record)) {
            row += 1;
        }
        is_first = false;
        let last = span.end.saturating_sub(1).max(span.start);
        let lines = lines.at(span.start)..lines.at(last) + 1;
        visit(&Row { number: row, lines, record: &record });
    }
}
