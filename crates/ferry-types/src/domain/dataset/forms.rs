//! Recognizes the dates and times that spreadsheets write in other forms, and says what to write instead.
//!
//! A form is `certain` if every reader would take it for the same date or time, and nothing is lost.

mod date;
mod text;
mod time;

pub(super) use text::remark;

use super::schema::ColumnType;
use crate::domain::dataset::blank;

/// A value that a spreadsheet wrote in its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// The name of the form. Cells of the same name are reported once.
    pub(super) name: &'static str,
    /// The value to write instead, where it is known.
    pub(super) instead: Option<String>,
    /// True if `instead` is what the person meant beyond doubt.
    pub(super) is_certain: bool,
}

/// Dates that have the month first or the day first, which only a person can tell.
pub(super) const AMBIGUOUS: &str = "may have the day or the month first";
/// Dates that have the month first.
pub(super) const MONTH_FIRST: &str = "has the month first, as in the US";

/// Longer cells are no dates or times.
const MAX_CHARS: usize = 40;

/// Recognizes a cell that is not what its column holds; `None` if it has no form that is known.
pub(super) fn recognize(holds: ColumnType, cell: &[u8]) -> Option<Form> {
    if cell.len() > MAX_CHARS * 4 {
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

fn certain(name: &'static str, instead: String) -> Form {
    Form { name, instead: Some(instead), is_certain: true }
}

fn uncertain(name: &'static str, instead: Option<String>) -> Form {
    Form { name, instead, is_certain: false }
}

/// Cells that a spreadsheet could not show or not calculate.
fn spreadsheet_error(text: &str) -> Option<Form> {
    let word = text.strip_prefix('#')?;
    if !word.is_empty() && word.bytes().all(|byte| byte == b'#') {
        return Some(uncertain("is what a spreadsheet shows in a column that is too narrow", None));
    }
    let is_upper =
        |word: &str| word.chars().all(|char| char.is_uppercase() || matches!(char, '/' | '0'));
    let is_error = matches!(word, "N/A" | "NV" | "N/D")
        || word.strip_suffix(['!', '?']).is_some_and(|word| word.len() > 2 && is_upper(word));
    is_error.then(|| uncertain("is a spreadsheet's error value", None))
}
