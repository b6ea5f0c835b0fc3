//! Problems of one CSV text, for programs and for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::sanitize::sanitize;

/// A report lists at most this many errors, and as many warnings; the rest is only counted.
pub const MAX_PROBLEMS: usize = 1000;

/// Values and cells are shown up to this length.
const MAX_VALUE_CHARS: usize = 80;

/// Everything that is to be said about one CSV text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The file, or the field of the request, as people know it.
    pub file: String,
    /// Data rows; the header and rows of empty cells do not count.
    pub rows: u64,
    /// Number of errors, listed or not.
    pub error_count: u64,
    /// Number of warnings, listed or not.
    pub warning_count: u64,
    /// The problems, in the order of the lines. Cells in the same wrong form are one problem, at the first.
    pub problems: Vec<Problem>,
    /// Number of errors and warnings that no listed problem counts.
    pub omitted: u64,
    /// Number of the last rows that were only counted, because there are too many errors before them.
    #[serde(default)]
    pub unchecked_rows: u64,
}

/// One thing that is wrong, or looks so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Problem {
    /// Severity.
    pub severity: Severity,
    /// Kind, for programs.
    pub kind: Kind,
    /// The physical line on which the record starts, from 1; null if the whole text is meant.
    pub line: Option<u64>,
    /// The data row, from 1; null for the header or the whole text.
    pub row: Option<u64>,
    /// The name of the column, where one is meant.
    pub column: Option<String>,
    /// The invalid value, shortened, control characters escaped.
    pub value: Option<String>,
    /// Description for people, without the location.
    pub message: String,
    /// Expected form, or what to do.
    pub expected: String,
    /// Number of cells, rows or lines that have it; the location is that of the first.
    #[serde(default = "one")]
    pub count: u64,
    /// True if `ferry validate --fix` removes it, beyond doubt and without loss.
    #[serde(default)]
    pub fixable: bool,
}

closed_set! {
    /// Severity of a problem.
    pub enum Severity: "severity" in json {
        /// The Platform would reject it.
        Error = "error",
        /// It may be meant so.
        Warning = "warning",
    }
}

closed_set! {
    /// Kind of a problem: the closed set for programs.
    pub enum Kind: "kind" in json {
        /// There is no data row.
        EmptyDataset = "empty_dataset",
        /// A workbook or an archive, not CSV.
        NotCsv = "not_csv",
        /// UTF-16 text.
        Utf16 = "utf16",
        /// UTF-32 text.
        Utf32 = "utf32",
        /// Text in the Windows-1252 encoding.
        Windows1252 = "windows1252",
        /// Bytes that are not UTF-8.
        NotUtf8 = "not_utf8",
        /// A NUL byte.
        NulByte = "nul_byte",
        /// Semicolons, tabs, pipes or other characters instead of commas.
        WrongDelimiter = "wrong_delimiter",
        /// A `sep=` line, which is left out of the upload.
        SepLine = "sep_line",
        /// Lines above the header.
        LinesAboveHeader = "lines_above_header",
        /// A line that is quoted as a whole.
        QuotedLine = "quoted_line",
        /// Lines that end in a carriage return alone.
        CarriageReturn = "carriage_return",
        /// A quote that is never closed.
        UnclosedQuote = "unclosed_quote",
        /// Text between a closing quote and the next comma.
        TextAfterQuote = "text_after_quote",
        /// The header is that of the other table.
        OtherTable = "other_table",
        /// A required column is not in the header.
        MissingColumn = "missing_column",
        /// The header has another name where a required column belongs.
        UnknownColumn = "unknown_column",
        /// The required columns are not the first ones, or not in their order.
        ColumnOrder = "column_order",
        /// The header stands among the rows once more.
        RepeatedHeader = "repeated_header",
        /// A row ends before the last required column.
        TooFewColumns = "too_few_columns",
        /// A row of empty cells, which is left out of the upload.
        BlankRow = "blank_row",
        /// A required cell is empty.
        EmptyCell = "empty_cell",
        /// Not a date, DD/MM/YYYY.
        NotADate = "not_a_date",
        /// Not a time, hh:mm.
        NotATime = "not_a_time",
        /// Not 0, 1 or 2.
        NotATimeReference = "not_a_time_reference",
        /// Blanks around a date or a time, which are left out of the upload.
        BlanksAround = "blanks_around",
        /// A no-break, zero-width or other invisible character in a cell, around the name of a column, or at the end of the file.
        InvisibleCharacter = "invisible_character",
        /// A text that a spreadsheet or a word processor changed.
        ChangedText = "changed_text",
        /// The end is before the start.
        EndBeforeStart = "end_before_start",
        /// The same as an earlier row.
        DoubledRow = "doubled_row",
        /// More columns than the required ones.
        ExtraColumns = "extra_columns",
        /// An event of a reference that no data row has.
        UnknownReference = "unknown_reference",
    }
}

