//! Recognizes the dates and times that spreadsheets write in other forms, and says what to write instead.
//!
//! A form is `certain` if every reader would take it for the same date or time, and nothing is lost.

mod date;
mod form;
mod plain;
mod text;
mod time;

use std::borrow::Cow;

pub(super) use form::{AMBIGUOUS, Form, MONTH_FIRST};
pub(super) use text::remark;

use super::schema::ColumnType;
use crate::domain::dataset::blank;
use form::{FORMULA, certain, placeholder, spreadsheet_error, uncertain};
use plain::plain;

/// Longer cells are no dates or times.
pub(super) const MAX_BYTES: usize = 160;

/// Recognizes a cell that is not what its column holds; `None` if it has no form that is known.
pub(super) fn recognize(holds: ColumnType, cell: &[u8]) -> Option<Form> {
    if cell.len() > MAX_BYTES {
        return None;
    }
    let text = std::str::from_utf8(cell).ok()?;
    let shown = blank::plain(text);
    let inside = inside(&shown);
    let plain = plain(inside);
    let bare = plain.as_ref();
    let is_strict = match holds {
        ColumnType::Date => super::datetime::day(bare.as_bytes()).is_some(),
        ColumnType::Time => super::datetime::minute(bare.as_bytes()).is_some(),
        ColumnType::Text | ColumnType::TimeReference => return None,
    };
    if is_strict {
        let name = match bare {
            _ if shown.starts_with('=') => FORMULA,
            _ if bare != inside => "has digits or marks that only look like the plain ones",
            _ if shown != bare => "has quotes as text",
            _ => "has an invisible character inside",
        };
        return Some(certain(name, bare.to_owned()));
    }
    let of_column = |text: &str| match holds {
        ColumnType::Date => date::recognize(text),
        _ => time::recognize(text),
    };
    let form = spreadsheet_error(bare)
        .or_else(|| of_column(bare))
        .or_else(|| placeholder(bare))
        .or_else(|| spelled(holds, bare).or_else(|| of_column(&without_blanks(bare)?)));
    form.or_else(|| shown.starts_with('=').then(|| uncertain(FORMULA, None)))
}

/// A date or time with blanks between its parts, or with letters that look like digits.
fn spelled(holds: ColumnType, text: &str) -> Option<Form> {
    let is_strict = |text: &String| match holds {
        ColumnType::Date => super::datetime::day(text.as_bytes()).is_some(),
        _ => super::datetime::minute(text.as_bytes()).is_some(),
    };
    if let Some(dense) = without_blanks(text).filter(is_strict) {
        return Some(certain("has blanks between its parts", dense));
    }
    let digits = text.replace(['O', 'o'], "0").replace(['l', 'I'], "1");
    (digits != text && is_strict(&digits))
        .then(|| uncertain("has letters in the place of digits", Some(digits)))
}

fn without_blanks(text: &str) -> Option<String> {
    text.contains(' ').then(|| text.replace(' ', ""))
}

/// The cell without blanks, quotes and the like around it, and with plain digits and marks.
pub(super) fn look(cell: &[u8]) -> Cow<'_, [u8]> {
    let cell = blank::trim(cell);
    let is_plain = cell.is_ascii() && !cell.starts_with(b"=") && !cell.starts_with(b"'");
    match std::str::from_utf8(cell).ok().filter(|_| !is_plain) {
        Some(text) => plain(inside(text)).into_owned().into_bytes().into(),
        None => Cow::Borrowed(cell),
    }
}

/// The text of a cell without the formula and the quotes around it.
fn inside(text: &str) -> &str {
    text.strip_prefix('=').unwrap_or(text).trim_matches(QUOTES).trim()
}

/// Straight and typographic quotes, which mean nothing in CSV where they are not the first byte of a cell.
const QUOTES: [char; 12] = ['"', '\'', '`', '´', '“', '”', '„', '‘', '’', '‚', '«', '»'];
