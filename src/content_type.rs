//! The media type that a `Content-Type` names.

use axum::http::{HeaderMap, header};

/// The `Content-Type` of these headers; empty if there is none.
pub fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The type and subtype, in lower case and without parameters.
pub fn media_type(content_type: &str) -> String {
    let essence = content_type.split_once(';').map_or(content_type, |(essence, _)| essence);
    essence.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_has_no_parameters_and_no_capitals() {
        for text in ["text/csv", "Text/CSV", " text/csv ;charset=utf-8", "text/csv;x=\"a;b\""] {
            assert_eq!(media_type(text), "text/csv", "{text:?}");
        }
        assert_eq!(media_type(content_type(&HeaderMap::new())), "");
    }
}
