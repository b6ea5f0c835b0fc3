//! The two CSV schemas, and the validation of a text against one of them: every problem at once.
//! What a valid row *means* is the Platform's business.

mod alignment;
mod blank;
mod bytes;
mod canonical;
mod cells;
mod check;
mod cross_table;
mod datetime;
mod derived;
mod difference;
mod duplicate_rows;
mod editing;
mod edits;
mod forms;
mod header;
mod known_forms;
mod listing;
mod noted;
mod opening;
mod quotes;
mod records;
mod report;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod window;
mod wrapped;

pub(super) use blank::trim;
pub use canonical::{Fixed, canonical, fix};
pub use check::check;
pub use cross_table::check_pair;
pub use derived::{Derived, derived};
pub use difference::{CellDifference, Difference, RowDifference};
pub use editing::{Edited, edited};
pub use edits::{Edit, EditError, Edits, MAX_EDITS, RowEdits, TextEdits};
pub use noted::{has_header, noted};
pub use report::{Kind, MAX_PROBLEMS, Problem, Report, Severity, grouped};
pub(super) use rows::{Row, each_row, each_wanted_row};
pub use schema::{Column, ColumnType, Table};
pub use window::{Bookmarks, ShownRow, Window, marked_window, sheet, window};
