//! Texts, times and states as templates show them.

use ferry_types::contract::RowProblem;
use ferry_types::domain::dataset::Table;
use ferry_types::domain::escape;
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, Timestamp};

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
    /// The time that it is, if it is one.
    pub(crate) time: Option<Moment>,
    /// True of the time at which something ends.
    pub(crate) is_end: bool,
    /// The page of the submission whose id it is.
    pub(crate) link: Option<String>,
}

impl Part {
    fn new(text: &str, is_code: bool) -> Self {
        Self { is_code, text: escape(text), time: None, is_end: false, link: None }
    }
}

/// Length of a time in a sentence, such as `2026-03-03 08:00:00 UTC`.
const TIME: usize = 23;

/// Length of an id.
const ID: usize = 26;

/// Plain text with its times as parts of their own.
fn with_times(text: &str) -> Vec<Part> {
    let (mut parts, mut begin, mut from) = (Vec::new(), 0, 0);
    while let Some(found) = text[from..].find(" UTC") {
        let end = from + found + " UTC".len();
        from = end;
        let Some(start) = end.checked_sub(TIME).filter(|start| *start >= begin) else { continue };
        let Some(at) = text.get(start..end).and_then(words::time_of) else { continue };
        parts.extend(with_links(&text[begin..start]));
        parts.push(Part { time: Some(at.into()), ..Part::new(&text[start..end], false) });
        begin = end;
    }
    parts.extend(with_links(&text[begin..]));
    parts
}

/// Plain text with the ids of submissions as parts of their own.
fn with_links(text: &str) -> Vec<Part> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.len() != ID || word.parse::<SubmissionId>().is_err() {
            continue;
        }
        // Where the word stands: it is a part of the text.
        let Some(start) = text[begin..].find(word).map(|found| begin + found) else { continue };
        parts.push(Part::new(&text[begin..start], false));
        let link = Some(format!("/console/submissions/{word}"));
        parts.push(Part { link, ..Part::new(word, false) });
        begin = start + word.len();
    }
    parts.push(Part::new(&text[begin..], false));
    parts
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
            return Self { parts: vec![Part::new(text, false)] };
        }
        let part = |(at, piece): (usize, &&str)| match at % 2 {
            1 => vec![Part::new(piece, true)],
            _ => with_times(piece),
        };
        let parts = pieces.iter().enumerate().flat_map(part);
        Self { parts: parts.filter(|part| !part.text.is_empty()).collect() }
    }
}

impl Sentence {
    /// The sentence of something that ends then.
    pub(crate) fn until(text: &str, end: Option<Timestamp>) -> Self {
        let (mut said, end) = (Self::from(text), end.map(Moment::from));
        for part in &mut said.parts {
            let is_end = |time: &Moment| end.as_ref().is_some_and(|end| end.iso == time.iso);
            part.is_end = part.time.as_ref().is_some_and(is_end);
        }
        said
    }
}

/// The text as a part of a path or a query. A path has no `+` for a space.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
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

    #[test]
    fn an_id_in_a_sentence_leads_to_its_submission() {
        let id =
            SubmissionId::new(ferry_types::domain::timestamp(1_700_000_000_000), 7).to_string();
        let text = format!(
            "waits for {id}, not for A{id} or ABCDEFGHIJKLMNOPQRSTUVWXYZ; `ferry status {id}`"
        );
        let parts = Sentence::from(&*text).parts;
        let links: Vec<_> = parts.iter().filter_map(|part| part.link.clone()).collect();
        assert_eq!(links, [format!("/console/submissions/{id}")], "{parts:?}");
        let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
        assert_eq!(whole, text.replace('`', ""));
    }

    #[test]
    fn times_are_parts_of_a_sentence_and_its_end_is_marked() {
        let text = "over UTC since 1970-01-01 00:00:00 UTC until 1970-01-01 00:00:09 UTC; ü UTC";
        let said = Sentence::until(text, Some(ferry_types::domain::timestamp(9000)));
        let times: Vec<_> = said.parts.iter().filter_map(|part| part.time.as_ref()).collect();
        let isos: Vec<&str> = times.iter().map(|time| time.iso.as_str()).collect();
        assert_eq!(isos, ["1970-01-01T00:00:00Z", "1970-01-01T00:00:09Z"]);
        let ends: Vec<bool> = said.parts.iter().map(|part| part.is_end).collect();
        assert_eq!(ends, [false, false, false, true, false]);
        assert_eq!(said.parts.iter().map(|part| part.text.as_str()).collect::<String>(), text);
    }
}
