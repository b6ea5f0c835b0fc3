//! Splits a text into records and raw cells by the rules of the `csv` crate, and knows where each stands.
//!
//! The crate gives the values of cells, not their bytes, which the canonical form has to keep.

use std::borrow::Cow;
use std::ops::Range;

use csv::ByteRecord;
use memchr::{memchr_iter, memchr3};

use super::blank;
use super::quotes::{after_quote, ends_cell};

/// The most cells that a record is split into. The last one has what follows, delimiters included: a row of
/// commas alone would take many times the memory of its text.
const MAX_CELLS: usize = 50_000;

/// Records of a text without byte order mark. Blank lines are no records.
#[derive(Debug)]
pub(super) struct Records<'a> {
    text: &'a [u8],
    at: usize,
    delimiter: u8,
    /// The cells of the last record, as ranges of the text.
    cells: Vec<Range<usize>>,
}

impl<'a> Records<'a> {
    pub(super) fn new(text: &'a [u8], from: usize, delimiter: u8) -> Self {
        Self { text, at: from, delimiter, cells: Vec::new() }
    }

    /// Reads the values of the next record, and returns its place without the line break.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Option<Range<usize>> {
        loop {
            let start = self.start()?;
            let span = start..split(self.text, start, self.delimiter, &mut self.cells);
            self.at = span.end;
            record.clear();
            for cell in &self.cells {
                record.push_field(&value(&self.text[cell.clone()]));
            }
            if record.len() > 1 || !record[0].trim_ascii().is_empty() {
                return Some(span);
            }
        }
    }

    /// Passes over the next record, and returns its place and whether a cell of it holds anything. It costs a
    /// small part of what [`Records::read`] costs.
    pub(super) fn pass(&mut self) -> Option<(Range<usize>, bool)> {
        let start = self.start()?;
        // Of nearly all records the first byte decides: it stands in a cell, and a person can see it.
        let first = self.text[start];
        if first.is_ascii_graphic() && first != b'"' && first != self.delimiter {
            self.at = end_of(self.text, start, self.delimiter);
            return Some((start..self.at, true));
        }
        self.at = split(self.text, start, self.delimiter, &mut self.cells);
        let has_value = |cell: &Range<usize>| !blank::is_empty(&value(&self.text[cell.clone()]));
        Some((start..self.at, self.cells.iter().any(has_value)))
    }

    /// Continues at the record that begins at `at`.
    pub(super) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads the values of a record that was passed, and continues behind it.
    pub(super) fn read_passed(&mut self, span: &Range<usize>, record: &mut ByteRecord) {
        self.jump(span.start);
        self.read(record);
    }

    /// Passes over the next record, and returns its place, if it is delimiters and spaces alone.
    pub(super) fn pass_blank(&mut self) -> Option<Range<usize>> {
        let start = self.start()?;
        let line = &self.text[start..];
        let is_empty = |byte: &u8| *byte == self.delimiter || *byte == b' ';
        let length = line.iter().position(|byte| !is_empty(byte)).unwrap_or(line.len());
        let (before, rest) = line.split_at(length);
        if !before.contains(&self.delimiter) || !rest.first().is_none_or(|byte| is_break(*byte)) {
            return None;
        }
        self.at = start + length;
        Some(start..self.at)
    }

    /// Offset of the next record.
    fn start(&self) -> Option<usize> {
        let at = self.at.min(self.text.len());
        Some(at + self.text[at..].iter().position(|byte| !is_break(*byte))?)
    }

    /// The raw cells of the record that was read last, quotes included.
    pub(super) fn cells(&self) -> &[Range<usize>] {
        &self.cells
    }
}

/// Returns where the record at `from` ends, without its cells.
fn end_of(text: &[u8], from: usize, delimiter: u8) -> usize {
    let mut at = from;
    while let Some(found) = memchr3(b'"', b'\n', b'\r', &text[at..]) {
        at += found;
        if text[at] != b'"' {
            return at;
        }
        // Only as the first byte of a cell it opens a quoted text.
        let opens = at == from || text[at - 1] == delimiter;
        at = if opens { after_quote(text, at).unwrap_or(text.len()) } else { at + 1 };
    }
    text.len()
}

