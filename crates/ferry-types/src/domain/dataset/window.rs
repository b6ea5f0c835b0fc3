//! Windows of the rows of a text, as they stand there: a part of them at a time, or those of a set.

use std::collections::BTreeSet;

use csv::ByteRecord;

use super::bytes::text_of;
use super::opening::{self, Opening};
use super::records::{Lines, Records, is_blank};
use super::schema::Table;

/// Characters of a cell, and cells of a row, that a window shows.
const MAX_CELL_CHARS: usize = 1000;
const MAX_CELLS: usize = 64;

/// Bytes of cells from which on no further row is shown.
const MAX_BYTES: usize = 1 << 20;

/// Rows of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// The cells of the header, or the names of the required columns where there is none.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<ShownRow>,
    /// The row at which the next window begins.
    pub next: Option<u64>,
}

/// A row of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRow {
    /// The data row, from 1.
    pub row: u64,
    /// The physical line on which it starts, from 1.
    pub line: u64,
    /// Its cells.
    pub cells: Vec<String>,
    /// The cells that are longer than shown.
    pub shortened: Vec<usize>,
    /// Number of cells that are not shown.
    pub omitted: usize,
}

/// At most `count` rows of a text from the row `from` on; only those in `of`, if that is given. It ends
/// earlier where the rows are large.
pub fn window(
    table: Table,
    text: &str,
    from: u64,
    count: usize,
    of: Option<&BTreeSet<u64>>,
) -> Window {
    let bytes = text_of(text.as_bytes());
    let opening = Opening::of(table, bytes);
    let window = Window { columns: names(table), ..Window::default() };
    let records = Records::new(bytes, opening.start, opening.delimiter);
    filled(window, (bytes, records), opening.has_header, (from, count), of)
}

/// The same of a text with any columns, whose first record names them.
pub fn sheet(text: &str, from: u64, count: usize) -> Window {
    let bytes = text_of(text.as_bytes());
    let (start, delimiter) = opening::of_any(bytes);
    let records = Records::new(bytes, start, delimiter);
    filled(Window::default(), (bytes, records), true, (from, count), None)
}

fn filled(
    mut window: Window,
    (bytes, mut records): (&[u8], Records<'_>),
    mut is_header: bool,
    (from, count): (u64, usize),
    of: Option<&BTreeSet<u64>>,
) -> Window {
    let (mut lines, mut record, mut number) = (Lines::new(bytes), ByteRecord::new(), 0);
    let mut room = MAX_BYTES;
    let last = of.map(|of| of.last().copied().unwrap_or_default());
    loop {
        let Some(span) = records.read(&mut record) else { return window };
        if is_blank(&record) {
            continue;
        }
        if std::mem::take(&mut is_header) {
            window.columns = shown(&record, &mut Vec::new());
            continue;
        }
        number += 1;
        if last.is_some_and(|last| number > last) {
            return window;
        }
        if number < from || of.is_some_and(|of| !of.contains(&number)) {
            continue;
        }
        if window.rows.len() == count || room == 0 {
            window.next = Some(number);
            return window;
        }
        let mut shortened = Vec::new();
        let cells = shown(&record, &mut shortened);
        room = room.saturating_sub(cells.iter().map(|cell| cell.len() + 32).sum());
        let (line, omitted) = (lines.at(span.start), record.len() - cells.len());
        window.rows.push(ShownRow { row: number, line, cells, shortened, omitted });
    }
}

fn names(table: Table) -> Vec<String> {
    table.columns().iter().map(|column| column.name.to_owned()).collect()
}

fn shown(record: &ByteRecord, shortened: &mut Vec<usize>) -> Vec<String> {
    let cell = |(at, cell): (usize, &[u8])| {
        let text = String::from_utf8_lossy(cell);
        let Some((end, _)) = text.char_indices().nth(MAX_CELL_CHARS) else {
            return text.into_owned();
        };
        shortened.push(at);
        text[..end].to_owned()
    };
    record.iter().take(MAX_CELLS).enumerate().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_has_the_columns_of_its_first_record_whatever_separates_them() {
        for text in [
            "Id,Name\n1,a\n\n2,\"b,c\"\n",
            "\u{feff}Id;Name\r\n1;a\r\n2;b,c\r\n",
            "Id\tName\n1\ta\n2\tb,c",
            "sep=|\nId|Name\n1|a\n2|b,c\n",
        ] {
            let first = sheet(text, 1, 1);
            assert_eq!((first.columns.join(" "), first.next), ("Id Name".to_owned(), Some(2)));
            assert_eq!(first.rows[0].cells, ["1", "a"], "{text}");
            let last = sheet(text, 2, 200);
            assert_eq!((last.rows[0].row, last.next), (2, None), "{text}");
            assert_eq!(last.rows[0].cells, ["2", "b,c"], "{text}");
        }
        let one = sheet("Id\n7\n", 1, 200);
        assert_eq!(
            (one.columns, one.rows[0].cells.clone()),
            (vec!["Id".to_owned()], vec!["7".to_owned()])
        );
        assert_eq!(sheet("", 1, 200), Window::default());
    }
}
