//! Windows of the rows of a text, as they stand there: a part of them at a time, or those of a set.

use std::collections::BTreeSet;

use csv::ByteRecord;

use super::bytes::text_of;
use super::opening::{self, Opening};
use super::records::{Lines, Records};
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

/// Places of rows of a text, so that a later window of the same text begins near its first row.
#[derive(Debug, Clone, Default)]
pub struct Bookmarks(Vec<Bookmark>);

/// The place of a row.
#[derive(Debug, Clone, Copy)]
struct Bookmark {
    row: u64,
    offset: usize,
    line: u64,
}

/// Rows between two bookmarks: a window passes over fewer.
const BETWEEN: u64 = 1024;

impl Bookmarks {
    /// The last one up to a row.
    fn before(&self, row: u64) -> Option<&Bookmark> {
        self.0[..self.0.partition_point(|mark| mark.row <= row)].last()
    }

    /// True if this row gets one.
    fn wants(&self, row: u64) -> bool {
        row >= self.0.last().map_or(1, |last| last.row) + BETWEEN
    }
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
    marked_window(table, text, (from, count), of, &mut Bookmarks::default())
}

/// The same with the bookmarks of this text, to which it adds those of the rows that it passes.
pub fn marked_window(
    table: Table,
    text: &str,
    (from, count): (u64, usize),
    of: Option<&BTreeSet<u64>>,
    bookmarks: &mut Bookmarks,
) -> Window {
    let bytes = text_of(text.as_bytes());
    let opening = Opening::of(table, bytes);
    let window = Window { columns: names(table), ..Window::default() };
    let records = Records::new(bytes, opening.start, opening.delimiter);
    let opened = Opened { bytes, records, is_header: opening.has_header };
    filled(window, opened, (from, count), of, bookmarks)
}

/// The same of a text with any columns, whose first record names them.
pub fn sheet(text: &str, from: u64, count: usize) -> Window {
    let bytes = text_of(text.as_bytes());
    let (start, delimiter) = opening::of_any(bytes);
    let records = Records::new(bytes, start, delimiter);
    let opened = Opened { bytes, records, is_header: true };
    filled(Window::default(), opened, (from, count), None, &mut Bookmarks::default())
}

/// A text whose next record is read.
struct Opened<'a> {
    bytes: &'a [u8],
    records: Records<'a>,
    /// The next record is the header.
    is_header: bool,
}

fn filled(
    mut window: Window,
    Opened { bytes, mut records, mut is_header }: Opened<'_>,
    (from, count): (u64, usize),
    of: Option<&BTreeSet<u64>>,
    bookmarks: &mut Bookmarks,
) -> Window {
    let (mut lines, mut record, mut number) = (Lines::new(bytes), ByteRecord::new(), 0);
    let mut room = MAX_BYTES;
    while let Some((span, has_values)) = records.pass() {
        if !has_values {
            continue;
        }
        if std::mem::take(&mut is_header) {
            records.read_passed(&span, &mut record);
            window.columns = shown(&record, &mut Vec::new());
            continue;
        }
        number += 1;
        if bookmarks.wants(number) {
            let (offset, line) = (span.start, lines.at(span.start));
            bookmarks.0.push(Bookmark { row: number, offset, line });
        }
        let wanted = match of {
            Some(of) => of.range(number.max(from)..).next().copied(),
            None => Some(number.max(from)),
        };
        let Some(wanted) = wanted else { break };
        if wanted > number {
            if let Some(mark) = bookmarks.before(wanted).filter(|mark| mark.row > number) {
                (number, lines) = (mark.row - 1, Lines::from(bytes, mark.offset, mark.line));
                records.jump(mark.offset);
            }
            continue;
        }
        if window.rows.len() == count || room == 0 {
            window.next = Some(number);
            break;
        }
        records.read_passed(&span, &mut record);
        let mut shortened = Vec::new();
        let cells = shown(&record, &mut shortened);
        room = room.saturating_sub(cells.iter().map(|cell| cell.len() + 32).sum());
        let (line, omitted) = (lines.at(span.start), record.len() - cells.len());
        window.rows.push(ShownRow { row: number, line, cells, shortened, omitted });
    }
    window
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_behind_bookmarks_is_the_same_as_without(
            rows in prop::collection::vec("(SITE|\"a\n\"\"b\"|\"\"|,| )?,03/03/2025,[a\" ]?(\r\n|\n|\n\n)", 0..60),
            starts in prop::collection::vec(1_u64..9000, 1..6),
            of in prop::option::of(prop::collection::btree_set(1_u64..9000, 0..9)),
        ) {
            let text = format!("Reference,StartDate\n{}", rows.concat().repeat(100));
            let mut bookmarks = Bookmarks::default();
            for from in starts {
                let marked = marked_window(Table::Data, &text, (from, 5), of.as_ref(), &mut bookmarks);
                prop_assert_eq!(marked, window(Table::Data, &text, from, 5, of.as_ref()));
            }
        }
    }

    #[test]
    fn a_window_behind_a_bookmark_passes_over_few_rows() {
        let row = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\n";
        let (text, mut bookmarks) = (row.repeat(5000), Bookmarks::default());
        let window = marked_window(Table::Data, &text, (4900, 5), None, &mut bookmarks);
        assert_eq!(
            (window.rows[0].row, window.rows[0].line, window.next),
            (4900, 4900, Some(4905))
        );
        let mark = bookmarks.before(4900).unwrap();
        assert!(4900 - mark.row < BETWEEN, "{mark:?}");
        assert_eq!(mark.offset, (mark.row as usize - 1) * row.len());
    }

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
