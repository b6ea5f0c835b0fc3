//! The canonical form of a dataset, which is what the Platform gets: records end in CRLF, dates, times
//! and names of columns have no blanks around them, and lines without data are left out. All other
//! cells keep their bytes.

use csv::ByteRecord;

use super::blank;
use super::bytes::{self, text_of, without_bom};
use super::check::check;
use super::datetime;
use super::forms;
use super::header::{self, Layout};
use super::opening::Opening;
use super::quotes;
use super::records::{self, Records};
use super::report::Report;
use super::schema::{ColumnType, Table};
use super::wrapped;

/// A text that was brought into the canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// True if the original began with a byte order mark, or was UTF-16 or UTF-32.
    pub had_other_encoding: bool,
    /// Number of records whose line end became CRLF.
    pub line_ends: u64,
}

/// The canonical form of a text. A valid text stays valid, and an invalid one stays invalid.
///
/// ```
/// use ferry_types::domain::dataset::{Table, canonical};
///
/// let submitted = "SITE-1, 03/03/2025 ,08:00,03/03/2025,16:30\n,,,,\n";
/// let uploaded = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\r\n";
/// assert_eq!(canonical(Table::Data, submitted), uploaded);
/// ```
pub fn canonical(table: Table, text: &str) -> String {
    String::from_utf8(Writer::new(table, text.as_bytes(), false).run().text)
        .expect("whole records of a text, and dates and times in ASCII, are UTF-8")
}

/// The canonical form of a file with everything corrected that is wrong beyond doubt; `None` if an error
/// remains. The report is that of the original.
///
/// ```
/// use ferry_types::domain::dataset::{Table, fix};
///
/// let (report, fixed) = fix(Table::Data, "march.csv", b"SITE-1;03/03/2025;9:00;03/03/2025;16:30\n");
/// assert!(!report.is_valid());
/// let text = fixed.expect("all of it can be corrected").text;
/// assert_eq!(text, "SITE-1,03/03/2025,09:00,03/03/2025,16:30\r\n");
/// ```
pub fn fix(table: Table, file: &str, bytes: &[u8]) -> (Report, Option<Fixed>) {
    let decoded = bytes::from_wide(bytes);
    let text = decoded.as_deref().map_or(bytes, str::as_bytes);
    let mut report = check(table, file, text).0;
    if let Some(problem) = bytes::foreign(bytes).filter(|_| decoded.is_some()) {
        report.count(problem.severity, problem.count);
        report.problems.insert(0, problem);
    }
    if !report.is_fixable() {
        return (report, None);
    }
    let written = Writer::new(table, text, true).run();
    let fixed = String::from_utf8(written.text).ok();
    // The proof that nothing was overlooked: what is written is valid.
    let fixed = fixed.filter(|fixed| check(table, file, fixed.as_bytes()).0.is_valid());
    let fixed = fixed.map(|text| Fixed {
        text,
        had_other_encoding: decoded.is_some() || bytes.len() > without_bom(bytes).len(),
        line_ends: written.line_ends,
    });
    (report, fixed)
}

/// Names of columns without the blanks around them, visible or not.
fn changed_names(record: &ByteRecord) -> Vec<(usize, String)> {
    let names = record.iter().enumerate().filter(|(_, cell)| header::is_known(cell));
    let with_blanks = names.filter(|(_, cell)| blank::trim(cell).len() < cell.len());
    let text = |cell| String::from_utf8_lossy(blank::trim(cell)).into_owned();
    with_blanks.map(|(at, cell)| (at, text(cell))).collect()
}

struct Writer<'a> {
    table: Table,
    source: &'a [u8],
    /// True to correct errors, too.
    is_fixing: bool,
    opening: Opening,
    layout: Layout,
    written: Written,
}

#[derive(Default)]
struct Written {
    text: Vec<u8>,
    line_ends: u64,
}

impl<'a> Writer<'a> {
    fn new(table: Table, text: &'a [u8], is_fixing: bool) -> Self {
        let source = text_of(text);
        let opening = Opening::of(table, source);
        let text = Vec::with_capacity(source.len() + source.len() / 32);
        let written = Written { text, line_ends: 0 };
        Self { table, source, is_fixing, opening, layout: Layout::of(table), written }
    }

