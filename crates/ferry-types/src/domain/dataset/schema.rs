//! The columns of the two tables, in the order in which the Platform wants them.

use crate::closed_set;

closed_set! {
    /// One of the two schemas.
    pub enum Table: "table" in json {
        /// The dataset itself.
        Data = "data",
        /// The events that belong to it.
        Events = "events",
    }
}

/// One required column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// Type of its cells.
    pub holds: ColumnType,
}

/// Type of the cells of a column. None may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Any text.
    Text,
    /// A date, DD/MM/YYYY.
    Date,
    /// A time of day, hh:mm.
    Time,
    /// 0, 1 or 2.
    TimeReference,
}

/// In both tables the start is in the second and third column, the end in the fourth and fifth.
const DATA: &[Column] = &[
    column("Reference", ColumnType::Text),
    column("StartDate", ColumnType::Date),
    column("StartTime", ColumnType::Time),
    column("EndDate", ColumnType::Date),
    column("EndTime", ColumnType::Time),
];

const EVENTS: &[Column] = &[
    column("Reference", ColumnType::Text),
    column("EventStartDate", ColumnType::Date),
    column("EventStartTime", ColumnType::Time),
    column("EventEndDate", ColumnType::Date),
    column("EventEndTime", ColumnType::Time),
    column("Description", ColumnType::Text),
    column("TimeReference", ColumnType::TimeReference),
];

const fn column(name: &'static str, holds: ColumnType) -> Column {
    Column { name, holds }
}

impl Table {
    /// The required columns, in their order; others may follow them.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Data => DATA,
            Self::Events => EVENTS,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Data => Self::Events,
            Self::Events => Self::Data,
        }
    }

    /// The header line, without a line break.
    pub fn header(self) -> String {
        let names: Vec<_> = self.columns().iter().map(|column| column.name).collect();
        names.join(",")
    }
}