/// Finds the cells of the record at `from`, and returns where it ends.
fn split(text: &[u8], from: usize, delimiter: u8, cells: &mut Vec<Range<usize>>) -> usize {
    cells.clear();
    let mut start = from;
    loop {
        let mut at = start;
        if text.get(at) == Some(&b'"') {
            at = after_quote(text, at).unwrap_or(text.len());
        }
        let left = text[at..].iter().position(|byte| ends_cell(*byte, delimiter));
        let end = left.map_or(text.len(), |left| at + left);
        if cells.len() < MAX_CELLS {
            cells.push(start..end);
        } else if let Some(last) = cells.last_mut() {
            last.end = end;
        }
        if text.get(end) != Some(&delimiter) {
            return end;
        }
        start = end + 1;
    }
}

/// The value of a raw cell: without its quotes, and with one quote for each doubled one.
pub(super) fn value(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(quoted) = raw.strip_prefix(b"\"") else {
        return Cow::Borrowed(raw);
    };
    let end = after_quote(raw, 0);
    let (inside, behind) = match end {
        Some(end) => (&quoted[..end - 2], &raw[end..]),
        None => (quoted, &b""[..]),
    };
    if behind.is_empty() && !inside.contains(&b'"') {
        return Cow::Borrowed(inside);
    }
    let mut value = Vec::with_capacity(raw.len());
    let mut is_second = false;
    for byte in inside {
        is_second = *byte == b'"' && !is_second;
        if !is_second {
            value.push(*byte);
        }
    }
    value.extend_from_slice(behind);
    Cow::Owned(value)
}

/// True if no cell of the record holds anything.
pub(super) fn is_blank(record: &ByteRecord) -> bool {
    record.iter().all(blank::is_empty)
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Finds the line of an offset; cheap for offsets that rise.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self::from(bytes, 0, 1)
    }

    /// The same for a text of which the line at `offset` is known.
    pub(super) fn from(bytes: &'a [u8], offset: usize, line: u64) -> Self {
        Self { bytes, offset, line }
    }

    /// The line, from 1, of the byte at `offset`.
    pub(super) fn at(&mut self, offset: usize) -> u64 {
        let offset = offset.min(self.bytes.len());
        if offset < self.offset {
            // Counted backward, so that a jump back costs only the distance.
            self.line -= self.breaks(offset..self.offset);
        } else {
            self.line += self.breaks(self.offset..offset);
        }
        self.offset = offset;
        self.line
    }

    fn breaks(&self, range: Range<usize>) -> u64 {
        let (start, part) = (range.start, &self.bytes[range]);
        // One before a line feed ends no line of its own.
        let is_alone = |at: &usize| self.bytes.get(start + at + 1) != Some(&b'\n');
        let returns = memchr_iter(b'\r', part).filter(is_alone).count();
        (memchr_iter(b'\n', part).count() + returns) as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_are_those_of_the_csv_crate(text in "([a,;\"\"\r\n\t é]|\"\"){0,30}", delimiter in "[,;]") {
            let delimiter = delimiter.as_bytes()[0];
            let reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .from_reader(text.as_bytes());
            let expected: Vec<_> = reader
                .into_byte_records()
                .map(Result::unwrap)
                .filter(|record| record.len() > 1 || !record[0].trim_ascii().is_empty())
                .collect();
            let (mut records, mut record, mut read) =
                (Records::new(text.as_bytes(), 0, delimiter), ByteRecord::new(), Vec::new());
            while records.read(&mut record).is_some() {
                prop_assert!(read.len() <= text.len(), "more records than characters");
                read.push(record.clone());
            }
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn a_record_is_passed_as_it_is_read(text in "([ab,;\"\r\n\t é\u{a0}]|\"\"){0,40}", delimiter in "[,;]") {
            let (bytes, delimiter) = (text.as_bytes(), delimiter.as_bytes()[0]);
            let (mut reading, mut record, mut read) =
                (Records::new(bytes, 0, delimiter), ByteRecord::new(), Vec::new());
            while let Some(span) = reading.read(&mut record) {
                if !is_blank(&record) {
                    read.push((span, record.clone()));
                }
            }
            let (mut passing, mut passed) = (Records::new(bytes, 0, delimiter), Vec::new());
            while let Some((span, has_values)) = passing.pass() {
                if has_values {
                    passing.read_passed(&span, &mut record);
                    passed.push((span, record.clone()));
                }
            }
            prop_assert_eq!(passed, read);
        }

        #[test]
        fn a_line_is_counted_by_its_break(text in "[a\r\n]{0,30}", to in 0..31_usize) {
            let (bytes, to) = (text.as_bytes(), to.min(text.len()));
            let ends = |at: usize| bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            let expected = 1 + (0..to).filter(|at| ends(*at)).count() as u64;
            let mut lines = Lines::new(bytes);
            lines.at(text.len());
            prop_assert_eq!(lines.at(to), expected);
        }
    }
}