fn one() -> u64 {
    1
}

impl Report {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            rows: 0,
            error_count: 0,
            warning_count: 0,
            problems: Vec::new(),
            omitted: 0,
            unchecked_rows: 0,
        }
    }

    /// True if there is no error; there may be warnings.
    pub fn is_valid(&self) -> bool {
        self.error_count == 0
    }

    /// True if `ferry validate --fix` removes every error.
    pub fn is_fixable(&self) -> bool {
        let listed: u64 =
            self.errors().filter(|error| error.fixable).map(|error| error.count).sum();
        listed == self.error_count && self.unchecked_rows == 0
    }

    /// Counts `count` cells, rows or lines.
    pub(super) fn count(&mut self, severity: Severity, count: u64) {
        match severity {
            Severity::Error => self.error_count += count,
            Severity::Warning => self.warning_count += count,
        }
    }

    /// The errors that are listed.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.of(Severity::Error)
    }

    /// The warnings that are listed.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.of(Severity::Warning)
    }

    fn of(&self, severity: Severity) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |problem| problem.severity == severity)
    }
}

impl Kind {
    /// Its severity.
    pub const fn severity(self) -> Severity {
        match self {
            Self::SepLine
            | Self::CarriageReturn
            | Self::BlankRow
            | Self::BlanksAround
            | Self::InvisibleCharacter
            | Self::ChangedText
            | Self::EndBeforeStart
            | Self::DoubledRow
            | Self::ExtraColumns
            | Self::UnknownReference => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// Location of a problem.
#[derive(Debug, Clone, Default)]
pub(super) struct Location {
    pub(super) line: Option<u64>,
    pub(super) row: Option<u64>,
    pub(super) column: Option<String>,
    pub(super) value: Option<String>,
}

impl Problem {
    pub(super) fn new(
        kind: Kind,
        location: Location,
        message: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            severity: kind.severity(),
            kind,
            line: location.line,
            row: location.row,
            column: location.column,
            value: location.value,
            message: message.into(),
            expected: expected.into(),
            count: 1,
            fixable: false,
        }
    }

    /// The same, which `ferry validate --fix` removes if `fixable`.
    pub(super) fn fixable(self, fixable: bool) -> Self {
        Self { fixable, ..self }
    }
}

/// A cell as it may be shown.
pub(super) fn excerpt(cell: &[u8]) -> String {
    sanitize(&String::from_utf8_lossy(cell), MAX_VALUE_CHARS)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locations = [
            self.line.map(|line| format!("line {line}")),
            self.row.map(|row| format!("row {row}")),
            self.column.as_ref().map(|column| format!("column `{column}`")),
        ];
        let position = locations.into_iter().flatten().collect::<Vec<_>>().join(", ");
        if !position.is_empty() {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}", self.message)?;
        if self.count > 1 {
            write!(f, " ({} in all)", grouped(self.count))?;
        }
        write!(f, ": expected {}", self.expected)
    }
}

/// A number with commas between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
