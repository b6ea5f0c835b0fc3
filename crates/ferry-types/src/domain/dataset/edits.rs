//! Edits of the cells and rows of a text, as a person makes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::Table;

/// The most edits of a dataset.
pub const MAX_EDITS: usize = 20_000;

/// One edit. Rows are the data rows of the original, from 1, whatever the other edits do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Replaces the text of a cell.
    Set {
        /// The CSV text of the dataset.
        table: Table,
        /// The data row, from 1, the header not counted.
        row: u64,
        /// Index in the row, from 0.
        cell: usize,
        /// The new text, without the quotes of CSV.
        value: String,
    },
    /// Deletes a row.
    Delete {
        /// The CSV text of the dataset.
        table: Table,
        /// The data row, from 1, the header not counted.
        row: u64,
    },
    /// Inserts a row behind another one. Several behind the same row stand in the order of the edits.
    Insert {
        /// The CSV text of the dataset.
        table: Table,
        /// The data row before it; 0 inserts above the first one.
        after: u64,
        /// Its cells, without the quotes of CSV.
        cells: Vec<String>,
    },
}

/// Edits that cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There are too many.
    #[error("there are {0} edits, and at most {MAX_EDITS} are allowed")]
    TooMany(usize),
    /// Two edits replace the same cell.
    #[error("two edits replace cell {cell} of row {row} of {table}")]
    Twice {
        /// The text.
        table: Table,
        /// The row.
        row: u64,
        /// The cell.
        cell: usize,
    },
    /// The text has no such row.
    #[error("{table} has no row {row}")]
    NoRow {
        /// The text.
        table: Table,
        /// The row.
        row: u64,
    },
    /// The row has no such cell.
    #[error("row {row} of {table} has no cell {cell}")]
    NoCell {
        /// The text.
        table: Table,
        /// The row.
        row: u64,
        /// The cell.
        cell: usize,
    },
    /// A row without cells.
    #[error("a row that is inserted after row {after} of {table} has no cells")]
    NoCells {
        /// The text.
        table: Table,
        /// The row before it.
        after: u64,
    },
}

/// The edits of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowEdits {
    /// New texts of its cells.
    pub cells: BTreeMap<usize, String>,
    /// True if it is deleted.
    pub is_deleted: bool,
    /// The cells of the rows that are inserted behind it.
    pub inserted: Vec<Vec<String>>,
}

/// The edits of one text, by row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextEdits(BTreeMap<u64, RowEdits>);

/// The edits of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    data: TextEdits,
    events: TextEdits,
}

impl Edits {
    /// Sorts a list of edits.
    pub fn of(list: Vec<Edit>) -> Result<Self, EditError> {
        if list.len() > MAX_EDITS {
            return Err(EditError::TooMany(list.len()));
        }
        let mut edits = Self::default();
        for edit in list {
            match edit {
                Edit::Set { table, row, cell, value } => {
                    let cells = &mut edits.row(table, row).cells;
                    if row == 0 {
                        return Err(EditError::NoRow { table, row });
                    }
                    if cells.insert(cell, value).is_some() {
                        return Err(EditError::Twice { table, row, cell });
                    }
                }
                Edit::Delete { table, row: 0 } => return Err(EditError::NoRow { table, row: 0 }),
                Edit::Delete { table, row } => edits.row(table, row).is_deleted = true,
                Edit::Insert { table, after, cells } if cells.is_empty() => {
                    return Err(EditError::NoCells { table, after });
                }
                Edit::Insert { table, after, cells } => {
                    edits.row(table, after).inserted.push(cells);
                }
            }
        }
        Ok(edits)
    }

    /// The edits as a list, in the order of the rows.
    pub fn list(&self) -> Vec<Edit> {
        let mut list = Vec::new();
        for table in Table::ALL {
            for (row, edits) in &self.of_text(table).0 {
                let row = *row;
                let set = |(cell, value): (&usize, &String)| {
                    let (cell, value) = (*cell, value.clone());
                    Edit::Set { table, row, cell, value }
                };
                list.extend(edits.cells.iter().map(set));
                list.extend(edits.is_deleted.then_some(Edit::Delete { table, row }));
                let insert = |cells: &Vec<String>| {
                    let cells = cells.clone();
                    Edit::Insert { table, after: row, cells }
                };
                list.extend(edits.inserted.iter().map(insert));
            }
        }
        list
    }

    /// The edits of a text.
    pub fn of_text(&self, table: Table) -> &TextEdits {
        match table {
            Table::Data => &self.data,
            Table::Events => &self.events,
        }
    }

    /// The edits of a row, to be changed.
    pub fn row(&mut self, table: Table, row: u64) -> &mut RowEdits {
        let edits = match table {
            Table::Data => &mut self.data,
            Table::Events => &mut self.events,
        };
        edits.0.entry(row).or_default()
    }
}

impl TextEdits {
    /// True if nothing is edited.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|row| *row == RowEdits::default())
    }

    /// The edits of a row.
    pub fn get(&self, row: u64) -> Option<&RowEdits> {
        self.0.get(&row)
    }

    /// The rows with edits, in their order.
    pub fn rows(&self) -> impl Iterator<Item = (u64, &RowEdits)> {
        self.0.iter().map(|(row, edits)| (*row, edits))
    }
}
