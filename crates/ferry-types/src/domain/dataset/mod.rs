//! The two CSV schemas, and the validation of a text against one of them: every problem at once.
//! What a valid row *means* is the Platform's business.

mod bytes;
mod cells;
mod check;
mod delimiter;
mod doubled;
mod header;
mod moments;
mod pair;
mod quotes;
mod records;
mod report;
mod schema;
#[cfg(test)]
mod tests;

pub use check::check;
pub use pair::check_pair;
pub(super) use records::{Row, each_row};
pub use report::{Kind, MAX_PROBLEMS, Problem, Report, Severity};
pub use schema::{Column, ColumnType, Table};
