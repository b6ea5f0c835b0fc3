//! Reads a request from JSON, so that every field that is wrong is named.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::submission::SubmissionRequest;
use crate::domain::bounded_json::{MAX_REQUEST_VALUES, from_json_within};

impl SubmissionRequest {
    /// Reads one JSON object; the error says where the JSON breaks, or which fields are wrong.
    ///
    /// ```
    /// use ferry_types::contract::SubmissionRequest;
    ///
    /// let request = SubmissionRequest::from_json(r#"{"name": "march", "data": "…"}"#)?;
    /// assert_eq!(request.name, "march");
    ///
    /// let wrong = r#"{"name": "march", "data": "…", "overwrite": "yes"}"#;
    /// let error = SubmissionRequest::from_json(wrong).expect_err("`overwrite` is no boolean");
    /// assert!(error.starts_with("`overwrite`: invalid type"), "{error}");
    /// # Ok::<(), String>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, String> {
        // Programs that write files put a byte order mark first.
        let text = text.trim_start_matches('\u{feff}').trim();
        // UTF-16 without such a mark passes for UTF-8 as long as it is English.
        if text.contains('\0') {
            return Err("it has NUL characters, as UTF-16 has: expected UTF-8".to_owned());
        }
        // A list of values in the right order would do for serde alone.
        if !text.starts_with('{') {
            return Err("expected a JSON object".to_owned());
        }
        read(text).map_err(|error| match read(text) {
            Ok(fields) => wrong_fields(fields).unwrap_or_else(|| without_location(&error)),
            // In NDJSON each text is a line of its own, and serde's line number says nothing.
            Err(_) => error.to_string().replace(" at line 1 column ", " at column "),
        })
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    from_json_within(text.as_bytes(), MAX_REQUEST_VALUES)
}

/// The fields that are wrong, each read on its own; none if one is missing.
fn wrong_fields(fields: Map<String, Value>) -> Option<String> {
    let wrong = |(name, value): (String, Value)| {
        let mut alone =
            Map::from_iter([("name", "n"), ("data", "d")].map(|(k, v)| (k.into(), v.into())));
        alone.insert(name.clone(), value);
        let error = serde_json::from_value::<SubmissionRequest>(Value::Object(alone)).err()?;
        let what = without_location(&error);
        Some(if what.contains(&format!("`{name}`")) { what } else { format!("`{name}`: {what}") })
    };
    let wrong: Vec<String> = fields.into_iter().filter_map(wrong).collect();
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

fn without_location(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_without_a_mark_is_named() {
        let line = r#"{"name":"march","data":"R1"}"#;
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = line.encode_utf16().flat_map(to_bytes).collect();
            let text = String::from_utf8(bytes).unwrap();
            let error = SubmissionRequest::from_json(&text).unwrap_err();
            assert!(error.contains("UTF-16"), "{error}");
        }
    }
}
