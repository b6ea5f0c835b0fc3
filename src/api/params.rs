//! Values of parameters and fields: each type bounds its text while it is parsed, and says in the
//! document how.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};

use crate::pipeline::MAX_ITEMS;
use ferry_types::contract::EventId;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::State;

/// The most submissions of a page, and how many there are unless asked for otherwise.
const LARGEST_PAGE: usize = 500;
const PAGE: usize = 50;

/// The most rows of a window, and how many there are unless asked for otherwise.
const MOST_ROWS: usize = 200;

/// The largest number of a row: all programs can read it from JSON.
const LAST_ROW: u64 = (1 << 53) - 1;

/// Lengths of sealed positions, in a list and in the stream.
const SEALED_PAGE: usize = 48;
const SEALED_EVENT: usize = 70;

/// True if the text has no other characters than a sealed position.
fn is_opaque(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Duration of a wait, such as `30s`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait(pub(super) Duration);

/// The parameter of requests whose response may wait.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    /// Delay of the response until the submission is final or held, for at most this duration; never more
    /// than 5m.
    pub(super) wait: Option<Wait>,
}

/// Time in the format of RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

/// Submissions of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageSize(pub(super) usize);

/// The first data row of a window, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstRow(pub(super) u64);

/// Number of rows that are left out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skipped(pub(super) u64);

/// Rows of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowCount(pub(super) usize);

/// The `next_cursor` of a page, as the caller sees it.
#[derive(Debug, Clone)]
pub(super) struct PageCursor(pub(super) String);

/// The `next_cursor` of a part of the audit log: a position in its file.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditCursor(pub(super) u64);

/// Position in the stream of events, as the caller sees it.
#[derive(Debug, Clone)]
pub(super) struct EventCursor(pub(super) String);

/// Labels, each as `KEY=VALUE`.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(pub(super) BTreeMap<String, String>);

/// States, repeated or separated by commas.
#[derive(Debug, Clone, Default)]
pub(super) struct States(pub(super) Vec<State>);

/// Words, repeated or separated by commas.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(pub(super) Vec<String>);

/// True if the parameter is there, unless it is `false`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flag(pub(super) bool);

/// `T` as it is read from one text, and its schema.
macro_rules! from_text {
    ($type:ident, $parse:expr, $schema:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let parse: fn(&str) -> Result<Self, String> = $parse;
                parse(&text).map_err(D::Error::custom)
            }
        }

        schema!($type, |_| $schema);
    };
}

macro_rules! schema {
    ($type:ident, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(generator)
            }
        }
    };
}

from_text!(
    Wait,
    |text| {
        let parsed = humantime::parse_duration(text).map(Self);
        parsed.map_err(|_| "expected a duration such as 500ms or 30s".to_owned())
    },
    json_schema!({
        "type": "string", "pattern": "^(0|[0-9]{1,5}ms|[0-9]{1,3}s|[0-5]m)$", "examples": ["30s"],
    })
);

from_text!(
    Moment,
    |text| {
        let parsed = chrono::DateTime::parse_from_rfc3339(text);
        let expected = "expected a time such as 2026-01-31T18:00:00Z";
        parsed.map(|time| Self(time.to_utc())).map_err(|_| expected.to_owned())
    },
    json_schema!({ "type": "string", "format": "date-time" })
);

