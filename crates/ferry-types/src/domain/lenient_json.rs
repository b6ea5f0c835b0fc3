//! JSON as servers write it that use no library for it, or that put something around it. Only texts with
//! one obvious reading are read.

use std::iter::Peekable;
use std::str::CharIndices;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};

use super::bounded_json::{bare_json, from_json_within};

/// Maximum number of places where JSON may begin that are looked at.
const MAX_PLACES: usize = 20;

/// Reads JSON of at most `most` values: strict, within guards of scripts, or as it is written in scripts.
///
/// ```
/// use ferry_types::domain::lenient_json::read_json;
///
/// let expected = serde_json::json!({"token": "a1"});
/// for text in [r#"{"token":"a1"}"#, ")]}'\n{\"token\":\"a1\"}", "{token: 'a1', /* one */}"] {
///     assert_eq!(read_json(text, 100).as_ref(), Some(&expected));
/// }
/// ```
pub fn read_json(text: &str, most: usize) -> Option<Value> {
    let strict = |text: &str| from_json_within(text.as_bytes(), most).ok();
    let bare = bare_json(text);
    strict(text.trim()).or_else(|| strict(bare)).or_else(|| strict(&rewritten(bare)?))
}

/// The only object, array or string of JSON among the warnings of a server: it begins a line, or follows
/// a tag unless it is a string, and ends with its line, or before a tag.
pub fn json_among_others(text: &str, most: usize) -> Option<Value> {
    let begins = text.char_indices().filter(|(at, c)| {
        let before = text[..*at].trim_end_matches([' ', '\t']);
        let begins = before.is_empty() || before.ends_with('\n');
        ("{[\"".contains(*c) && begins) || ("{[".contains(*c) && before.ends_with('>'))
    });
    let (mut found, mut end) = (None, 0);
    for (at, _) in begins.take(MAX_PLACES) {
        let value = if at < end { None } else { first_value(&text[at..]) };
        let Some(value) = value else { continue };
        end = at + value.len();
        let rest = text[end..].trim_start_matches([' ', '\t', '\r', ';']);
        if !(rest.is_empty() || rest.starts_with(['\n', '<'])) {
            continue;
        }
        if found.replace(from_json_within(value.as_bytes(), most).ok()?).is_some() {
            return None;
        }
    }
    found
}

/// The value at the beginning of `text`.
fn first_value(text: &str) -> Option<&str> {
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(&text[..values.byte_offset()])
}

type Chars<'a> = Peekable<CharIndices<'a>>;

/// `text` in strict JSON, if it differs from that no more than scripts may: in comments, single quotes,
/// names and words without quotes, a comma before an end, and control characters in strings.
fn rewritten(text: &str) -> Option<String> {
    let text = text.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    if !text.starts_with(['{', '[', '"', '\'', '/']) {
        return None;
    }
    let mut chars = text.char_indices().peekable();
    let (mut json, mut has_comma) = (String::with_capacity(text.len()), false);
    while let Some((at, c)) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        if c == '/' {
            skip_comment(&mut chars)?;
            continue;
        }
        // One before an end stands for nothing.
        if std::mem::take(&mut has_comma) && !matches!(c, '}' | ']') {
            json.push(',');
        }
        match c {
            ',' if json.is_empty() || json.ends_with([',', '{', '[', ':']) => return None,
            ',' => has_comma = true,
            '{' | '}' | '[' | ']' | ':' => json.push(c),
            '"' | '\'' => push_string(&mut json, c, &mut chars)?,
            c if is_of_word(c) => push_word(&mut json, text, at, &mut chars),
            _ => return None,
        }
    }
    Some(json)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_$+-.".contains(c)
}

/// Skips the comment whose first slash was read.
fn skip_comment(chars: &mut Chars<'_>) -> Option<()> {
    match chars.next()?.1 {
        '/' => {
            chars.find(|(_, c)| *c == '\n');
        }
        '*' => {
            while chars.find(|(_, c)| *c == '*').is_some() && chars.peek()?.1 != '/' {}
            chars.next();
        }
        _ => return None,
    }
    Some(())
}

