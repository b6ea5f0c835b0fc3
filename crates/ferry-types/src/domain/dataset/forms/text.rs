//! Recognizes texts that a spreadsheet or a word processor changed.

use super::form::{FORMULA, spreadsheet_error};

/// Names what a program did to the text of a cell. The text is uploaded as it is.
pub(in crate::domain::dataset) fn remark(cell: &[u8]) -> Option<&'static str> {
    match cell.first()? {
        b'0'..=b'9' => {
            is_shortened(cell).then_some("is a long number that a spreadsheet shortened")
        }
        b'=' => cell.starts_with(b"=\"").then_some(FORMULA),
        b'\'' => cell
            .get(1)
            .is_some_and(|byte| {
                byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"=+-@".contains(byte)
            })
            .then_some("begins with an apostrophe, which a spreadsheet hides"),
        b'#' => spreadsheet_error(std::str::from_utf8(cell).ok()?).map(|form| form.name),
        128.. => {
            let text = std::str::from_utf8(cell).ok()?;
            let is_quoted = text.starts_with(['“', '„', '‘', '«', '”'])
                && text.ends_with(['”', '“', '’', '»', '‘'])
                && text.chars().count() > 1;
            is_quoted.then_some("stands in typographic quotes, which are part of the text")
        }
        _ => None,
    }
}

/// `1.23457E+11`, which a number of twelve digits becomes.
fn is_shortened(cell: &[u8]) -> bool {
    let Some(at) = cell.windows(2).position(|pair| pair == b"E+") else {
        return false;
    };
    let is_number =
        |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || b".,".contains(byte));
    is_number(&cell[..at]) && is_number(&cell[at + 2..])
}
