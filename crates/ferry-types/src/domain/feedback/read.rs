//! Reads the body of a feedback, in whatever of its known forms it comes. Knows no dataset.

use serde_json::{Map, Value};

use crate::domain::bounded_json::from_json_within;
use crate::domain::lenient_json::read_json;
use crate::domain::sanitize::sanitize;

/// Maximum number of items that are read; one more says how many there are besides.
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
    match read_json(text, MAX_VALUES) {
        None if let Some(strings) = xml_strings(text) => of_items(&strings),
        Some(Value::Array(items)) => of_items(&items),
        Some(Value::String(inner)) if depth > 0 => unwrapped(&inner, depth - 1),
        Some(Value::Null) => Vec::new(),
        // A number may be a line of its own.
        Some(Value::Object(object)) => match object.values().next() {
            Some(Value::String(inner)) if object.len() == 1 && depth > 0 => {
                unwrapped(inner, depth - 1)
            }
            _ => listed(&object)
                .or_else(|| Some(unwrapped(only_text(&object)?, depth.checked_sub(1)?)))
                .unwrap_or_else(|| vec![message(text)]),
        },
        None if lines(text).all(|line| object_of(line).is_some()) => of_lines(text),
        _ if text.starts_with(['<', '{', '[']) => vec![message(text)],
        _ => of_lines(text),
    }
}

/// The only text of an object whose other members say no more than how much there is.
fn only_text(object: &Map<String, Value>) -> Option<&str> {
    let mut texts = object.values().filter_map(Value::as_str);
    let text = texts.next().filter(|_| texts.next().is_none())?;
    let is_of_rows = lines(text).any(|line| matches!(item(line), RawItem::Row { .. }));
    let has_parts = object.values().any(|value| value.is_object() || value.is_array());
    (is_of_rows && !has_parts).then_some(text)
}

/// The items of the only array of an object, behind the texts that stand beside it.
fn listed(object: &Map<String, Value>) -> Option<Vec<RawItem>> {
    let mut arrays = object.values().filter_map(Value::as_array);
    let items = arrays.next().filter(|_| arrays.next().is_none())?;
    if object.values().any(Value::is_object) {
        return None;
    }
    let texts = object.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let texts = texts.map(|(name, text)| message(&format!("{name}: {text}")));
    Some(bounded(texts.chain(items.iter().flat_map(of_value))))
}

/// Names of the members of an item that is an object, in lower case and letters only.
const ROW: [&str; 5] = ["row", "rownumber", "line", "linenumber", "index"];
const VALUE: [&str; 4] = ["value", "cell", "data", "errorvalue"];
const MESSAGE: [&str; 7] =
    ["message", "error", "errormessage", "reason", "description", "detail", "text"];

/// An item as an object with a row and a message, and perhaps a value.
fn of_object(object: &Map<String, Value>) -> Option<RawItem> {
    let member = |names: &[&str]| {
        let mut found = object.iter().filter(|(name, _)| {
            let letters = name.chars().filter(char::is_ascii_alphabetic);
            let name: String = letters.map(|c| c.to_ascii_lowercase()).collect();
            names.contains(&&*name)
        });
        let first = found.next()?.1;
        found.next().is_none().then_some(first)
    };
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let row = text(member(&ROW)?)?.trim().parse().ok()?;
    let message = member(&MESSAGE)?.as_str()?;
    let value = member(&VALUE).and_then(text).unwrap_or_default();
    Some(RawItem::Row { row, rest: format!("{value}|{message}") })
}

/// An item as an object on a line of its own.
fn object_of(line: &str) -> Option<RawItem> {
    let line = line.trim();
    let object = line.starts_with('{').then(|| from_json_within(line.as_bytes(), MAX_VALUES).ok());
    of_object(&object??)
}

/// An item as an array of a row, a value and a message.
fn of_parts(parts: &[Value]) -> Option<RawItem> {
    let [row, value, message] = parts else { return None };
    Some(RawItem::Row {
        row: row.as_u64()?,
        rest: format!("{}|{}", value.as_str()?, message.as_str()?),
    })
}

fn of_items(items: &[Value]) -> Vec<RawItem> {
    bounded(items.iter().flat_map(of_value))
}

fn of_value(item: &Value) -> Vec<RawItem> {
    match item {
        Value::String(text) => of_item(text),
        Value::Null => Vec::new(),
        Value::Object(object) if let Some(row) = of_object(object) => vec![row],
        Value::Array(parts) if let Some(row) = of_parts(parts) => vec![row],
        other => vec![message(&other.to_string())],
    }
}

/// A string is one item, whose value or message may have line breaks, or several lines of them.
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
    let quoted = |line: &str| {
        let is_quoted = line.starts_with('"');
        is_quoted.then(|| from_json_within(line.as_bytes(), MAX_VALUES).ok()).flatten()
    };
    bounded(lines(text).flat_map(|line| match quoted(line.trim()) {
        Some(Value::String(inner)) => of_item(&inner),
        _ => vec![object_of(line).unwrap_or_else(|| item(line))],
    }))
}

/// Lines, also between the separators of Unicode.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    text.split(ends).filter(|line| !line.trim().is_empty())
}

/// The texts of the elements `string` of XML, in which some frameworks write a string or a list of them.
fn xml_strings(text: &str) -> Option<Vec<Value>> {
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => text,
    };
    let is_list = text.get(..14).is_some_and(|tag| tag.eq_ignore_ascii_case("<ArrayOfstring"));
    if !is_list && !text.starts_with("<string") {
        return None;
    }
    let (mut rest, mut strings) = (text, Vec::new());
    while let Some((_, tag)) = rest.split_once("<string") {
        let (attributes, content) = tag.split_once('>')?;
        rest = content;
        if !attributes.ends_with('/') {
            let (string, next) = content.split_once("</string>")?;
            strings.push(Value::String(unescaped(string)));
            rest = next;
        }
    }
    Some(strings)
}

/// The text of an element, with its entities replaced.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut unescaped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest))) {
            Some((char, rest)) => {
                unescaped.push(char);
                unescaped.push_str(rest);
            }
            None => unescaped.extend(["&", part]),
        }
    }
    unescaped
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        name => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let number = hex.map_or_else(|| number.parse(), |hex| u32::from_str_radix(hex, 16));
            char::from_u32(number.ok()?)
        }
    }
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
