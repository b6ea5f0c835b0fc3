//! Remembers the forms of the cells of a text: a column has few different values, and to recognize one
//! costs more than the rest of its check.

use std::collections::HashMap;

use super::forms;
use super::listing::FormKey;
use super::schema::ColumnType;

/// The most different cells of a type whose form is looked for. Further ones have no known form, so that
/// the check of a text in which no two cells are the same stays cheap.
const MAX_CELLS: usize = 100_000;

/// The forms of the cells so far.
#[derive(Debug, Default)]
pub(super) struct KnownForms {
    dates: HashMap<Box<[u8]>, Option<FormKey>>,
    times: HashMap<Box<[u8]>, Option<FormKey>>,
}

impl KnownForms {
    /// The form of a cell that is not what its column holds, if it is known.
    pub(super) fn of(&mut self, holds: ColumnType, cell: &[u8]) -> Option<FormKey> {
        let known = match holds {
            ColumnType::Date => &mut self.dates,
            ColumnType::Time => &mut self.times,
            ColumnType::Text | ColumnType::TimeReference => return None,
        };
        if cell.is_empty() || cell.len() > forms::MAX_BYTES {
            return None;
        }
        if let Some(form) = known.get(cell) {
            return *form;
        }
        if known.len() >= MAX_CELLS {
            return None;
        }
        let form = forms::recognize(holds, cell).map(|form| (form.name, form.is_certain));
        known.insert(cell.into(), form);
        form
    }
}
