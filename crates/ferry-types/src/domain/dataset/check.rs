//! The validation: one pass over the text, which allocates only for problems.

mod line;
mod top;

use std::ops::Range;

use csv::ByteRecord;

use super::bytes::{self, BadByte};
use super::duplicate_rows::SeenRows;
use super::forms::{AMBIGUOUS, MONTH_FIRST};
use super::header::{self, Layout};
use super::known_forms::KnownForms;
use super::listing::{FormKey, Listing};
use super::opening::Opening;
use super::records::{self, Lines, Records};
use super::report::{Kind, Location, Problem, Report, excerpt};
use super::schema::Table;
use super::wrapped;

/// Cells in no known form, after which the rows that follow are only counted: such a text is no dataset,
/// and the check of a huge one stays cheap.
const MAX_UNKNOWN: u64 = 1_000_000;

/// Checks the text of `file` against the schema of `table`.
///
/// The text, untouched, is there exactly if the bytes are valid UTF-8 and the report has no error. The
/// Platform gets its [canonical form](super::canonical()).
///
/// ```
/// use ferry_types::domain::dataset::{Kind, Table, check};
///
/// let (report, text) = check(Table::Data, "march.csv", b"SITE-1,03/03/2025,08:00,03/03/2025,16:30");
/// assert!(report.is_valid() && text.is_some());
///
/// let (report, _) = check(Table::Data, "march.csv", b"SITE-1,31/02/2025,08:00,03/03/2025,16:30");
/// let problem = &report.problems[0];
/// assert_eq!((problem.kind, problem.line), (Kind::NotADate, Some(1)));
/// assert_eq!(problem.column.as_deref(), Some("StartDate"));
/// ```
pub fn check(table: Table, file: &str, bytes: &[u8]) -> (Report, Option<String>) {
    let mut listing = Listing::new(file);
    if let Some(problem) = bytes::foreign(bytes) {
        listing.add(problem);
        return (listing.report, None);
    }
    let (whole, text) = (bytes::without_bom(bytes), bytes::text_of(bytes));
    let mut check = Check::new(table, text, bytes.len() - whole.len(), listing);
    check.run();
    if text.len() < whole.len() {
        check.end_mark();
    }
    let report = check.listing.report;
    let text = std::str::from_utf8(bytes).ok().filter(|_| report.is_valid());
    (report, text.map(str::to_owned))
}

struct Check<'a> {
    table: Table,
    text: &'a [u8],
    /// The length of the byte order mark before the text.
    bom: usize,
    opening: Opening,
    lines: Lines<'a>,
    layout: Layout,
    bad_bytes: std::vec::IntoIter<BadByte>,
    has_quotes: bool,
    has_extra: bool,
    /// True if a date could be read with the month first, too.
    is_ambiguous: bool,
    known_forms: KnownForms,
    /// Cells in no known form: [`MAX_UNKNOWN`] at most, and those of one row.
    unknown: u64,
    seen: SeenRows,
    listing: Listing,
}

/// A record, and its place.
struct DatasetLine<'a> {
    /// None for the header.
    row: Option<u64>,
    span: Range<usize>,
    record: &'a ByteRecord,
}

impl<'a> Check<'a> {
    fn new(table: Table, text: &'a [u8], bom: usize, listing: Listing) -> Self {
        Self {
            table,
            text,
            bom,
            opening: Opening::of(table, text),
            lines: Lines::new(text),
            layout: Layout::of(table),
            bad_bytes: bytes::bad_bytes(text).into_iter(),
            has_quotes: text.contains(&b'"'),
            has_extra: false,
            is_ambiguous: false,
            known_forms: KnownForms::default(),
            unknown: 0,
            seen: SeenRows::default(),
            listing,
        }
    }

    fn run(&mut self) {
        self.check_top();
        let (mut record, mut is_header) = (ByteRecord::new(), self.opening.has_header);
        let mut records = Records::new(self.text, self.opening.start, self.opening.delimiter);
        loop {
            if let Some(span) = records.pass_blank() {
                self.check_line_end(&span);
                self.blank_row(&span);
                continue;
            }
            if self.unknown >= MAX_UNKNOWN {
                self.count_rest(&mut records);
                break;
            }
            let Some(span) = records.read(&mut record) else { break };
            self.check_line_end(&span);
            if records::is_blank(&record) {
                self.blank_row(&span);
                continue;
            }
            if wrapped::unwrap(&mut record, &self.text[span.clone()], self.opening.delimiter) {
                self.quoted_line(&span, &record);
            }
            if std::mem::take(&mut is_header) {
                self.check_header(&DatasetLine { row: None, span, record: &record });
            } else if header::begins_with(self.table, &record) {
                self.repeated_header(&span);
            } else {
                self.listing.report.rows += 1;
                let row = Some(self.listing.report.rows);
                self.check_row(&DatasetLine { row, span, record: &record });
            }
        }
        self.check_end();
    }

    /// Counts the rows that are not checked.
    fn count_rest(&mut self, records: &mut Records<'_>) {
        while let Some((_, has_values)) = records.pass() {
            self.listing.report.rows += u64::from(has_values);
            self.listing.report.unchecked_rows += u64::from(has_values);
        }
    }

    fn location(&mut self, line: &DatasetLine<'_>) -> Location {
        Location { row: line.row, ..self.position(line.span.start) }
    }

    fn position(&mut self, offset: usize) -> Location {
        Location { line: Some(self.lines.at(offset)), ..Location::default() }
    }

    fn cell_spot(&mut self, line: &DatasetLine<'_>, cell: usize) -> Location {
        Location {
            column: self.layout.name(cell).map(str::to_owned),
            value: line.record.get(cell).map(excerpt),
            ..self.location(line)
        }
    }

    /// Lists the first problem of a form, and counts the others.
    fn add_form(&mut self, kind: Kind, form: FormKey, problem: impl FnOnce(&mut Self) -> Problem) {
        if !self.listing.again(kind, form) {
            let problem = problem(self);
            self.listing.first(form, problem);
        }
    }

    /// Lists a problem while there is room, and counts it in any case.
    fn add(&mut self, kind: Kind, problem: impl FnOnce(&mut Self) -> Problem) {
        if self.listing.has_room(kind) {
            let problem = problem(self);
            self.listing.add(problem);
        }
    }

    /// Checks that need the end of the text.
    fn check_end(&mut self) {
        if self.listing.report.rows == 0 {
            let message = if self.opening.has_header {
                "there is only a header"
            } else if self.text.is_empty() {
                "the text is empty"
            } else {
                "there are only blank lines"
            };
            let expected = "at least one row";
            self.listing.add(Problem::new(
                Kind::EmptyDataset,
                Location::default(),
                message,
                expected,
            ));
        }
        let is_ambiguous =
            self.is_ambiguous || self.listing.of_form(Kind::NotADate, (AMBIGUOUS, false)).is_some();
        // Dates that are right as they stand would keep the wrong order.
        if is_ambiguous
            && let Some(problem) = self.listing.of_form(Kind::NotADate, (MONTH_FIRST, true))
        {
            problem.fixable = false;
        }
    }
}
