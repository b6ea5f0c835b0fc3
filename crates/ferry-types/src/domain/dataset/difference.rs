//! Compares two texts row by row, and says which cells differ.

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::alignment::{Pair, align};
use super::bytes::text_of;
use super::opening::Opening;
use super::records::{Records, is_blank};
use super::report::excerpt;
use super::schema::Table;

/// Differences between two datasets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// Number of cells that have another text.
    pub changed_cells: u64,
    /// Number of rows with such a cell.
    pub changed_rows: u64,
    /// Number of rows that only the earlier dataset has.
    pub deleted_rows: u64,
    /// Number of rows that only the later dataset has.
    pub inserted_rows: u64,
    /// Some of these rows, in their order.
    pub rows: Vec<RowDifference>,
    /// Number of these rows before the first one that is listed.
    pub skipped: u64,
    /// True if more follow.
    pub has_more: bool,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowDifference {
    /// The CSV text of the dataset.
    pub table: Table,
    /// The data row in the earlier dataset, from 1; null if it was inserted.
    pub before: Option<u64>,
    /// The data row in the later dataset, from 1; null if it was deleted.
    pub after: Option<u64>,
    /// The cells that differ; all of a row that was deleted or inserted.
    pub cells: Vec<CellDifference>,
}

/// A cell that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellDifference {
    /// Index in the row, from 0.
    pub cell: usize,
    /// The name of its column, if that is a required one.
    pub column: Option<String>,
    /// Its text in the earlier dataset, shortened, control characters escaped; null if it was not there.
    pub before: Option<String>,
    /// Its text in the later dataset, likewise.
    pub after: Option<String>,
}

/// Cells of a row that are listed.
const MAX_CELLS: usize = 64;

/// The rows of a text, as they stand there.
struct Rows<'a> {
    delimiter: u8,
    rows: Vec<&'a [u8]>,
}

impl Difference {
    /// True if the datasets have the same cells.
    pub fn is_empty(&self) -> bool {
        self.changed_cells + self.deleted_rows + self.inserted_rows == 0
    }

    /// Adds the differences between two forms of a text. At most `count` rows are listed, behind the first
    /// `from` of all texts together.
    pub fn add(&mut self, table: Table, (before, after): (&str, &str), from: u64, count: usize) {
        let (before, after) = (Rows::of(table, before), Rows::of(table, after));
        for pair in align(&before.rows, &after.rows) {
            self.add_pair(table, (&before, &after), pair, (from, count));
        }
    }

    fn add_pair(
        &mut self,
        table: Table,
        (before, after): (&Rows<'_>, &Rows<'_>),
        pair: Pair,
        (from, count): (u64, usize),
    ) {
        let records =
            (pair.before.map(|row| before.record(row)), pair.after.map(|row| after.record(row)));
        let cells = cells(table, &records);
        match (&records.0, &records.1) {
            (Some(_), Some(_)) if cells.is_empty() => return,
            (Some(_), Some(_)) => {
                self.changed_cells += cells.len() as u64;
                self.changed_rows += 1;
            }
            (Some(_), None) => self.deleted_rows += 1,
            _ => self.inserted_rows += 1,
        }
        let number = self.changed_rows + self.deleted_rows + self.inserted_rows;
        if number <= from {
            self.skipped += 1;
        } else if self.rows.len() == count {
            self.has_more = true;
        } else {
            let number = |row: usize| row as u64 + 1;
            let (before, after) = (pair.before.map(number), pair.after.map(number));
            let cells = cells.into_iter().take(MAX_CELLS).collect();
            self.rows.push(RowDifference { table, before, after, cells });
        }
    }
}

impl<'a> Rows<'a> {
    fn of(table: Table, text: &'a str) -> Self {
        let bytes = text_of(text.as_bytes());
        let opening = Opening::of(table, bytes);
        let delimiter = opening.delimiter;
        let mut records = Records::new(bytes, opening.start, delimiter);
        let (mut rows, mut record, mut is_header) =
            (Vec::new(), ByteRecord::new(), opening.has_header);
        while let Some(span) = records.read(&mut record) {
            if !is_blank(&record) && !std::mem::take(&mut is_header) {
                rows.push(&bytes[span]);
            }
        }
        Self { delimiter, rows }
    }

    fn record(&self, row: usize) -> ByteRecord {
        let mut record = ByteRecord::new();
        Records::new(self.rows[row], 0, self.delimiter).read(&mut record);
        record
    }
}

fn cells(
    table: Table,
    (before, after): &(Option<ByteRecord>, Option<ByteRecord>),
) -> Vec<CellDifference> {
    let width = |record: &Option<ByteRecord>| record.as_ref().map_or(0, ByteRecord::len);
    let all = 0..width(before).max(width(after));
    let get = |record: &Option<ByteRecord>, cell| Some(record.as_ref()?.get(cell)?.to_vec());
    let differing = all.filter_map(|cell| {
        let (before, after) = (get(before, cell), get(after, cell));
        let column = table.columns().get(cell).map(|column| column.name.to_owned());
        let text = |cell: Option<Vec<u8>>| cell.map(|cell| excerpt(&cell));
        let is_same = before == after;
        (!is_same).then(|| CellDifference {
            cell,
            column,
            before: text(before),
            after: text(after),
        })
    });
    differing.collect()
}
