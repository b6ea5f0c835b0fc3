//! Finds the row and the cell that a item means.
//!
//! A row is taken only if it holds the value. Where several do, the way of counting that explains
//! every item may distinguish them; where it does not, the item names them all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::read::{RawItem, excerpt};
use super::row_numbering::{RowNumbering, candidates};
use crate::domain::dataset::{Row, Table, each_wanted_row, trim};
use crate::domain::sanitize::sanitize;

/// A value may have so many bars.
const MAX_BARS: usize = 16;
/// Cells behind these are not compared: datasets have seven columns, and perhaps a few more.
const MAX_COMPARED_CELLS: usize = 128;
/// Maximum number of cells of a row.
const MAX_KEPT_CELLS: usize = 64;
/// Maximum length of a cell or a value.
const MAX_CELL_CHARS: usize = 100;
/// Bytes of cells and names of columns that the locations of a feedback show together. One row may be meant by
/// thousands of items, each of a few bytes.
const MAX_SHOWN_BYTES: usize = 4 << 20;

/// A feedback item, with its locations in the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FeedbackItem {
    /// The row as the Platform counts; none if it named none.
    pub row: Option<u64>,
    /// The value that it names, shortened, control characters escaped; none if the Platform named none.
    pub value: Option<String>,
    /// Message of the Platform, shortened, control characters escaped.
    pub message: String,
    /// Rows that it may mean: none if no row holds the value.
    pub locations: Vec<RowLocation>,
}

/// A row that holds the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowLocation {
    /// The CSV text of the dataset.
    pub table: Table,
    /// The data row, from 1, the header not counted.
    pub row: u64,
    /// The physical line of the submitted text on which it starts, from 1.
    pub line: u64,
    /// The cells that hold the value: nearly always one.
    pub matching_cells: Vec<CellRef>,
    /// The first cells of the row, shortened, control characters escaped; none where the locations before
    /// this one show several megabytes.
    pub cells: Vec<String>,
}

/// A cell that holds the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellRef {
    /// Index in the row, from 0.
    pub cell: usize,
    /// The name of its column; none for an extra one that the header does not name, and where no cells are
    /// shown.
    pub column: Option<String>,
}

/// Finds the rows of each item in the texts as they were submitted, in the order of the items.
///
/// The Platform counts the rows of the canonical form, from which lines without data are missing. `line`
/// of a place is the line in the submitted text.
///
/// ```
/// use ferry_types::domain::feedback::{locate, read};
///
/// let data = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\nSITE-2,03/03/2025,08:00,03/03/2025,16:30\n";
/// let items = locate(&read("2|SITE-2|unknown reference"), Some(data), None);
/// assert_eq!(items[0].message, "unknown reference");
/// assert_eq!(items[0].locations[0].line, 2);
/// ```
pub fn locate(
    items: &[RawItem],
    data: Option<&str>,
    event_data: Option<&str>,
) -> Vec<FeedbackItem> {
    let wanted: BTreeSet<u64> = items.iter().filter_map(said).collect();
    let texts: Vec<_> = [(Table::Data, data), (Table::Events, event_data)]
        .into_iter()
        .filter_map(|(table, text)| Some(Rows::read(table, text?, &wanted)))
        .collect();
    let candidates: Vec<_> = items.iter().map(|item| search(item, &texts)).collect();
    // A way that finds every value is how the Platform counts.
    let common = candidates
        .iter()
        .filter(|candidate| !candidate.matches.is_empty())
        .fold(RowNumbering::ALL, |common, candidate| common.and(candidate.numbering()));
    let mut room = MAX_SHOWN_BYTES;
    candidates.into_iter().map(|candidate| candidate.settle(common, &mut room)).collect()
}

fn said(item: &RawItem) -> Option<u64> {
    match item {
        RawItem::Row { row, .. } => Some(*row),
        RawItem::Message(_) => None,
    }
}

/// A item with every row that it could mean.
struct Candidate<'a> {
    row: Option<u64>,
    value: Option<&'a str>,
    message: String,
    matches: Vec<Match<'a>>,
}

struct Match<'a> {
    rows: &'a Rows,
    row: u64,
    /// The ways to count by which the item means this row.
    numbering: RowNumbering,
    cells: Vec<usize>,
}