    fn run(mut self) -> Written {
        let delimiter = self.opening.delimiter;
        let from = self.first_record();
        let (mut records, mut record) =
            (Records::new(self.source, from, delimiter), ByteRecord::new());
        let mut is_header = self.opening.has_header;
        while let Some(span) = records.read(&mut record) {
            if self.is_dropped(&record) {
                continue;
            }
            let raw = &self.source[span.clone()];
            let is_unwrapped = self.is_fixing && wrapped::unwrap(&mut record, raw, delimiter);
            let has_names = is_header && span.start >= self.opening.start;
            if has_names {
                is_header = false;
                self.layout = header::read(self.table, &record).0;
            }
            let changed = match has_names {
                _ if self.is_foreign() => Vec::new(),
                true => changed_names(&record),
                false => self.changed(&record),
            };
            let is_foreign = self.is_fixing && delimiter != b',';
            // A record with an error in its quotes keeps its bytes, and with them its error.
            let has_quote_error = || quotes::error(raw, delimiter).is_some();
            let changed =
                if changed.is_empty() || has_quote_error() { Vec::new() } else { changed };
            let is_bare = !self.has_mark_before_quote(raw);
            if changed.is_empty() && !is_unwrapped && !is_foreign && is_bare {
                // A quote that is never closed takes the last line break into its cell.
                let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
                let breaks = raw.iter().rev().take_while(|byte| is_break(byte)).count();
                self.put(&raw[..raw.len() - breaks]);
            } else {
                self.put_cells(
                    &record,
                    &changed,
                    if is_unwrapped { None } else { Some(records.cells()) },
                );
            }
            self.end_record(span.end);
        }
        self.written
    }

    /// True if the rows of an invalid text are not taken apart, because commas do not separate them.
    fn is_foreign(&self) -> bool {
        !self.is_fixing && self.opening.delimiter != b','
    }

    /// Titles stay where nothing is corrected: a text that has them is invalid.
    fn first_record(&self) -> usize {
        match &self.opening.titles {
            _ if self.is_foreign() => 0,
            Some((_, first)) if !self.is_fixing => first.start,
            _ => self.opening.start,
        }
    }

    fn is_dropped(&self, record: &ByteRecord) -> bool {
        let is_repeated =
            || !self.written.text.is_empty() && header::begins_with(self.table, record);
        // Without the row behind it, a mark that stands in a cell would be that of the end of the file.
        let ends_with_mark = || text_of(&self.written.text).len() < self.written.text.len();
        let is_blank = !self.is_foreign() && records::is_blank(record) && !ends_with_mark();
        is_blank || (self.is_fixing && is_repeated())
    }

    /// The cells that are written otherwise than they stand there.
    fn changed(&self, record: &ByteRecord) -> Vec<(usize, String)> {
        let columns = self.layout.columns.iter().zip(&self.layout.cells);
        let changed = columns.filter_map(|(column, cell)| {
            let cell = (*cell)?;
            let raw = record.get(cell)?;
            let trimmed = blank::trim(raw);
            let is_right = match column.holds {
                ColumnType::Date => datetime::day(trimmed).is_some(),
                ColumnType::Time => datetime::minute(trimmed).is_some(),
                ColumnType::Text | ColumnType::TimeReference => return None,
            };
            if is_right {
                let text = (trimmed.len() < raw.len())
                    .then(|| String::from_utf8_lossy(trimmed).into_owned());
                return text.map(|text| (cell, text));
            }
            let form = forms::recognize(column.holds, raw).filter(|_| self.is_fixing)?;
            form.instead.filter(|_| form.is_certain).map(|instead| (cell, instead))
        });
        changed.collect()
    }

    fn put_cells(
        &mut self,
        record: &ByteRecord,
        changed: &[(usize, String)],
        raw: Option<&[std::ops::Range<usize>]>,
    ) {
        for (at, value) in record.iter().enumerate() {
            if at > 0 {
                self.written.text.push(b',');
            }
            let raw = raw.and_then(|raw| Some(&self.source[raw.get(at)?.clone()]));
            if let Some((_, text)) = changed.iter().find(|(cell, _)| *cell == at) {
                self.put(text.as_bytes());
            } else if let Some(raw) = raw.filter(|raw| self.is_whole(raw)) {
                self.put(raw);
            } else {
                self.put_quoted(value);
            }
        }
    }

    /// True for a raw cell that says the same between commas.
    fn is_whole(&self, raw: &[u8]) -> bool {
        raw.starts_with(b"\"") || (!raw.contains(&b',') && !self.has_mark_before_quote(raw))
    }

    /// True for the first cell of all if its byte order mark keeps it from beginning with a quote.
    fn has_mark_before_quote(&self, raw: &[u8]) -> bool {
        let rest = without_bom(raw);
        self.written.text.is_empty() && rest.len() < raw.len() && rest.starts_with(b"\"")
    }

    fn put(&mut self, bytes: &[u8]) {
        let bytes = if self.written.text.is_empty() { without_bom(bytes) } else { bytes };
        self.written.text.extend_from_slice(bytes);
    }

    fn put_quoted(&mut self, value: &[u8]) {
        if !value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
            return self.put(value);
        }
        self.written.text.push(b'"');
        for byte in value {
            self.written.text.extend_from_slice(if *byte == b'"' {
                b"\"\""
            } else {
                std::slice::from_ref(byte)
            });
        }
        self.written.text.push(b'"');
    }

    fn end_record(&mut self, end: usize) {
        self.written.line_ends += u64::from(!self.source[end..].starts_with(b"\r\n"));
        self.written.text.extend_from_slice(b"\r\n");
    }
}