/// Writes the string whose first `quote` was read.
fn push_string(json: &mut String, quote: char, chars: &mut Chars<'_>) -> Option<()> {
    json.push('"');
    loop {
        match chars.next()?.1 {
            c if c == quote => break,
            '"' => json.push_str("\\\""),
            '\\' => match chars.next()?.1 {
                c if "\"\\/bfnrtu".contains(c) => json.extend(['\\', c]),
                c => json.push(c),
            },
            c if c.is_ascii_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    Some(())
}

/// Writes the word that begins `at`: a name, a number, or what scripts have for `true`, `false` and `null`.
fn push_word(json: &mut String, text: &str, at: usize, chars: &mut Chars<'_>) {
    let mut end = text.len();
    while let Some((next, c)) = chars.peek() {
        if !is_of_word(*c) {
            end = *next;
            break;
        }
        chars.next();
    }
    let word = &text[at..end];
    let literal = match word {
        "true" | "True" => "true",
        "false" | "False" => "false",
        "null" | "None" | "undefined" | "NaN" | "nan" | "Infinity" | "-Infinity" => "null",
        _ => word,
    };
    let is_name = text[end..].trim_start().starts_with(':');
    let is_literal = literal != word || serde_json::from_str::<Value>(word).is_ok();
    // Two words are not one.
    json.push(' ');
    if is_literal && !is_name {
        json.push_str(literal);
    } else {
        json.push_str(&Value::from(word).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn json_of_scripts_is_read() {
        for (text, expected) in [
            (r#"{"a":"b",}"#, json!({"a": "b"})),
            ("[1, 2,\n]", json!([1, 2])),
            ("{'a':'b\"c'}", json!({"a": "b\"c"})),
            ("{a: b-1, c: 7}", json!({"a": "b-1", "c": 7})),
            (
                "{\"a\":NaN,'b':None,c:undefined,d:-Infinity}",
                json!({"a":null,"b":null,"c":null,"d":null}),
            ),
            ("[True, False, null]", json!([true, false, null])),
            ("{true: 1, 2: 3}", json!({"true": 1, "2": 3})),
            ("// made by hand\n{/* ** */\"a\": 1} // end", json!({"a": 1})),
            ("\"a\nb\tc\"", json!("a\nb\tc")),
            (r"'it\'s \d'", json!("it's d")),
            ("['a'];\r\n", json!(["a"])),
            (")]}',\n{'a':1}", json!({"a": 1})),
            ("cb({a:'b'});", json!({"a": "b"})),
            ("[007, +1, .5]", json!(["007", "+1", ".5"])),
        ] {
            assert_eq!(read_json(text, 100), Some(expected), "{text}");
        }
    }

    #[test]
    fn text_with_no_obvious_reading_is_not_read() {
        for text in [
            "",
            "a b",
            "{",
            "[1 2]",
            "[,]",
            "[1,,2]",
            "{'a'}",
            "{a:}",
            "{a: b c}",
            "'a",
            "/* a",
            "/a/",
            "[1] done",
            "{a: b|c}",
            "Warning: a",
            "<p>",
            "[1][2]",
            "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
        ] {
            assert_eq!(read_json(text, 100), None, "{text}");
        }
        assert_eq!(read_json("{'a':[1,2]}", 3), None, "more values");
    }

    #[test]
    fn json_is_found_among_the_warnings_of_a_server() {
        for text in [
            "Warning: undefined x in a.php on line 3\n{\"a\":[\"b\"]}",
            "<br />\n<b>Notice</b>:  x in <b>\"a.php\"</b> on line <b>3</b><br />\n{\"a\":[\"b\"]}\n",
            "<br />{\"a\":[\"b\"]}<!-- took 3 ms -->",
            "{\"a\":[\"b\"]}\n\nDeprecated: x",
            "x\r\n{\"a\":\n[\"b\"]};\r\n",
        ] {
            assert_eq!(json_among_others(text, 100), Some(json!({"a": ["b"]})), "{text}");
        }
        for text in
            ["{\"a\":1}\n{\"a\":1}", "a {\"b\":1}", "x\n{\"a\":1} and so on", "x\n{a:1}", "7"]
        {
            assert_eq!(json_among_others(text, 100), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[\\[\\]{}\"':,/*\\\\a1é \n-]{0,30}") {
            read_json(&text, 100);
            json_among_others(&text, 100);
        }

        #[test]
        fn strict_json_is_rewritten_to_the_same(a in "\\PC*", b in any::<i64>(), c in any::<bool>()) {
            let value = json!({"a": [a, b], "c": c, "": null});
            let rewritten = rewritten(&value.to_string()).expect("it is JSON");
            prop_assert_eq!(serde_json::from_str::<Value>(&rewritten).expect("it is JSON"), value);
        }
    }
}
