//! A value in a form of a spreadsheet, and the forms that several recognizers share.

/// A value that a spreadsheet wrote in its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::domain::dataset) struct Form {
    /// The name of the form. Cells of the same name are reported once.
    pub(in crate::domain::dataset) name: &'static str,
    /// The value to write instead, where it is known.
    pub(in crate::domain::dataset) instead: Option<String>,
    /// True if `instead` is what the person meant beyond doubt.
    pub(in crate::domain::dataset) is_certain: bool,
}

/// Dates that have the month first or the day first, which only a person can know.
pub(in crate::domain::dataset) const AMBIGUOUS: &str = "may have the day or the month first";
/// Dates that have the month first.
pub(in crate::domain::dataset) const MONTH_FIRST: &str = "has the month first, as in the US";

pub(super) fn certain(name: &'static str, instead: String) -> Form {
    Form { name, instead: Some(instead), is_certain: true }
}

pub(super) fn uncertain(name: &'static str, instead: Option<String>) -> Form {
    Form { name, instead, is_certain: false }
}

/// A text that a spreadsheet was to leave as it is.
pub(super) const FORMULA: &str = "is a spreadsheet's formula";

/// Cells that a spreadsheet could not show or not calculate.
pub(super) fn spreadsheet_error(text: &str) -> Option<Form> {
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

/// Cells that stand for no value, or for the form of the column, as in a template.
pub(super) fn placeholder(text: &str) -> Option<Form> {
    const WORDS: [&str; 10] =
        ["null", "none", "nil", "nan", "n/a", "na", "n.a.", "tbc", "tbd", "unknown"];
    let lower = text.to_lowercase();
    if WORDS.contains(&&*lower) || lower.chars().all(|char| "-?.*".contains(char)) {
        return Some(uncertain("stands for a missing value", None));
    }
    // Fewer letters may be anything.
    let letters = lower.chars().filter(char::is_ascii_alphabetic).count();
    let is_pattern = letters >= 4
        && lower.chars().all(|char| "dmyhs/:.- ".contains(char))
        && letters * 2 > lower.len();
    is_pattern.then(|| uncertain("describes the form of the column", None))
}
