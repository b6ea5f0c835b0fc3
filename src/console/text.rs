//! Texts, times and states as templates show them.

use ferry_types::contract::RowProblem;
use ferry_types::domain::Timestamp;
use ferry_types::domain::dataset::Table;
use ferry_types::domain::escape;
use ferry_types::domain::submission::State;

use crate::words;

/// A time, for people and for the script, which shows it in another zone.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// In the format of RFC 3339.
    pub(crate) iso: String,
    /// As the command line shows it.
    pub(crate) text: String,
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self { iso: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(), text: words::time(at) }
    }
}

/// A state with its sign: color is never the only difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// The state.
    pub(crate) word: &'static str,
    /// Its sign.
    pub(crate) sign: &'static str,
}

impl From<State> for Mark {
    fn from(state: State) -> Self {
        let sign = match state {
            State::Queued => "○",
            State::Uploading => "↑",
            State::Processing => "◐",
            State::Collecting => "↓",
            State::Completed => "✓",
            State::Rejected => "!",
            State::Failed => "✕",
            State::Cancelled => "–",
            State::Held => "?",
        };
        Self { word: state.as_str(), sign }
    }
}

/// A part of a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// True if it stood in backticks.
    pub(crate) is_code: bool,
    /// The text.
    pub(crate) text: String,
}

/// A sentence of `words`, whose commands and names stand in backticks.
#[derive(Debug, Clone)]
pub(crate) struct Sentence {
    /// Its parts.
    pub(crate) parts: Vec<Part>,
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Self {
        let pieces: Vec<&str> = text.split('`').collect();
        // One backtick alone is a character like others.
        if pieces.len().is_multiple_of(2) {
            return Self { parts: vec![Part { is_code: false, text: escape(text) }] };
        }
        let part = |(at, piece): (usize, &&str)| Part { is_code: at % 2 == 1, text: escape(piece) };
        let parts = pieces.iter().enumerate().map(part);
        Self { parts: parts.filter(|part| !part.text.is_empty()).collect() }
    }
}

/// Foreign text with its control characters, and spaces at its ends, made visible.
pub(crate) fn visible(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let start = text.len() - text.trim_start_matches(' ').len();
    let end = if inner.is_empty() { 0 } else { text.len() - text.trim_end_matches(' ').len() };
    format!("{}{}{}", "␠".repeat(start), escape(inner), "␠".repeat(end))
}

/// A problem of a dataset, with the text that has it.
pub(super) fn said(problem: &RowProblem) -> Sentence {
    let of = if problem.table == Table::Data { "" } else { "events, " };
    format!("{of}{}", problem.found).as_str().into()
}

/// A number with its thousands apart.
pub(crate) fn number(count: u64) -> String {
    ferry_types::domain::dataset::grouped(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invisible_in_foreign_text_is_shown() {
        assert_eq!(visible("a b"), "a b");
        assert_eq!(visible("  a "), "␠␠a␠");
        assert_eq!(visible("  "), "␠␠");
        assert_eq!(visible("a\u{202e}b\u{7}"), "a\\u{202e}b\\u{7}");
    }

    #[test]
    fn text_in_backticks_is_code_and_a_single_backtick_is_not() {
        let parts = |text: &str| -> Vec<(bool, String)> {
            let parts = Sentence::from(text).parts.into_iter();
            parts.map(|part| (part.is_code, part.text)).collect()
        };
        let [plain, code] = [false, true];
        let expected =
            [(plain, "do ".to_owned()), (code, "it".to_owned()), (plain, " now".to_owned())];
        assert_eq!(parts("do `it` now"), expected);
        assert_eq!(parts("a ` b"), [(plain, "a ` b".to_owned())]);
    }
}
