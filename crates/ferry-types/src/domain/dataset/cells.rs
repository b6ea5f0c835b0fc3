//! Checks the cells of one row, each alone and the end against the start.

use csv::ByteRecord;

use super::header::Layout;
use super::moments;
use super::report::{Kind, Problem, Spot, shown};
use super::schema::{Column, ColumnType};

/// What the cells of a row are.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) faults: Vec<CellFault>,
    /// The cell that makes the end come before the start, and a message.
    pub(super) end_before_start: Option<(usize, String)>,
}

/// A cell that does not hold what its column wants.
#[derive(Debug)]
pub(super) struct CellFault {
    pub(super) cell: usize,
    column: Column,
    kind: Kind,
}

/// Reads a row that is as wide as `layout` asks; `but` is a cell of which enough has been said.
pub(super) fn read(layout: &Layout, record: &ByteRecord, but: Option<usize>) -> Cells {
    let mut cells = Cells::default();
    // Days and minutes, by the place of their column.
    let mut numbers = [None; 7];
    let columns = layout.columns.iter().zip(&layout.cells).zip(&mut numbers);
    for ((column, cell), number) in columns {
        let Some(cell) = cell.filter(|cell| Some(*cell) != but) else {
            continue;
        };
        match read_cell(column.holds, record[cell].trim_ascii()) {
            Ok(read) => *number = Some(read),
            Err(kind) => cells.faults.push(CellFault { cell, column: *column, kind }),
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
        ColumnType::Date => moments::day(cell).ok_or(Kind::NotADate),
        ColumnType::Time => moments::minute(cell).ok_or(Kind::NotATime),
        ColumnType::TimeReference => match cell {
            b"0" | b"1" | b"2" => Ok(0),
            _ => Err(Kind::NotATimeReference),
        },
    }
}

fn end_before_start(layout: &Layout, record: &ByteRecord, place: usize) -> Option<(usize, String)> {
    let text = |place: usize| Some(shown(record[layout.cells[place]?].trim_ascii()));
    let (start_day, start_time, end_day, end_time) = (text(1)?, text(2)?, text(3)?, text(4)?);
    let message =
        format!("the end `{end_day} {end_time}` is before the start `{start_day} {start_time}`");
    Some((layout.cells[place]?, message))
}

impl CellFault {
    pub(super) fn problem(&self, spot: Spot) -> Problem {
        let expected = match self.column.holds {
            ColumnType::Text => "some text",
            ColumnType::Date => "DD/MM/YYYY, such as 31/12/2025",
            ColumnType::Time => "hh:mm from 00:00 to 23:59",
            ColumnType::TimeReference => "0, 1 or 2",
        };
        let what = match self.kind {
            Kind::NotADate => "is not a calendar date",
            Kind::NotATime => "is not a time of day",
            Kind::NotATimeReference => "is not a time reference",
            kind => return Problem::new(kind, spot, "the cell is empty", expected),
        };
        let value = spot.value.clone().unwrap_or_default();
        Problem::new(self.kind, spot, format!("`{value}` {what}"), expected)
    }
}
