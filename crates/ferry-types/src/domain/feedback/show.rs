//! Shows a finding to a person: the Platform's message beside the row that it means.

use std::fmt;

use super::locate::{FeedbackItem, RowLocation};

impl fmt::Display for FeedbackItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.locations.as_slice(), self.row) {
            ([location], _) if location.cells.is_empty() => {
                write!(f, "{location}: {}", self.message)
            }
            ([location], _) => write!(f, "{location}: {}\n    {}", self.message, location.marked()),
            ([], Some(0)) => {
                write!(f, "the dataset as a whole: {}", self.message)?;
                match self.value.as_deref().unwrap_or_default() {
                    "" => Ok(()),
                    value => write!(f, " (value `{value}`)"),
                }
            }
            ([], Some(row)) => {
                let value = self.value.as_deref().unwrap_or_default();
                write!(f, "row {row}, value `{value}`: {} (no row near it has it)", self.message)
            }
            ([], None) => f.write_str(&self.message),
            (locations, row) => {
                let row = row.unwrap_or_default();
                write!(f, "row {row}, which may be any of these: {}", self.message)?;
                locations.iter().try_for_each(|location| {
                    write!(f, "\n    {location}")?;
                    if location.cells.is_empty() {
                        Ok(())
                    } else {
                        write!(f, ": {}", location.marked())
                    }
                })
            }
        }
    }
}

impl fmt::Display for RowLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = match self.table {
            crate::domain::dataset::Table::Data => "data",
            crate::domain::dataset::Table::Events => "event",
        };
        write!(f, "{table} row {} (line {})", self.row, self.line)?;
        for (count, matching_cell) in self.matching_cells.iter().enumerate() {
            f.write_str(if count == 0 { ", column " } else { " or " })?;
            match &matching_cell.column {
                Some(column) => write!(f, "`{column}`")?,
                None => write!(f, "{}", matching_cell.cell + 1)?,
            }
        }
        Ok(())
    }
}

impl RowLocation {
    /// The row, with `>` and `<` around the matching cells.
    fn marked(&self) -> String {
        let is_matching =
            |at| self.matching_cells.iter().any(|matching_cell| matching_cell.cell == at);
        let cells = self
            .cells
            .iter()
            .enumerate()
            .map(|(at, cell)| if is_matching(at) { format!(">{cell}<") } else { cell.clone() });
        cells.collect::<Vec<_>>().join(", ")
    }
}
