//! JSON from outside, of which only so many values are read: a value takes many times the memory of its
//! text.

use serde::de::DeserializeOwned;
use serde_json::Error;

/// The most values of a request: several times what its fields may hold together.
pub const MAX_REQUEST_VALUES: usize = 1000;

/// Reads JSON of at most `most` values, counted before any of them is made.
///
/// ```
/// use ferry_types::domain::bounded_json::from_json_within;
///
/// assert_eq!(from_json_within::<Vec<u8>>(b"[1, 2, 3]", 4)?, [1, 2, 3]);
/// let error = from_json_within::<Vec<u8>>(b"[1, 2, 3]", 3).expect_err("four values");
/// assert_eq!(error.to_string(), "more than 3 values");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn from_json_within<T: DeserializeOwned>(text: &[u8], most: usize) -> Result<T, Error> {
    if has_more_values(text, most) {
        return Err(serde::de::Error::custom(format!("more than {most} values")));
    }
    serde_json::from_slice(text)
}

/// The JSON within what some servers put around it, against or for scripts: `)]}'`, `while(1);` and the
/// like before it, or the call of a function. Text without these is as it was, without blanks around it.
pub fn bare_json(text: &str) -> &str {
    const GUARDS: [&str; 7] =
        ["/**/", ")]}'", "{}&&", "while(1);", "while(true);", "for(;;);", "throw1;"];
    let text = text.trim();
    let begins_with_json = |text: &str| text.starts_with(['{', '[', '"']);
    let unguarded = |text| GUARDS.iter().find_map(|guard| without_guard(text, guard));
    let inner = unguarded(text).unwrap_or(text).trim_start();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_$.[]".contains(c);
    let called = inner.split_once('(').filter(|(name, _)| {
        let name = name.trim_end();
        !name.is_empty() && name.chars().all(is_of_name)
    });
    let inner = called.map_or(inner, |(_, argument)| {
        let argument = argument.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
        argument.strip_suffix(')').unwrap_or(argument).trim()
    });
    if begins_with_json(inner) { inner } else { text }
}

/// The text behind `guard`, which may have blanks in it.
fn without_guard<'a>(text: &'a str, guard: &str) -> Option<&'a str> {
    let mut rest = text;
    for char in guard.chars() {
        rest = rest.trim_start().strip_prefix(char)?;
    }
    Some(rest.trim_start_matches([',', ';']))
}

/// True if a text holds more values than `most`, or would if it were JSON. A key counts as the value it
/// names.
fn has_more_values(text: &[u8], most: usize) -> bool {
    // Each value but the first of a container follows a comma, and each first one an opening.
    let (mut values, mut rest) = (1, text);
    while let Some(at) = rest.iter().position(|byte| b"\",[{".contains(byte)) {
        let is_string = rest[at] == b'"';
        rest = &rest[at + 1..];
        if is_string {
            rest = after_string(rest);
        } else if values == most {
            return true;
        } else {
            values += 1;
        }
    }
    false
}

/// The rest of `text` after the string that began before it.
fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', text) {
        let is_end = text[at] == b'"';
        text = text.get(at + if is_end { 1 } else { 2 }..).unwrap_or_default();
        if is_end {
            return text;
        }
    }
    b""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_within_guards_and_calls() {
        for text in [
            ")]}'\n[1]",
            ")]}',\n[1]",
            "while (1); [1]",
            "while(1);[1]\n",
            "for (;;);[1]",
            "throw 1; [1]",
            "{} && [1]",
            "/**/cb([1]);",
            "cb([1])",
            "jQuery_1.cb ( [1] ) ;\r\n",
            "[1]",
        ] {
            assert_eq!(bare_json(text), "[1]", "{text}");
        }
        for text in ["completed(3)", "a sentence ([1])", "2|(x)|{}", "while", "{}", "", "no ]"] {
            assert_eq!(bare_json(text), text);
        }
    }

    #[test]
    fn values_are_counted_wherever_they_stand_and_not_in_strings() {
        let cases: [(&str, usize); 9] = [
            ("", 1),
            ("7", 1),
            ("[]", 2),
            (r#"{"a": 1, "b": [2, 3]}"#, 5),
            (r#""a,b[{""#, 1),
            (r#"["a\"", ",\\", "[\\\","]"#, 4),
            (r#""cut \"#, 1),
            (r#""cut, "#, 1),
            ("[[[[", 5),
        ];
        for (text, values) in cases {
            assert!(!has_more_values(text.as_bytes(), values), "{text}");
            assert!(values == 1 || has_more_values(text.as_bytes(), values - 1), "{text}");
        }
    }
}
