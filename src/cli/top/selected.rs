//! The rows that the cursor of `ferry top` can be on.

use ferry_types::domain::SubmissionId;

/// A row that the cursor is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selected {
    /// An account.
    Account(String),
    /// A submission, and its account.
    Submission { id: SubmissionId, account: String },
}

impl Selected {
    /// The account that pausing and resuming are about.
    pub(super) fn account(&self) -> &str {
        match self {
            Self::Account(account) | Self::Submission { account, .. } => account,
        }
    }
}
