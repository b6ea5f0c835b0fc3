//! The id of a submission: a ULID, so that ids sort by the time of acceptance.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::time::{Timestamp, timestamp};

/// Identifies a submission: 26 characters of Crockford base 32.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[schemars(extend("pattern" = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"))]
#[serde(try_from = "String", into = "String")]
pub struct SubmissionId(Ulid);

impl SubmissionId {
    /// An id for a submission made at `at`; `random` distinguishes ids of one millisecond.
    ///
    /// ```
    /// use ferry_types::domain::{SubmissionId, timestamp};
    ///
    /// let id = SubmissionId::new(timestamp(1_770_000_000_000), 7);
    /// assert_eq!(id.to_string().parse(), Ok(id));
    /// assert_eq!(id.made_at(), timestamp(1_770_000_000_000));
    /// assert!(id < SubmissionId::new(timestamp(1_770_000_000_001), 0), "later ids are greater");
    /// ```
    pub fn new(at: Timestamp, random: u128) -> Self {
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        Self(Ulid::from_parts(millis, random))
    }

    /// Time at which the id was made, by the clock of the process that made it.
    pub fn made_at(self) -> Timestamp {
        timestamp(i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a submission id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a submission id: expected 26 letters and digits like 01KDXB8W4S9ZT2M3Q5R7V1C6HY"
)]
pub struct InvalidIdError(pub String);

impl FromStr for SubmissionId {
    type Err = InvalidIdError;

    fn from_str(text: &str) -> Result<Self, InvalidIdError> {
        Ulid::from_string(text).map(Self).map_err(|_| InvalidIdError(text.to_owned()))
    }
}

impl TryFrom<String> for SubmissionId {
    type Error = InvalidIdError;

    fn try_from(text: String) -> Result<Self, InvalidIdError> {
        text.parse()
    }
}

impl From<SubmissionId> for String {
    fn from(id: SubmissionId) -> Self {
        id.to_string()
    }
}
