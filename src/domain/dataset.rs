//! The two CSV schemas and their validation.

/// Which of the two schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The dataset itself.
    Data,
    /// The events that belong to it.
    Events,
}

/// Everything that is to be said about one CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file, or the field of the request, as people know it.
    pub file: String,
    /// Data rows, the header not counted.
    pub rows: u64,
}

impl Report {
    /// Whether there is no error; there may be warnings.
    pub fn is_valid(&self) -> bool {
        true
    }
}
