//! The validation: one pass over the text, which allocates only for problems.

use std::ops::Range;

use csv::ByteRecord;

use super::bytes::{self, BadByte};
use super::cells;
use super::delimiter;
use super::doubled::SeenRows;
use super::header::{self, Layout};
use super::quotes;
use super::records::{Lines, Records};
use super::report::{Kind, MAX_PROBLEMS, Problem, Report, Severity, Spot, shown};
use super::schema::Table;

/// Checks the text of `file` against the schema of `table`.
///
/// The text, without byte order mark but else untouched, is there exactly if the bytes are valid
/// UTF-8 and the report has no error.
pub fn check(table: Table, file: &str, bytes: &[u8]) -> (Report, Option<String>) {
    let mut report = Report::new(file);
    if let Some(problem) = bytes::foreign(bytes) {
        report.problems.push(problem);
        return (report, None);
    }
    let text = bytes::without_bom(bytes);
    let (delimiter, records) = delimiter::find(table, text);
    let mut check = Check::new(table, text, bytes.len() - text.len(), delimiter, report);
    check.run(records);
    let report = check.report;
    let text = std::str::from_utf8(text).ok().filter(|_| report.is_valid());
    (report, text.map(str::to_owned))
}

struct Check<'a> {
    table: Table,
    text: &'a [u8],
    /// The length of the byte order mark before the text.
    bom: usize,
    delimiter: u8,
    lines: Lines<'a>,
    layout: Layout,
    bad_bytes: std::vec::IntoIter<BadByte>,
    has_quotes: bool,
    has_extra: bool,
    seen: SeenRows,
    errors: usize,
    warnings: usize,
    report: Report,
}

/// A record, and where it is.
struct Line<'a> {
    /// None for the header.
    row: Option<u64>,
    span: Range<usize>,
    record: &'a ByteRecord,
}

impl<'a> Check<'a> {
    fn new(table: Table, text: &'a [u8], bom: usize, delimiter: u8, report: Report) -> Self {
        Self {
            table,
            text,
            bom,
            delimiter,
            lines: Lines::new(text),
            layout: Layout::of(table),
            bad_bytes: bytes::bad_bytes(text).into_iter(),
            has_quotes: text.contains(&b'"'),
            has_extra: false,
            seen: SeenRows::default(),
            errors: 0,
            warnings: 0,
            report,
        }
    }

    fn run(&mut self, mut records: Records<'_>) {
        let mut record = ByteRecord::new();
        let (mut is_first, mut has_header) = (true, false);
        while let Some(span) = records.read(&mut record) {
            if is_first {
                self.check_delimiter(&span);
                has_header = header::is_header(&record);
            }
            if is_first && has_header {
                self.check_header(&Line { row: None, span, record: &record });
            } else {
                self.report.rows += 1;
                self.check_row(&Line { row: Some(self.report.rows), span, record: &record });
            }
            is_first = false;
        }
        if self.report.rows == 0 {
            self.add(no_rows(self.text, has_header));
        }
    }

    fn add(&mut self, problem: Problem) {
        let count = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count < MAX_PROBLEMS {
            *count += 1;
            self.report.problems.push(problem);
        } else {
            self.report.omitted += 1;
        }
    }

    fn spot(&mut self, line: &Line<'_>) -> Spot {
        Spot { line: Some(self.lines.at(line.span.start)), row: line.row, ..Spot::default() }
    }

    fn cell_spot(&mut self, line: &Line<'_>, cell: usize) -> Spot {
        Spot {
            column: self.layout.name(cell).map(str::to_owned),
            value: line.record.get(cell).map(shown),
            ..self.spot(line)
        }
    }

    fn check_delimiter(&mut self, span: &Range<usize>) {
        let what = match self.delimiter {
            b',' => return,
            b'\t' => "tabs",
            _ => "semicolons",
        };
        let spot = Spot { line: Some(self.lines.at(span.start)), ..Spot::default() };
        self.add(Problem::new(
            Kind::WrongDelimiter,
            spot,
            format!("the columns are separated by {what}"),
            "commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`",
        ));
    }

    fn check_header(&mut self, line: &Line<'_>) {
        self.check_bytes(line);
        if self.check_quotes(line) {
            return;
        }
        let (layout, faults) = header::read(self.table, line.record);
        for fault in faults {
            let spot = Spot {
                column: fault.column.map(str::to_owned),
                value: fault.value,
                ..self.spot(line)
            };
            self.add(Problem::new(fault.kind, spot, fault.message, fault.expected));
        }
        self.layout = layout;
        self.check_width(line);
    }

