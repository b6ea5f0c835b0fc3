//! Ways in which the Platform may count the rows of what was uploaded: which of them it uses is not documented.

use crate::domain::dataset::Row;

/// A set of ways to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowNumbering(u8);

/// The header, where there is one, is row 1.
const WITH_HEADER: u8 = 1;
/// The first data row is row 1.
const WITHOUT_HEADER: u8 = 2;
/// The first data row is row 0.
const FROM_ZERO: u8 = 4;
/// Physical lines of the text that was uploaded.
const LINES: u8 = 8;

impl RowNumbering {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(WITH_HEADER | WITHOUT_HEADER | FROM_ZERO | LINES);

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The ways by which `said` is this data row.
    pub(super) fn to(said: u64, row: &Row<'_>, has_header: bool) -> Self {
        let way = |way, is_so: bool| if is_so { way } else { 0 };
        Self(
            way(WITH_HEADER, row.number + u64::from(has_header) == said)
                | way(WITHOUT_HEADER, row.number == said)
                | way(FROM_ZERO, row.number - 1 == said)
                | way(LINES, row.uploaded.contains(&said)),
        )
    }
}

/// The data rows that any way of counting may call `said`, but for lines.
pub(super) fn candidates(said: u64) -> impl Iterator<Item = u64> {
    [said.checked_sub(1), Some(said), said.checked_add(1)].into_iter().flatten()
}
