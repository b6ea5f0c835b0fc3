//! The bodies for validating a dataset, looking at its rows, and correcting it cell by cell.

use serde::{Deserialize, Serialize};

use super::problem::RowProblem;
use super::submission::SubmissionView;
use crate::closed_set;
use crate::domain::SubmissionId;
use crate::domain::dataset::{Edit, Table};

/// A dataset to validate; nothing is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidateRequest {
    /// The dataset, as CSV text.
    pub data: String,
    /// The events that belong to it, as CSV text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_data: Option<String>,
}

/// The result of a validation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ValidateView {
    /// True if there is no error; there may be warnings.
    pub valid: bool,
    /// Number of errors, listed or not.
    pub error_count: u64,
    /// Number of warnings, listed or not.
    pub warning_count: u64,
    /// The problems, in the order of the lines.
    pub problems: Vec<RowProblem>,
    /// Count of problems that are not listed.
    pub omitted: u64,
}

closed_set! {
    /// Form of the feedback.
    pub enum FeedbackForm: "form of the feedback" in json {
        /// CSV with a header.
        Csv = "csv",
        /// The dataset with the feedback as a last column.
        Data = "data",
        /// The events with the feedback as a last column.
        EventData = "event-data",
    }
}

closed_set! {
    /// Rows to show.
    pub enum RowsOnly: "selection of rows" in json {
        /// Those that feedback items may mean.
        Feedback = "feedback",
    }
}

/// Rows of a submitted dataset, with the feedback about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowsView {
    /// The CSV text of the dataset.
    pub table: Table,
    /// The cells of the header, or the names of the required columns where there is none.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<RowView>,
    /// The `from` of the rows that follow; null at the end.
    pub next: Option<u64>,
}

/// A row of a submitted dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowView {
    /// The data row, from 1, the header not counted.
    pub row: u64,
    /// The physical line on which it starts, from 1.
    pub line: u64,
    /// Its first 64 cells, without the quotes of CSV.
    pub cells: Vec<String>,
    /// Indexes of the cells that are longer than the 1,000 characters that are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortened: Vec<usize>,
    /// Number of cells that are not shown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// Feedback about its cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feedback: Vec<CellFeedback>,
}

/// A feedback item about a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CellFeedback {
    /// Index of the cell in the row, from 0.
    pub cell: usize,
    /// Message of the Platform, shortened, control characters escaped.
    pub message: String,
    /// Number of rows that the item may mean: 1 if it is certain that it means this one.
    pub candidates: usize,
}

/// Edits of the dataset of a submission, to be submitted as a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrectRequest {
    /// The edits: at most 20,000.
    pub edits: Vec<Edit>,
    /// The newest submission of the name that the caller knows; the corrected one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<SubmissionId>,
    /// True to check the edits, and submit nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Edits of a dataset that were checked, and of which a revision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CorrectView {
    /// Number of cells that have another text.
    pub changed_cells: u64,
    /// Number of rows with such a cell.
    pub changed_rows: u64,
    /// Number of rows that were deleted.
    pub deleted_rows: u64,
    /// Number of rows that were inserted.
    pub inserted_rows: u64,
    /// The revision; null after a dry run.
    pub submission: Option<SubmissionView>,
    /// Warnings about the dataset, with which it is uploaded all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<RowProblem>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
