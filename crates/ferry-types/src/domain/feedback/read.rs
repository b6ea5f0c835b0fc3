//! Reads the body of a feedback, in whatever of its known forms it comes. Knows no dataset.

use serde_json::Value;

use crate::domain::bounded_json::{bare_json, from_json_within};
use crate::domain::sanitize::sanitize;

/// So many complaints are read; one more says how many there are besides.
pub const MAX_ITEMS: usize = 10_000;

/// The most values of JSON that are looked at; text with more is one message.
const MAX_VALUES: usize = 1_000_000;

/// Maximum length of a message.
const MAX_MESSAGE_CHARS: usize = 1000;

/// One line of feedback, as the Platform said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawItem {
    /// `row|value|message`.
    Row {
        /// The row, however the Platform counts.
        row: u64,
        /// `value|message`: either of them may hold further bars.
        rest: String,
    },
    /// Anything else, shortened, control characters escaped.
    Message(String),
}

/// Strings within strings and objects with one member are read so deep.
const MAX_DEPTH: usize = 4;

/// Reads feedback: lines, a JSON array of strings, or one JSON string with line breaks, also in a
/// string once more or as the only member of an object, guarded or not. Never fails: what has none of these forms
/// is one message.
pub fn read(text: &str) -> Vec<RawItem> {
    unwrapped(text, MAX_DEPTH)
}

fn unwrapped(text: &str, depth: usize) -> Vec<RawItem> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let mut value = from_json_within(bare_json(text).as_bytes(), MAX_VALUES);
    if let Ok(Value::Object(object)) = &mut value
        && object.len() == 1
        && let Some(only) = object.values().next().filter(|v| v.is_array() || v.is_string())
    {
        value = Ok(only.clone());
    }
    match value {
        Ok(Value::Array(items)) => of_items(&items),
        Ok(Value::String(inner)) if depth > 0 => unwrapped(&inner, depth - 1),
        Ok(Value::Null) => Vec::new(),
        // A number may be a line of its own.
        Ok(Value::Object(_)) => vec![message(text)],
        _ if text.starts_with(['<', '{', '[']) => vec![message(text)],
        _ => of_lines(text),
    }
}

fn of_items(items: &[Value]) -> Vec<RawItem> {
    bounded(items.iter().flat_map(|item| match item {
        Value::String(text) => of_item(text),
        Value::Null => Vec::new(),
        other => vec![message(&other.to_string())],
    }))
}

/// An item is one complaint, whose value or message may have line breaks, or several lines of them.
fn of_item(text: &str) -> Vec<RawItem> {
    let is_row = |line: &str| matches!(item(line), RawItem::Row { .. });
    if text.trim().is_empty() {
        Vec::new()
    } else if is_row(text) && !lines(text).all(is_row) {
        vec![item(text)]
    } else {
        lines(text).map(item).collect()
    }
}

fn of_lines(text: &str) -> Vec<RawItem> {
    bounded(lines(text).map(item))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r']).filter(|line| !line.trim().is_empty())
}

fn bounded(items: impl Iterator<Item = RawItem>) -> Vec<RawItem> {
    let mut items = items.fuse();
    let mut read: Vec<_> = items.by_ref().take(MAX_ITEMS).collect();
    let more = items.count();
    if more > 0 {
        read.push(RawItem::Message(format!("and {more} more lines, which are not shown")));
    }
    read
}

fn item(line: &str) -> RawItem {
    let parts = line.split_once('|').filter(|(_, rest)| rest.contains('|'));
    match parts.and_then(|(row, rest)| Some((row.trim().parse().ok()?, rest))) {
        Some((row, rest)) => RawItem::Row { row, rest: rest.to_owned() },
        None => message(line),
    }
}

fn message(text: &str) -> RawItem {
    RawItem::Message(excerpt(text))
}

/// A message fit to be shown.
pub(super) fn excerpt(message: &str) -> String {
    sanitize(message.trim(), MAX_MESSAGE_CHARS)
}
