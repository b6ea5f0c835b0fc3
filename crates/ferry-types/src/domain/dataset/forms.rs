//! Recognizes the dates and times that spreadsheets write in other forms, and says what to write instead.
//!
//! A form is `certain` if every reader would take it for the same date or time, and nothing is lost.

mod date;
mod form;
mod text;
mod time;

pub(super) use form::{AMBIGUOUS, Form, MONTH_FIRST};
pub(super) use text::remark;

use super::schema::ColumnType;
use crate::domain::dataset::blank;
use form::{certain, spreadsheet_error};

/// Longer cells are no dates or times.
pub(super) const MAX_BYTES: usize = 160;

/// Recognizes a cell that is not what its column holds; `None` if it has no form that is known.
pub(super) fn recognize(holds: ColumnType, cell: &[u8]) -> Option<Form> {
    if cell.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(cell).ok()?;
    let plain = blank::plain(text);
    let bare = plain.trim_matches(QUOTES).trim();
    let is_strict = match holds {
        ColumnType::Date => super::datetime::day(bare.as_bytes()).is_some(),
        ColumnType::Time => super::datetime::minute(bare.as_bytes()).is_some(),
        ColumnType::Text | ColumnType::TimeReference => return None,
    };
    if is_strict {
        let is_quoted = plain != bare;
        let name =
            if is_quoted { "has quotes as text" } else { "has an invisible character inside" };
        return Some(certain(name, bare.to_owned()));
    }
    spreadsheet_error(bare).or_else(|| match holds {
        ColumnType::Date => date::recognize(bare),
        _ => time::recognize(bare),
    })
}

/// Straight and typographic quotes, which mean nothing in CSV where they are not the first byte of a cell.
const QUOTES: [char; 12] = ['"', '\'', '`', '´', '“', '”', '„', '‘', '’', '‚', '«', '»'];