fn search<'a>(item: &'a RawItem, texts: &'a [Rows]) -> Candidate<'a> {
    let (row, rest) = match item {
        RawItem::Row { row, rest } => (*row, rest),
        RawItem::Message(message) => {
            let message = message.clone();
            return Candidate { row: None, value: None, message, matches: Vec::new() };
        }
    };
    let bars: Vec<_> = rest.match_indices('|').map(|(bar, _)| bar).take(MAX_BARS).collect();
    let candidate = |bar: usize, matches| Candidate {
        row: Some(row),
        value: Some(&rest[..bar]),
        message: excerpt(&rest[bar + 1..]),
        matches,
    };
    // The longest value that some row holds: a longer one is found by chance less easily.
    for bar in bars.iter().rev() {
        for rows in texts {
            let value = &rest[..*bar];
            // Row 0 without a value is the dataset as a whole, and no row with an empty cell.
            if row == 0 && value.trim().is_empty() {
                continue;
            }
            let matches = rows.holding(row, value);
            if !matches.is_empty() {
                return candidate(*bar, matches);
            }
        }
    }
    candidate(bars.first().copied().unwrap_or_default(), Vec::new())
}

impl Candidate<'_> {
    fn numbering(&self) -> RowNumbering {
        self.matches
            .iter()
            .fold(RowNumbering::NONE, |numbering, found| numbering.or(found.numbering))
    }

    fn settle(self, common: RowNumbering, room: &mut usize) -> FeedbackItem {
        let is_meant =
            |found: &&Match<'_>| common.is_empty() || !found.numbering.and(common).is_empty();
        let meant = self.matches.iter().filter(is_meant);
        FeedbackItem {
            row: self.row,
            value: self.value.map(|value| sanitize(value, MAX_CELL_CHARS)),
            message: self.message,
            locations: meant.map(|found| found.location(room)).collect(),
        }
    }
}

impl Match<'_> {
    /// Takes what it shows from `room`.
    fn location(&self, room: &mut usize) -> RowLocation {
        let (line, _, record) = &self.rows.by_number[&self.row];
        let has_room = *room > 0;
        let mut shown = |text: String| {
            *room = room.saturating_sub(text.len());
            text
        };
        let mut column = |cell| self.rows.column(cell).filter(|_| has_room).map(&mut shown);
        let matching_cells =
            self.cells.iter().map(|cell| CellRef { cell: *cell, column: column(*cell) }).collect();
        let cells = record.iter().take(if has_room { MAX_KEPT_CELLS } else { 0 });
        let cells = cells.map(|cell| shown(kept(cell))).collect();
        RowLocation { table: self.rows.table, row: self.row, line: *line, matching_cells, cells }
    }
}

fn kept(cell: &[u8]) -> String {
    sanitize(&String::from_utf8_lossy(cell), MAX_CELL_CHARS)
}

/// The rows of one text that items could mean.
struct Rows {
    table: Table,
    header: Option<ByteRecord>,
    /// The line of each row, the lines that were uploaded, and the cells.
    by_number: HashMap<u64, (u64, Range<u64>, ByteRecord)>,
    /// The row that starts on a line of the canonical form.
    by_line: BTreeMap<u64, u64>,
}

impl Rows {
    fn read(table: Table, text: &str, wanted: &BTreeSet<u64>) -> Self {
        let mut read =
            Self { table, header: None, by_number: HashMap::new(), by_line: BTreeMap::new() };
        let is_wanted = |number: u64, uploaded: &Range<u64>| {
            candidates(number).any(|said| wanted.contains(&said))
                || wanted.range(uploaded.clone()).next().is_some()
        };
        each_wanted_row(table, text, is_wanted, |row| {
            if row.number == 0 {
                read.header = Some(row.record.clone());
            } else {
                let found = (row.line, row.uploaded.clone(), row.record.clone());
                read.by_number.insert(row.number, found);
                read.by_line.insert(row.uploaded.start, row.number);
            }
        });
        read
    }

    /// The rows that `said` could mean and that hold `value`.
    fn holding(&self, said: u64, value: &str) -> Vec<Match<'_>> {
        let by_line = self.by_line.range(..=said).next_back().map(|(_, row)| *row);
        let near: BTreeSet<u64> = candidates(said).chain(by_line).collect();
        let found = near.into_iter().filter_map(|row| {
            let (line, uploaded, record) = self.by_number.get(&row)?;
            let seen = Row { number: row, line: *line, uploaded: uploaded.clone(), record };
            let numbering = RowNumbering::to(said, &seen, self.header.is_some());
            let cells = cells_with(record, value);
            let is_found = !numbering.is_empty() && !cells.is_empty();
            is_found.then_some(Match { rows: self, row, numbering, cells })
        });
        found.collect()
    }

    fn column(&self, cell: usize) -> Option<String> {
        if let Some(column) = self.table.columns().get(cell) {
            return Some(column.name.to_owned());
        }
        let name = kept(self.header.as_ref()?.get(cell)?.trim_ascii());
        (!name.is_empty()).then_some(name)
    }
}

fn cells_with(record: &ByteRecord, value: &str) -> Vec<usize> {
    let value = trim(value.as_bytes());
    let cells = record.iter().take(MAX_COMPARED_CELLS).enumerate();
    cells.filter(|(_, cell)| trim(cell) == value).map(|(at, _)| at).collect()
}