from_text!(
    PageSize,
    |text| {
        let size = text.parse().ok().filter(|size| (1..=LARGEST_PAGE).contains(size));
        size.map(Self).ok_or_else(|| format!("expected a number from 1 to {LARGEST_PAGE}"))
    },
    json_schema!({ "type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE })
);

from_text!(
    FirstRow,
    |text| {
        let row = text.parse().ok().filter(|row| (1..=LAST_ROW).contains(row));
        row.map(Self).ok_or_else(|| "expected a number from 1".to_owned())
    },
    json_schema!({ "type": "integer", "minimum": 1, "maximum": LAST_ROW, "default": 1 })
);

from_text!(
    Skipped,
    |text| {
        let count = text.parse().ok().filter(|count| *count <= LAST_ROW);
        count.map(Self).ok_or_else(|| "expected a number".to_owned())
    },
    json_schema!({ "type": "integer", "minimum": 0, "maximum": LAST_ROW, "default": 0 })
);

from_text!(
    RowCount,
    |text| {
        let count = text.parse().ok().filter(|count| (1..=MOST_ROWS).contains(count));
        count.map(Self).ok_or_else(|| format!("expected a number from 1 to {MOST_ROWS}"))
    },
    json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": MOST_ROWS })
);

from_text!(
    PageCursor,
    |text| {
        let is_plain =
            (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_one = is_plain || (text.len() == SEALED_PAGE && is_opaque(text));
        let expected = || "expected the `next_cursor` of an earlier response".to_owned();
        is_one.then(|| Self(text.to_owned())).ok_or_else(expected)
    },
    json_schema!({ "type": "string", "pattern": "^([0-9]{1,18}|[0-9A-Za-z_-]{48})$" })
);

from_text!(
    AuditCursor,
    |text| {
        let is_number =
            (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let expected = || "expected the `next_cursor` of an earlier response".to_owned();
        text.parse().ok().filter(|_| is_number).map(Self).ok_or_else(expected)
    },
    json_schema!({ "type": "string", "pattern": "^[0-9]{1,18}$" })
);

from_text!(
    EventCursor,
    Self::parse,
    json_schema!({
        "type": "string", "pattern": "^(0|[0-9a-f]{16}-[0-9]{1,18}|[0-9A-Za-z_-]{70})$",
    })
);

from_text!(
    Flag,
    |text| match text {
        "" | "true" => Ok(Self(true)),
        "false" => Ok(Self(false)),
        _ => Err("expected `true` or `false`".to_owned()),
    },
    json_schema!({ "type": "boolean", "default": false })
);

schema!(Labels, |_| json_schema!({
    "type": "array", "items": { "type": "string", "pattern": "^[^=]+=" },
}));

schema!(States, |generator| json_schema!({
    "type": "array", "items": generator.subschema_for::<State>(),
}));

schema!(Words, |_| json_schema!({ "type": "array", "items": { "type": "string" } }));

impl Default for PageSize {
    fn default() -> Self {
        Self(PAGE)
    }
}

impl Default for FirstRow {
    fn default() -> Self {
        Self(1)
    }
}

impl Default for RowCount {
    fn default() -> Self {
        Self(MOST_ROWS)
    }
}

impl EventCursor {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_sealed = text.len() == SEALED_EVENT && is_opaque(text);
        match text.parse::<EventId>() {
            Err(error) if !is_sealed => Err(error.to_string()),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut labels = BTreeMap::new();
        for label in Vec::<String>::deserialize(deserializer)? {
            let pair = label.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
            let (key, value) = pair.ok_or_else(|| D::Error::custom("expected KEY=VALUE"))?;
            let before = labels.insert(key, value.clone());
            if labels.len() > MAX_ITEMS {
                return Err(D::Error::custom(format!("at most {MAX_ITEMS} are allowed")));
            }
            if before.is_some_and(|before| before != value) {
                return Err(D::Error::custom("a key is given twice, with two values"));
            }
        }
        Ok(Self(labels))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<String>::deserialize(deserializer)?;
        let words = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
        let words: Vec<String> = words.take(MAX_ITEMS + 1).collect();
        if words.len() > MAX_ITEMS {
            return Err(D::Error::custom(format!("at most {MAX_ITEMS} are allowed")));
        }
        Ok(Self(words))
    }
}

impl<'de> Deserialize<'de> for States {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<String>::deserialize(deserializer)?;
        let states = values.iter().flat_map(|value| value.split(',')).map(str::parse);
        // Each once: a store asks for the submissions of each.
        let states: Result<BTreeSet<State>, _> = states.collect();
        states.map(|states| Self(states.into_iter().collect())).map_err(D::Error::custom)
    }
}
