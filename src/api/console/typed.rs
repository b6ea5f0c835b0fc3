//! Texts that were typed into the rows of a dataset on a page, and into rows that were inserted.

use std::collections::{BTreeSet, HashMap};

use crate::console::set_cell;
use ferry_store::Payload;
use ferry_types::domain::dataset::{Edits, RowEdits, Table, window};

/// Texts of cells with their places, as in the names of the fields, and the button that was pressed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    cells: Vec<(Table, u64, usize, String)>,
    new_cells: Vec<(Table, u64, usize, usize, String)>,
    /// The button.
    pub(super) act: String,
}

impl Typed {
    /// Takes a field; `None` if it is not one of a cell.
    pub(super) fn take(&mut self, name: &str, value: String) -> Option<()> {
        let parts: Vec<&str> = name.split('-').collect();
        match *parts {
            ["cell", table, row, cell] => {
                let (row, cell) = (row.parse().ok()?, cell.parse().ok()?);
                self.cells.push((table.parse().ok()?, row, cell, value));
            }
            ["new", table, after, nth, cell] => {
                let (after, nth) = (after.parse().ok()?, nth.parse().ok()?);
                self.new_cells.push((table.parse().ok()?, after, nth, cell.parse().ok()?, value));
            }
            _ => return None,
        }
        Some(())
    }

    /// Adds the cells that differ from those of the dataset to its edits.
    pub(super) fn add_to(&self, edits: &mut Edits, payload: &Payload) {
        for table in Table::ALL {
            let rows = self.cells.iter().filter(|(of, ..)| *of == table).map(|(_, row, ..)| *row);
            let rows: BTreeSet<u64> = rows.collect();
            let text = text(payload, table);
            let shown = window(table, text, 1, usize::MAX, Some(&rows)).rows;
            let originals: HashMap<u64, Vec<String>> =
                shown.into_iter().map(|row| (row.row, row.cells)).collect();
            for (_, row, cell, value) in self.cells.iter().filter(|(of, ..)| *of == table) {
                let original = originals.get(row).and_then(|cells| cells.get(*cell));
                set_cell(edits, (table, *row, *cell), (original.map(String::as_str), value));
            }
        }
        for (table, after, nth, cell, value) in &self.new_cells {
            let row = edits.row(*table, *after).inserted.get_mut(*nth);
            if let Some(cell) = row.and_then(|row| row.get_mut(*cell)) {
                cell.clone_from(value);
            }
        }
    }

    /// Deletes, restores or inserts a row, if the button that was pressed does that.
    pub(super) fn act_on_row(&self, edits: &mut Edits) {
        let parts: Vec<&str> = self.act.split('-').collect();
        let [act, table, row, ref rest @ ..] = *parts else { return };
        let (Ok(table), Ok(row)) = (table.parse::<Table>(), row.parse()) else { return };
        let edited = edits.row(table, row);
        match (act, rest) {
            ("delete", []) => edited.is_deleted = true,
            ("restore", []) => {
                *edited = RowEdits {
                    inserted: std::mem::take(&mut edited.inserted),
                    ..RowEdits::default()
                }
            }
            ("insert", []) => edited.inserted.push(vec![String::new(); table.columns().len()]),
            ("remove", [nth]) => {
                let nth = nth.parse().unwrap_or(usize::MAX);
                if nth < edited.inserted.len() {
                    edited.inserted.remove(nth);
                }
            }
            _ => {}
        }
    }
}

fn text(payload: &Payload, table: Table) -> &str {
    match table {
        Table::Data => &payload.data,
        Table::Events => payload.event_data.as_deref().unwrap_or_default(),
    }
}
