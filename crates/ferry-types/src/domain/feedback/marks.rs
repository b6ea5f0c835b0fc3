//! The cells of a text that feedback items mean.

use std::collections::BTreeMap;

use super::locate::FeedbackItem;
use crate::domain::dataset::Table;

/// A cell that a feedback item means, or may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellMark {
    /// Index of the item.
    pub item: usize,
    /// Index of the cell in the row.
    pub cell: usize,
    /// Number of rows that the item may mean.
    pub candidates: usize,
}

/// The marks of a text by row, in the order of the items.
pub fn marks(items: &[FeedbackItem], table: Table) -> BTreeMap<u64, Vec<CellMark>> {
    let mut marks: BTreeMap<u64, Vec<CellMark>> = BTreeMap::new();
    for (item, found) in items.iter().enumerate() {
        for location in found.locations.iter().filter(|location| location.table == table) {
            let candidates = found.locations.len();
            let cells = location.matching_cells.iter();
            let cells = cells.map(|cell| CellMark { item, cell: cell.cell, candidates });
            marks.entry(location.row).or_default().extend(cells);
        }
    }
    marks
}
