//! Checks the cells of one row, each alone and the end against the start.

use csv::ByteRecord;

use super::blank;
use super::datetime;
use super::forms;
use super::header::Layout;
use super::report::{Kind, Location, Problem, excerpt};
use super::schema::{Column, ColumnType};

/// Findings about the cells of a row.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) faults: Vec<CellError>,
    /// Cells that are accepted with a warning: their kind and its name.
    pub(super) remarks: Vec<(usize, Kind, &'static str)>,
    /// The cell that makes the end come before the start, and a message.
    pub(super) end_before_start: Option<(usize, String)>,
    /// True if a date would be another one with the month first.
    pub(super) is_ambiguous: bool,
}

/// A cell that does not hold what its column wants.
#[derive(Debug)]
pub(super) struct CellError {
    pub(super) cell: usize,
    pub(super) column: Column,
    pub(super) kind: Kind,
}

/// Reads a row that is as wide as `layout` asks; `but` is a cell that has an error already.
pub(super) fn read(layout: &Layout, record: &ByteRecord, but: Option<usize>) -> Cells {
    let mut cells = Cells::default();
    // Days and minutes, by the place of their column.
    let mut numbers = [None; 7];
    let columns = layout.columns.iter().zip(&layout.cells).zip(&mut numbers);
    for ((column, cell), number) in columns {
        let Some(cell) = cell.filter(|cell| Some(*cell) != but) else {
            continue;
        };
        let raw = &record[cell];
        match read_cell(column.holds, blank::trim(raw)) {
            Ok(read) => *number = Some(read),
            Err(kind) => {
                cells.faults.push(CellError { cell, column: *column, kind });
                continue;
            }
        }
        cells.is_ambiguous |= column.holds == ColumnType::Date && is_ambiguous(raw.trim_ascii());
        if let Some((kind, name)) = remark(column.holds, raw) {
            cells.remarks.push((cell, kind, name));
        }
    }
    if let [_, Some(day1), Some(time1), Some(day2), Some(time2), ..] = numbers
        && (day2, time2) < (day1, time1)
    {
        cells.end_before_start = end_before_start(layout, record, if day2 < day1 { 3 } else { 4 });
    }
    cells
}

/// The number that a cell stands for, or what is wrong with it. A text stands for none: 0.
fn read_cell(holds: ColumnType, cell: &[u8]) -> Result<i32, Kind> {
    if cell.is_empty() {
        return Err(Kind::EmptyCell);
    }
    match holds {
        ColumnType::Text => Ok(0),
        ColumnType::Date => datetime::day(cell).ok_or(Kind::NotADate),
        ColumnType::Time => datetime::minute(cell).ok_or(Kind::NotATime),
        ColumnType::TimeReference => match cell {
            b"0" | b"1" | b"2" => Ok(0),
            _ => Err(Kind::NotATimeReference),
        },
    }
}

/// True if day and month of DD/MM/YYYY could change places.
fn is_ambiguous(date: &[u8]) -> bool {
    let [d1, d2, _, m1, m2, ..] = *date else { return false };
    [d1, d2] != [m1, m2] && [d1, d2] <= *b"12" && [m1, m2] <= *b"12"
}

/// The reason why a cell that is right deserves a warning.
fn remark(holds: ColumnType, cell: &[u8]) -> Option<(Kind, &'static str)> {
    match holds {
        ColumnType::Date | ColumnType::Time if cell.len() == blank::trim(cell).len() => None,
        ColumnType::Date | ColumnType::Time if blank::invisible_in(cell).is_none() => {
            Some((Kind::BlanksAround, "has blanks around it"))
        }
        ColumnType::Date | ColumnType::Time => {
            Some((Kind::InvisibleCharacter, "has an invisible character around it"))
        }
        ColumnType::Text if blank::invisible_in(cell).is_some() => {
            Some((Kind::InvisibleCharacter, "holds an invisible character"))
        }
        ColumnType::Text => Some((Kind::ChangedText, forms::remark(cell)?)),
        ColumnType::TimeReference => None,
    }
}

/// The warning about a cell that is accepted.
pub(super) fn remark_problem(kind: Kind, name: &str, cell: &[u8], location: Location) -> Problem {
    let value = excerpt(cell);
    let bare = || excerpt(blank::trim(cell));
    let char = blank::invisible_in(cell).map(blank::name).unwrap_or_default();
    let (message, expected) = match (kind, name) {
        (Kind::BlanksAround, _) => {
            (format!("`{value}` {name}"), format!("`{}`, which is uploaded", bare()))
        }
        (Kind::InvisibleCharacter, "holds an invisible character") => (
            format!("`{value}` holds {char}"),
            "the text without it; it is uploaded as it is".to_owned(),
        ),
        (Kind::InvisibleCharacter, _) => {
            (format!("`{value}` has {char} around it"), format!("`{}`, which is uploaded", bare()))
        }
        _ => (format!("`{value}` {name}"), "the text itself; it is uploaded as it is".to_owned()),
    };
    let is_trimmed = name != "holds an invisible character" && kind != Kind::ChangedText;
    Problem::new(kind, location, message, expected).fixable(is_trimmed)
}

fn end_before_start(
    layout: &Layout,
    record: &ByteRecord,
    position: usize,
) -> Option<(usize, String)> {
    let text = |position: usize| Some(excerpt(blank::trim(&record[layout.cells[position]?])));
    let (start_day, start_time, end_day, end_time) = (text(1)?, text(2)?, text(3)?, text(4)?);
    let message =
        format!("the end `{end_day} {end_time}` is before the start `{start_day} {start_time}`");
    Some((layout.cells[position]?, message))
}

impl CellError {
    /// The error about a cell in no form that is known.
    pub(super) fn problem(&self, location: Location) -> Problem {
        let expected = match self.column.holds {
            ColumnType::Text => "some text",
            ColumnType::Date => "DD/MM/YYYY, such as 31/12/2025",
            ColumnType::Time => "hh:mm from 00:00 to 23:59",
            ColumnType::TimeReference => "0, 1 or 2",
        };
        let value = location.value.clone().unwrap_or_default();
        let what = match self.kind {
            Kind::NotADate => "is not a calendar date",
            Kind::NotATime => "is not a time of day",
            Kind::NotATimeReference => "is not a time reference",
            kind if value.trim().is_empty() => {
                return Problem::new(kind, location, "the cell is empty", expected);
            }
            kind => {
                let message = format!("the cell is empty but for `{value}`");
                return Problem::new(kind, location, message, expected);
            }
        };
        Problem::new(self.kind, location, format!("`{value}` {what}"), expected)
    }

    /// The error about a cell in a form that is known.
    pub(super) fn in_form(&self, form: &forms::Form, location: Location) -> Problem {
        let format = if self.kind == Kind::NotADate { "DD/MM/YYYY" } else { "hh:mm" };
        let expected = match &form.instead {
            Some(instead) if form.name == forms::MONTH_FIRST => {
                format!("{format} in the whole file, here `{instead}`")
            }
            Some(instead) => format!("{format}, here `{instead}`"),
            None => format!(
                "{format}, such as {}",
                if self.kind == Kind::NotADate { "31/12/2025" } else { "09:00" }
            ),
        };
        let value = location.value.clone().unwrap_or_default();
        let message = format!("`{value}` {}", form.name);
        Problem::new(self.kind, location, message, expected).fixable(form.is_certain)
    }
}
