//! Finds where the table of a text begins, and by what its columns are separated. Spreadsheets and people
//! put other lines first: `sep=` for the spreadsheet, and titles for the reader.

use std::ops::Range;

use csv::ByteRecord;

use super::blank;
use super::bytes::without_bom;
use super::header;
use super::records::{self, Records};
use super::schema::Table;
use super::wrapped::{self, is_moment};

/// The number of records that decide about the separator.
const SAMPLE_RECORDS: usize = 20;
/// The number of records among which the first row or the header is looked for.
const SEARCHED_RECORDS: usize = 1000;
/// The part of a text that is searched for them.
const SAMPLE_BYTES: usize = 1 << 16;
/// A `sep=` line is not longer, commas that a spreadsheet added included.
const MAX_SEP_LINE: usize = 64;

/// Beginning of a text.
#[derive(Debug)]
pub(super) struct Opening {
    /// Offset from which the header and the rows are read.
    pub(super) start: usize,
    /// True if the first record from there is a header, right or wrong.
    pub(super) has_header: bool,
    /// The byte between the columns.
    pub(super) delimiter: u8,
    /// True if nothing separates the columns of several records.
    pub(super) is_unseparated: bool,
    /// The first `sep=` line, which only spreadsheets understand.
    pub(super) sep: Option<Range<usize>>,
    /// The records above the header: how many, and the first.
    pub(super) titles: Option<(u64, Range<usize>)>,
    /// True if none of them could be a row.
    pub(super) are_titles_short: bool,
}

/// Look of a record of the sample.
struct Look {
    span: Range<usize>,
    names: usize,
    moments: usize,
    filled: usize,
    cells: usize,
    is_header: bool,
}

impl Opening {
    /// Examines a text without byte order mark.
    pub(super) fn of(table: Table, text: &[u8]) -> Self {
        let (from, sep) = above_table(text);
        let sample = &text[..text.len().min(from + SAMPLE_BYTES)];
        let delimiter = find_delimiter(table, sample, from);
        let looks = until_row(sample, from, delimiter);
        let (first, has_header) = first_of_table(table, &looks);
        let start = looks.get(first).map_or(from, |look| look.span.start);
        let titles = (first > 0).then(|| (first as u64, looks[0].span.clone()));
        let is_unseparated =
            !has_header && looks.len() > 1 && looks.iter().all(|look| look.cells == 1);
        let are_titles_short = looks[..first].iter().all(Look::is_short);
        Self { start, has_header, delimiter, is_unseparated, sep, titles, are_titles_short }
    }
}

/// The offset of the first record of a text with any columns, and the byte between these: that of a `sep=` line, or
/// the one that makes most cells of this record.
pub(super) fn of_any(text: &[u8]) -> (usize, u8) {
    let (start, sep) = above_table(text);
    if let Some(&[delimiter]) = sep.and_then(|sep| text[sep].get(4..)) {
        return (start, delimiter);
    }
    let sample = &text[..text.len().min(start + SAMPLE_BYTES)];
    let mut record = ByteRecord::new();
    let mut cells = |delimiter| {
        record.clear();
        Records::new(sample, start, delimiter).read(&mut record);
        record.len()
    };
    let (mut best, mut most) = (b',', cells(b','));
    for delimiter in [b';', b'\t', b'|'] {
        let count = cells(delimiter);
        if count > most {
            (best, most) = (delimiter, count);
        }
    }
    (start, best)
}

impl Look {
    /// True if the record holds too little for a row or a header.
    fn is_short(&self) -> bool {
        self.moments == 0 && self.names == 0 && self.filled < 3
    }
}

/// Skips `sep=` lines and rows of commas at the top; returns where the rest begins, and the first `sep=`.
fn above_table(text: &[u8]) -> (usize, Option<Range<usize>>) {
    let (mut at, mut sep, mut record) = (0, None, ByteRecord::new());
    loop {
        at = text.len() - without_bom(&text[at..]).len();
        if let Some(line) = sep_line(text, at) {
            at = line.end;
            sep.get_or_insert(line);
            continue;
        }
        let mut records = Records::new(text, at, b',');
        if let Some(last) = std::iter::from_fn(|| records.pass_blank()).last() {
            at = last.end;
            continue;
        }
        let Some(span) = records.read(&mut record) else { return (at, sep) };
        let is_marked = without_bom(&text[span.start..]).len() < text.len() - span.start;
        match (records::is_blank(&record), is_marked) {
            (true, _) => at = span.end,
            // A byte order mark behind blank lines would be one at the beginning of the canonical form.
            (false, true) => at = span.start,
            (false, false) => return (span.start, sep),
        }
    }
}

