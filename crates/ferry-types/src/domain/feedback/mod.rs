//! The Platform's feedback: reads it, and ties each item to the row and column that it means.

mod listing;
mod locate;
mod marks;
mod read;
mod row_numbering;
mod show;
#[cfg(test)]
mod tests;

pub use listing::{as_csv, beside};
pub use locate::{CellRef, FeedbackItem, RowLocation, locate};
pub use marks::{CellMark, marks};
pub use read::{MAX_ITEMS, RawItem, read};
