//! The roles of API keys.

use serde::{Deserialize, Serialize};

/// Permissions of a caller; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read.
    Read,
    /// Submit datasets, too.
    Submit,
    /// Act on submissions and accounts, too.
    Operate,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Operate];

    /// Its word in the key file and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
        }
    }
}
