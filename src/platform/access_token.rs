//! Reads the access token out of a response of the token endpoint, also where other names or forms stand
//! in the place of those of OAuth.

use std::time::Duration;

use reqwest::Url;
use serde_json::{Map, Value};

use super::shape::{object, word};
use super::token_shape::is_token;

/// Name of the member that holds the token.
const TOKEN_MEMBER: &str = "access_token";

/// Objects are searched so deep.
const MAX_DEPTH: usize = 4;

/// Other tokens that stand beside an access token, or in its place.
const OTHER_TOKENS: [&str; 5] = ["refresh", "idtoken", "csrf", "xsrf", "error"];

/// Members of the response: those of the object with the token if there is one, otherwise all, and none of a
/// response of another form.
pub(super) fn members(text: &str) -> Map<String, Value> {
    let bare = || {
        let token = Value::String(word(text).filter(|word| is_token(word))?);
        Some(Map::from_iter([(TOKEN_MEMBER.to_owned(), token)]))
    };
    let said = object(text).or_else(|| of_form(text)).or_else(bare).unwrap_or_default();
    let mut holders = Vec::new();
    find_holders(&said, MAX_DEPTH, &mut holders);
    let only = if let [only] = holders.as_slice() { Some((*only).clone()) } else { None };
    only.unwrap_or(said)
}

/// The token, if one can be sent.
pub(super) fn secret(said: &Map<String, Value>) -> Option<String> {
    let text = |value: &Value| {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let bare = text.get(..7).filter(|start| start.eq_ignore_ascii_case("bearer "));
        let text = bare.map_or(text.as_str(), |bare| text[bare.len()..].trim());
        is_sendable(text).then(|| text.to_owned())
    };
    if let Some(value) = member(said, TOKEN_MEMBER) {
        return text(value);
    }
    let mut tokens = said.iter().filter(|(name, _)| {
        let name = letters(name);
        name.ends_with("token") && !OTHER_TOKENS.iter().any(|other| name.contains(other))
    });
    let only = tokens.next().filter(|_| tokens.next().is_none());
    only.and_then(|(_, value)| text(value))
}

/// Time for which the token lasts, if that is said.
pub(super) fn lifetime(said: &Map<String, Value>) -> Option<Duration> {
    member(said, "expires_in").and_then(seconds)
}

/// A response in the form in which requests are, as some servers send it.
fn of_form(text: &str) -> Option<Map<String, Value>> {
    let text = text.trim();
    if text.contains(|c: char| c.is_whitespace() || "<{".contains(c)) {
        return None;
    }
    let form = Url::parse(&format!("form:?{text}")).ok()?;
    let members = form.query_pairs();
    let members = members.map(|(name, value)| (name.into_owned(), Value::String(value.into())));
    Some(members.collect()).filter(|said| member(said, TOKEN_MEMBER).is_some())
}

/// Finds the objects that hold a token.
fn find_holders<'a>(
    said: &'a Map<String, Value>,
    depth: usize,
    found: &mut Vec<&'a Map<String, Value>>,
) {
    if member(said, TOKEN_MEMBER).is_some() {
        found.push(said);
    } else if depth > 0 {
        let items = said.values().flat_map(|value| match value {
            Value::Array(items) => items.as_slice(),
            value => std::slice::from_ref(value),
        });
        for inner in items.filter_map(Value::as_object) {
            find_holders(inner, depth - 1, found);
        }
    }
}

/// A member, also if its name is written otherwise, such as `accessToken`.
fn member<'a>(said: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let is_named = |other: &str| letters(other) == letters(name);
    said.get(name).or_else(|| Some(said.iter().find(|(other, _)| is_named(other))?.1))
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// True if it can be in a header.
fn is_sendable(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Some servers write the number as a string. A lifetime of a century is as good as any longer one.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(3.2e9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Option<String> {
        secret(&members(text))
    }

    #[test]
    fn token_is_found_in_any_wrapping() {
        for text in [
            r#"{"access_token":"a-1","token_type":"bearer"}"#,
            r#"{"accessToken":" a-1\n"}"#,
            r#"{"access_token":"Bearer a-1"}"#,
            r#"{"access_token":"bearer  a-1","expires_in":NaN}"#,
            r#"{"data":{"token":{"access_token":"a-1"}},"status":"ok"}"#,
            r#"{"tokens":[{"access_token":"a-1"}],"id":{"b":1}}"#,
            r#"[{"AccessToken":"a-1"}]"#,
            r#"{"token":"a-1","refresh_token":"r","id_token":"i","token_type":"b"}"#,
            "{'access_token': 'a-1',}",
            "<br />\n<b>Notice</b>: x<br />\n{\"access_token\":\"a-1\"}",
            "access_token=a-1&expires_in=60",
        ] {
            assert_eq!(token(text).as_deref(), Some("a-1"), "{text}");
        }
        assert_eq!(token(r#"{"access_token":17}"#).as_deref(), Some("17"));
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r";
        for text in [jwt.to_owned(), format!("\"{jwt}\"\r\n")] {
            assert_eq!(token(&text).as_deref(), Some(jwt));
        }
    }

    #[test]
    fn other_values_are_no_token() {
        for text in [
            "",
            "null",
            "OK",
            "\"invalid_client\"",
            r#"{"access_token":null,"token":"a-1"}"#,
            r#"{"access_token":"a 1"}"#,
            r#"{"refresh_token":"a-1"}"#,
            r#"{"token":"a-1","api_token":"a-2"}"#,
            r#"{"a":{"access_token":"a-1"},"b":{"access_token":"a-2"}}"#,
            r#"{"error":"invalid_client","error_token":"a-1"}"#,
            "<html>access_token=a-1</html>",
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }

    #[test]
    fn lifetime_is_a_positive_number_of_seconds() {
        for (value, expected) in [
            ("3600", Some(3600)),
            ("\"60\"", Some(60)),
            ("1e30", Some(3_200_000_000)),
            ("0", None),
            ("-1", None),
            ("null", None),
            ("\"NaN\"", None),
            ("\"soon\"", None),
            ("true", None),
        ] {
            let said = members(&format!("{{\"access_token\":\"a\",\"expires_in\":{value}}}"));
            assert_eq!(lifetime(&said), expected.map(Duration::from_secs), "{value}");
        }
    }
}