/// The `sep=` line at `from`, behind blank lines.
fn sep_line(text: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = without_bom(&text[from..]);
    let line = rest.trim_ascii_start();
    let start = text.len() - line.len();
    let end = line.iter().take(MAX_SEP_LINE).position(|byte| matches!(byte, b'\n' | b'\r'));
    let line = &line[..end.unwrap_or(line.len().min(MAX_SEP_LINE))];
    let word = line.strip_prefix(b"\"").unwrap_or(line);
    let (word, marks) = word.split_at_checked(4)?;
    let is_sep = word.eq_ignore_ascii_case(b"sep=")
        && marks.iter().all(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    is_sep.then_some(start..start + line.len())
}

/// The byte between the columns: a comma, unless commas make too few columns of the first record, and
/// another byte makes more cells that a table could have.
fn find_delimiter(table: Table, sample: &[u8], from: usize) -> u8 {
    let mut record = ByteRecord::new();
    let first = Records::new(sample, from, b',').read(&mut record);
    if first.is_none() || record.len() >= table.columns().len() {
        return b',';
    }
    let best_cells = |delimiter: u8| {
        looks(sample, from, delimiter)
            .take(SAMPLE_RECORDS)
            .map(|look| look.names + look.moments)
            .max()
            .unwrap_or(0)
    };
    // Of equals the first wins; a single cell that looks like a date proves nothing.
    let (mut best, mut most) = (b',', best_cells(b',').max(1));
    for delimiter in candidates(&sample[from..]) {
        let cells = best_cells(delimiter);
        if cells > most {
            (best, most) = (delimiter, cells);
        }
    }
    best
}

/// The bytes of a sample that could separate columns, the usual ones first.
fn candidates(sample: &[u8]) -> impl Iterator<Item = u8> {
    const USUAL: &[u8] = b";\t|";
    let mut occurs = [false; 128];
    for byte in sample.iter().filter(|byte| byte.is_ascii()) {
        occurs[usize::from(*byte)] = true;
    }
    // These stand in dates, times, names and numbers, or have a meaning of their own in CSV.
    let is_other =
        |byte: &u8| !byte.is_ascii_alphanumeric() && !b",;\t|/:.-_\"'\r\n\0".contains(byte);
    let others = (0..128).rev().filter(is_other);
    USUAL.iter().copied().chain(others).filter(move |byte| occurs[usize::from(*byte)])
}

/// The records down to the first that is a row.
fn until_row(sample: &[u8], from: usize, delimiter: u8) -> Vec<Look> {
    let mut is_above = true;
    let above = |look: &Look| std::mem::replace(&mut is_above, look.moments < 2);
    looks(sample, from, delimiter).take(SEARCHED_RECORDS).take_while(above).collect()
}

fn looks(sample: &[u8], from: usize, delimiter: u8) -> impl Iterator<Item = Look> {
    let (mut records, mut record) = (Records::new(sample, from, delimiter), ByteRecord::new());
    std::iter::from_fn(move || {
        loop {
            let span = records.read(&mut record)?;
            if records::is_blank(&record) {
                continue;
            }
            wrapped::unwrap(&mut record, &sample[span.clone()], delimiter);
            return Some(Look {
                span,
                names: record.iter().filter(|cell| header::is_known(cell)).count(),
                moments: record.iter().filter(|cell| is_moment(cell)).count(),
                filled: record.iter().filter(|cell| !blank::is_empty(cell)).count(),
                cells: record.len(),
                is_header: header::is_header(&record),
            });
        }
    })
}

/// The first record of the table, and whether it is a header. What stands above it are titles, but only
/// if it looks like nothing else: a row must never be taken for a title.
fn first_of_table(table: Table, looks: &[Look]) -> (usize, bool) {
    let first_is_header = looks.first().is_some_and(|look| look.is_header);
    let row = looks.iter().position(|look| look.moments > 1);
    let header = looks.iter().position(|look| look.names > 1);
    if let Some(header) = header.filter(|header| row.is_none_or(|row| *header < row)) {
        return (header, true);
    }
    let Some(row) = row.filter(|row| *row > 0) else { return (0, first_is_header) };
    let has_header = looks[row - 1].is_header && looks[row - 1].filled + 1 >= table.columns().len();
    let first = row - usize::from(has_header);
    let are_titles = looks[..first].iter().all(Look::is_short);
    if are_titles { (first, has_header) } else { (0, first_is_header) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sep_line_has_nothing_but_marks_behind_it() {
        for line in ["sep=;", "SEP=,", "\"sep=\t\"", "sep=;,,,,", "\u{feff}sep=|", "\r\nsep="] {
            assert!(sep_line(line.as_bytes(), 0).is_some(), "{line:?}");
        }
        for line in ["sep=a", "sep", "sepia=;", "sep=,03/03/2025,08:00,03/03/2025,09:00", ""] {
            assert!(sep_line(line.as_bytes(), 0).is_none(), "{line:?}");
        }
    }
}
