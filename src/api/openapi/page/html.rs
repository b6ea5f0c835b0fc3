//! Texts as HTML.

use std::fmt::Write as _;

use serde_json::Value;

/// Adds an element with a text, unless it is empty.
pub(super) fn add(page: &mut String, element: &str, content: &str) {
    if !content.is_empty() {
        let _ = write!(page, "<{element}>{}</{element}>", marked(content));
    }
}

/// Adds a text as it is.
pub(super) fn add_block(page: &mut String, content: &str) {
    let _ = write!(page, "<pre>{}</pre>", escaped(content));
}

/// A text stands there as it is, and anything else as JSON.
pub(super) fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Code between backticks is marked as such.
pub(super) fn marked(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escaped(part);
        let _ =
            if at % 2 == 0 { write!(html, "{part}") } else { write!(html, "<code>{part}</code>") };
    }
    html
}

/// Fit for HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
