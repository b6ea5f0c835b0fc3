//! Puts edits into a text. Every byte that no edit concerns stays as it is: delimiter, quotes, line ends,
//! byte order mark.

use std::ops::Range;

use csv::ByteRecord;

use super::bytes::{text_of, without_bom};
use super::edits::{EditError, RowEdits, TextEdits};
use super::opening::Opening;
use super::records::{Records, value};
use super::schema::Table;

/// A text with edits in it, and the number of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// Number of cells that have another text.
    pub changed_cells: u64,
    /// Number of rows with such a cell.
    pub changed_rows: u64,
    /// Number of rows that were deleted.
    pub deleted_rows: u64,
    /// Number of rows that were inserted.
    pub inserted_rows: u64,
}

/// The text with these edits.
///
/// ```
/// use ferry_types::domain::dataset::{Edit, Edits, Table, edited};
///
/// let table = Table::Data;
/// let edit = Edit::Set { table, row: 2, cell: 0, value: "SITE-2".to_owned() };
/// let edits = Edits::of(vec![edit])?;
/// let text = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\r\n\"SITE 2\",03/03/2025,08:00,03/03/2025,17:00";
/// let edited = edited(table, text, edits.of_text(table))?;
/// assert_eq!(edited.text, text.replace("SITE 2", "SITE-2"));
/// assert_eq!((edited.changed_cells, edited.changed_rows), (1, 1));
/// # Ok::<(), ferry_types::domain::dataset::EditError>(())
/// ```
pub fn edited(table: Table, text: &str, edits: &TextEdits) -> Result<Edited, EditError> {
    let bytes = text_of(text.as_bytes());
    let bom = text.len() - without_bom(text.as_bytes()).len();
    let opening = Opening::of(table, bytes);
    let mut editing = Editing {
        table,
        bytes,
        delimiter: opening.delimiter,
        line_break: line_break(bytes, opening.start, opening.delimiter),
        copied: 0,
        written: text.as_bytes()[..bom].to_vec(),
        counts: Edited::default(),
    };
    editing.written.reserve(bytes.len());
    editing.run(&opening, edits)?;
    let text = String::from_utf8(editing.written)
        .expect("cells and rows of a text begin and end between its characters");
    Ok(Edited { text, ..editing.counts })
}

struct Editing<'a> {
    table: Table,
    bytes: &'a [u8],
    delimiter: u8,
    line_break: &'a [u8],
    /// Offset up to which the original is in the new text, or left out of it.
    copied: usize,
    written: Vec<u8>,
    counts: Edited,
}

impl Editing<'_> {
    fn run(&mut self, opening: &Opening, edits: &TextEdits) -> Result<(), EditError> {
        let mut rows = edits.rows().filter(|(_, row)| **row != RowEdits::default()).peekable();
        let mut records = Records::new(self.bytes, opening.start, self.delimiter);
        let (mut record, mut number) = (ByteRecord::new(), 0);
        if !opening.has_header
            && let Some((_, first)) = rows.next_if(|(row, _)| *row == 0)
        {
            self.copy_to(opening.start);
            self.insert(&first.inserted);
        }
        let mut is_header = opening.has_header;
        while let Some((wanted, _)) = rows.peek() {
            let wanted = *wanted;
            let Some((span, has_values)) = records.pass() else {
                return Err(EditError::NoRow { table: self.table, row: wanted });
            };
            if !has_values {
                continue;
            }
            number += u64::from(!std::mem::take(&mut is_header));
            if let Some((_, row)) = rows.next_if(|(row, _)| *row == number) {
                records.read_passed(&span, &mut record);
                self.edit(number, &span, records.cells(), row)?;
            }
        }
        self.copy_to(self.bytes.len());
        Ok(())
    }

    fn edit(
        &mut self,
        number: u64,
        span: &Range<usize>,
        cells: &[Range<usize>],
        row: &RowEdits,
    ) -> Result<(), EditError> {
        let end = span.end + break_at(&self.bytes[span.end..]).len();
        if row.is_deleted {
            self.copy_to(span.start);
            self.copied = end;
            self.counts.deleted_rows += 1;
        } else {
            self.set(number, cells, row)?;
        }
        if !row.inserted.is_empty() {
            self.copy_to(end);
            self.insert(&row.inserted);
        }
        Ok(())
    }

    fn set(
        &mut self,
        number: u64,
        cells: &[Range<usize>],
        row: &RowEdits,
    ) -> Result<(), EditError> {
        let before = self.counts.changed_cells;
        for (cell, text) in &row.cells {
            let no_cell = || EditError::NoCell { table: self.table, row: number, cell: *cell };
            let at = cells.get(*cell).ok_or_else(no_cell)?.clone();
            let raw = &self.bytes[at.clone()];
            if *value(raw) == *text.as_bytes() {
                continue;
            }
            let was_quoted = raw.starts_with(b"\"");
            self.copy_to(at.start);
            self.put(text, was_quoted);
            self.copied = at.end;
            self.counts.changed_cells += 1;
        }
        self.counts.changed_rows += u64::from(self.counts.changed_cells > before);
        Ok(())
    }

    /// Writes rows behind what was copied.
    fn insert(&mut self, rows: &[Vec<String>]) {
        let last = without_bom(&self.written).last();
        // Behind a last line without an end, the last of the new ones has none either.
        let is_open = last.is_some_and(|byte| !is_break(*byte));
        for cells in rows {
            if is_open {
                self.written.extend_from_slice(self.line_break);
            }
            for (cell, text) in cells.iter().enumerate() {
                if cell > 0 {
                    self.written.push(self.delimiter);
                }
                self.put(text, false);
            }
            if !is_open {
                self.written.extend_from_slice(self.line_break);
            }
        }
        self.counts.inserted_rows += rows.len() as u64;
    }

    fn copy_to(&mut self, end: usize) {
        if let Some(bytes) = self.bytes.get(self.copied..end) {
            self.written.extend_from_slice(bytes);
            self.copied = end;
        }
    }

    fn put(&mut self, text: &str, was_quoted: bool) {
        let has_mark = text.starts_with('\u{feff}');
        let is_special = |byte: u8| byte == self.delimiter || matches!(byte, b'"' | b'\r' | b'\n');
        if !was_quoted && !has_mark && !text.bytes().any(is_special) {
            return self.written.extend_from_slice(text.as_bytes());
        }
        let quoted = format!("\"{}\"", text.replace('"', "\"\""));
        self.written.extend_from_slice(quoted.as_bytes());
    }
}

/// The line break behind the first record from `start` on: new rows end with it, too.
fn line_break(bytes: &[u8], start: usize, delimiter: u8) -> &[u8] {
    let first = Records::new(bytes, start, delimiter).read(&mut ByteRecord::new());
    let found = first.map_or(&b""[..], |span| break_at(&bytes[span.end..]));
    if found.is_empty() { b"\r\n" } else { found }
}

/// The line break with which `bytes` begin, if they do.
fn break_at(bytes: &[u8]) -> &[u8] {
    let length = match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    };
    &bytes[..length]
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}