    fn check_row(&mut self, line: &Line<'_>) {
        let blamed = self.check_bytes(line);
        if self.check_quotes(line) {
            return;
        }
        if line.record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            let spot = self.spot(line);
            let expected = "values, or no row at all";
            self.add(Problem::new(
                Kind::BlankRow,
                spot,
                "all cells of the row are empty",
                expected,
            ));
            return;
        }
        if line.record.len() < self.layout.width {
            self.too_few_columns(line);
            return;
        }
        self.check_width(line);
        self.check_cells(line, blamed);
        self.check_doubled(line);
    }

    /// Reports bad bytes of this record, and gives the last cell that has one.
    fn check_bytes(&mut self, line: &Line<'_>) -> Option<usize> {
        let mut blamed = None;
        while let Some(bad) = self.bad_bytes.as_slice().first().copied() {
            if bad.offset >= line.span.end {
                break;
            }
            self.bad_bytes.next();
            blamed = line.record.iter().position(|cell| bad.is_in(cell));
            let spot = match blamed {
                Some(cell) => self.cell_spot(line, cell),
                None => self.spot(line),
            };
            let at = self.lines.at(bad.offset);
            self.add(bad.problem(spot, self.bom + bad.offset, at));
        }
        blamed
    }

    /// Reports quotes that do not pair: the cells of such a record mean nothing.
    fn check_quotes(&mut self, line: &Line<'_>) -> bool {
        if !self.has_quotes {
            return false;
        }
        let raw = &self.text[line.span.clone()];
        let Some(fault) = quotes::fault(raw, self.delimiter) else {
            return false;
        };
        let spot = self.cell_spot(line, fault.cell);
        let opens = self.lines.at(line.span.start + fault.opens);
        let closes = self.lines.at(line.span.start + fault.closes);
        self.add(fault.problem(spot, (opens, closes), &raw[fault.closes..]));
        true
    }

    fn too_few_columns(&mut self, line: &Line<'_>) {
        let cells = line.record.len();
        let missing: Vec<_> =
            (cells..self.layout.width).filter_map(|cell| self.layout.name(cell)).collect();
        let spot = Spot {
            value: line.record.get(0).map(shown),
            column: missing.first().map(|name| (*name).to_owned()),
            ..self.spot(line)
        };
        let missing = missing.join("`, `");
        let message = format!("the row has only {}, without `{missing}`", columns(cells));
        let expected = columns(self.layout.width);
        self.add(Problem::new(Kind::TooFewColumns, spot, message, expected));
    }

    /// More columns are allowed, so one warning speaks for the whole file.
    fn check_width(&mut self, line: &Line<'_>) {
        if self.has_extra || line.record.len() <= self.layout.width {
            return;
        }
        self.has_extra = true;
        let spot = self.spot(line);
        let message = format!("there are {}", columns(line.record.len()));
        let expected = format!("{}; those behind are taken as optional columns", self.layout.width);
        self.add(Problem::new(Kind::ExtraColumns, spot, message, expected));
    }

    fn check_cells(&mut self, line: &Line<'_>, blamed: Option<usize>) {
        let read = cells::read(&self.layout, line.record, blamed);
        for fault in read.faults {
            let spot = self.cell_spot(line, fault.cell);
            self.add(fault.problem(spot));
        }
        if let Some((cell, message)) = read.end_before_start {
            let spot = self.cell_spot(line, cell);
            let expected = "an end not before the start";
            self.add(Problem::new(Kind::EndBeforeStart, spot, message, expected));
        }
    }

    fn check_doubled(&mut self, line: &Line<'_>) {
        if let Some(first) = self.seen.same_as(line.record, self.report.rows) {
            let message = format!("the row is the same as row {first}");
            let spot = self.spot(line);
            self.add(Problem::new(Kind::DoubledRow, spot, message, "every row once"));
        }
    }
}

fn no_rows(text: &[u8], has_header: bool) -> Problem {
    let message = if has_header {
        "there is only a header"
    } else if text.is_empty() {
        "the text is empty"
    } else {
        "there are only blank lines"
    };
    Problem::new(Kind::EmptyDataset, Spot::default(), message, "at least one row")
}

fn columns(count: usize) -> String {
    format!("{count} column{}", if count == 1 { "" } else { "s" })
}
