//! Takes an account's secrets and its datasets' rows out of texts that people will read: the
//! Platform may echo anything.

use std::collections::HashSet;
use std::sync::Arc;

use data_encoding::BASE64;
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::account::AccountConfig;
use crate::to_json::to_json;

/// Number of access tokens that are remembered: one that was replaced may still be echoed.
const BEARERS: usize = 8;

/// Number of spellings of secrets that are remembered when further ones replace them.
const LASTING: usize = 70;

/// Text is read as if it were encoded so many times over, such as JSON within JSON.
const LAYERS: usize = 2;

/// Length of a text that is searched for rows, in characters; the rest is not shown.
const SEARCHED: usize = 4096;

/// A row is recognized by so many bytes of its beginning. A valid one is longer.
const BEGINNING: usize = 16;

/// Length of a secret that is looked for in bytes of a result, which a shorter one would damage.
const LEAST: usize = 4;

const REDACTED: &str = "[redacted]";

/// Knows the secrets. Clones know the same ones.
#[derive(Debug, Clone)]
pub(super) struct Scrubber {
    lasting: Arc<Mutex<Vec<SecretString>>>,
    bearers: Arc<Mutex<Vec<SecretString>>>,
}

impl Scrubber {
    pub(super) fn new(account: &AccountConfig) -> Self {
        let scrubber = Self { lasting: Arc::default(), bearers: Arc::default() };
        scrubber.learn(&account.client_id, &account.client_secret.get(), &account.api_key.get());
        scrubber
    }

    /// Adds secrets that replace others, which stay known: they may still be echoed.
    pub(super) fn learn(&self, client_id: &str, secret: &SecretString, key: &SecretString) {
        let (secret, key) = (secret.expose_secret(), key.expose_secret());
        // Other spellings are found by decoding the text; that leaves the blank of a form alone.
        let mut needles = vec![basic(client_id, secret)];
        for secret in [secret, key] {
            let json = to_json(secret);
            let json = json.trim_matches('"').to_owned();
            needles.extend([encoded(secret), secret.replace(' ', "+"), json, secret.to_owned()]);
        }
        needles.retain(|needle| !needle.is_empty());
        let mut lasting = self.lasting.lock();
        lasting.truncate(LASTING);
        lasting.extend(needles.into_iter().map(SecretString::from));
        // A secret may be a part of another: the longest goes first.
        lasting.sort_by_key(|needle| std::cmp::Reverse(needle.expose_secret().len()));
    }

    /// An access token is a secret, too.
    pub(super) fn add_bearer(&self, token: &SecretString) {
        let mut bearers = self.bearers.lock();
        bearers.insert(0, token.clone());
        bearers.truncate(BEARERS);
    }

    /// `bytes` without exact occurrences of secrets, and otherwise as they are: they belong to a result.
    pub(super) fn without_secrets(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let (bearers, lasting) = (self.bearers.lock().clone(), self.lasting.lock().clone());
        let mut needles: Vec<SecretString> = bearers.into_iter().chain(lasting).collect();
        needles.retain(|needle| needle.expose_secret().len() >= LEAST);
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose_secret().len()));
        let has_wide = memchr::memchr(0, &bytes).is_some();
        for needle in needles.iter().map(ExposeSecret::expose_secret) {
            bytes = replaced(bytes, needle.as_bytes(), REDACTED.as_bytes());
            if has_wide {
                for wide in [u16::to_le_bytes, u16::to_be_bytes] {
                    let of = |text: &str| text.encode_utf16().flat_map(wide).collect::<Vec<u8>>();
                    bytes = replaced(bytes, &of(needle), &of(REDACTED));
                }
            }
        }
        bytes
    }

    /// `text` without secrets in any spelling, without rows of the CSV texts `rows`, without control
    /// characters, and not longer than `limit` characters.
    pub(super) fn clean(&self, text: &str, rows: &[&str], limit: usize) -> String {
        let shown = self.without_what_is_hidden(text, rows, LAYERS);
        let words: Vec<&str> = shown
            .split(|c: char| c.is_control() || c.is_whitespace())
            .filter(|w| !w.is_empty())
            .collect();
        // What stood between the parts of a secret may be gone now.
        shortened(self.redacted(&words.join(" "), rows), limit)
    }

    /// `text`, or, if that reveals more to take out, the decoded text.
    fn without_what_is_hidden(&self, text: &str, rows: &[&str], layers: usize) -> String {
        let mut text = self.redacted(text, rows);
        if layers == 0 {
            return text;
        }
        for decode in [without_escapes, without_percents, without_entities] {
            let decoded = decode(&text);
            if decoded != text {
                let cleaned = self.without_what_is_hidden(&decoded, rows, layers - 1);
                if cleaned != decoded {
                    text = cleaned;
                }
            }
        }
        text
    }

    fn redacted(&self, text: &str, rows: &[&str]) -> String {
        let bearers = self.bearers.lock();
        let lasting = self.lasting.lock();
        let needles = bearers.iter().chain(lasting.iter()).map(ExposeSecret::expose_secret);
        let text = without_needles(text, &needles.collect::<Vec<_>>());
        drop((bearers, lasting));
        if rows.is_empty() { without_dated_lines(&text) } else { without_rows(text, rows) }
    }
}

/// Replaces the longest of the needles wherever one is, in any letter case, but for within `REDACTED`: a token of one letter
/// is part of that, and the text would grow tenfold with each pass.
fn without_needles(text: &str, needles: &[&str]) -> String {
    let mut begins = [false; 256];
    for needle in needles {
        let first = needle.as_bytes()[0];
        begins[usize::from(first.to_ascii_lowercase())] = true;
        begins[usize::from(first.to_ascii_uppercase())] = true;
    }
    let (mut clean, mut from, mut at) = (String::with_capacity(text.len()), 0, 0);
    while at < text.len() {
        if text.as_bytes()[at..].starts_with(REDACTED.as_bytes()) {
            at += REDACTED.len();
            continue;
        }
        let is_candidate = begins[usize::from(text.as_bytes()[at])] && text.is_char_boundary(at);
        let fitting = needles.iter().filter(|needle| {
            let found = text.as_bytes()[at..].get(..needle.len()).filter(|_| is_candidate);
            found.is_some_and(|found| found.eq_ignore_ascii_case(needle.as_bytes()))
        });
        match fitting.map(|needle| needle.len()).max() {
            Some(length) => {
                clean += &text[from..at];
                clean += REDACTED;
                at += length;
                from = at;
            }
            None => at += 1,
        }
    }
    clean + &text[from..]
}

/// The text that follows `Basic ` when a token is asked for: only the secret is form-urlencoded.
pub(super) fn basic(client_id: &str, secret: &str) -> String {
    BASE64.encode(format!("{client_id}:{}", encoded(secret)).as_bytes())
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn shortened(text: String, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Takes the rows out of the beginning of `text`, and parts of them that have two columns and more.
/// A value that the Platform complains of stays.
fn without_rows(text: String, rows: &[&str]) -> String {
    let mut text = shortened(text, SEARCHED);
    let beginnings: HashSet<Vec<u8>> =
        text.as_bytes().windows(BEGINNING).map(<[u8]>::to_vec).collect();
    for row in rows.iter().flat_map(|rows| rows.lines()).map(str::trim) {
        let Some(beginning) = row.as_bytes().get(..BEGINNING) else { continue };
        if !beginnings.contains(beginning) || is_header(row) {
            continue;
        }
        let mut from = 0;
        while let Some(start) = position(&text.as_bytes()[from..], beginning) {
            let start = from + start;
            let common: usize = text[start..]
                .chars()
                .zip(row.chars())
                .take_while(|(shown, sent)| shown == sent)
                .map(|(c, _)| c.len_utf8())
                .sum();
            from = start + common.max(1);
            if row[..common].matches(',').count() >= 2 {
                text.replace_range(start..start + common, REDACTED);
                from = start + REDACTED.len();
            }
            while !text.is_char_boundary(from) {
                from += 1;
            }
        }
    }
    text
}

/// Takes out lines with a date in a column of its own, as every row has one: of what was uploaded
/// before, the rows are not known.
fn without_dated_lines(text: &str) -> String {
    let is_date = |date: &[u8]| {
        let digits = |range: std::ops::Range<usize>| date[range].iter().all(u8::is_ascii_digit);
        digits(0..2) && digits(3..5) && digits(6..10) && date[2] == b'/' && date[5] == b'/'
    };
    let ends = |byte: u8| matches!(byte, b',' | b'"');
    let is_row = |line: &str| {
        let mut windows = line.as_bytes().windows(12);
        windows.any(|bytes| ends(bytes[0]) && ends(bytes[11]) && is_date(&bytes[1..11]))
    };
    if !is_row(text) {
        return text.to_owned();
    }
    let lines = text.split('\n').map(|line| if is_row(line) { REDACTED } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

fn replaced(bytes: Vec<u8>, needle: &[u8], replacement: &[u8]) -> Vec<u8> {
    let found: Vec<usize> = memchr::memmem::find_iter(&bytes, needle).collect();
    if found.is_empty() {
        return bytes;
    }
    let (mut clean, mut from) = (Vec::with_capacity(bytes.len()), 0);
    for at in found {
        clean.extend_from_slice(&bytes[from..at]);
        clean.extend_from_slice(replacement);
        from = at + needle.len();
    }
    clean.extend_from_slice(&bytes[from..]);
    clean
}

fn is_header(row: &str) -> bool {
    let first = row.split(',').next().unwrap_or_default();
    first.trim_matches(['\u{feff}', '"', ' ']).eq_ignore_ascii_case("reference")
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// Reads the escapes of JSON, wherever they are.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    // Two escapes may stand for one character.
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    loop {
        let unit = rest.strip_prefix("\\u").and_then(|hex| hex.get(..4));
        if let Some(Ok(unit)) = unit.map(|hex| u16::from_str_radix(hex, 16)) {
            units.push(unit);
            rest = &rest["\\u0000".len()..];
            continue;
        }
        let characters = char::decode_utf16(units.drain(..));
        plain.extend(characters.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        let mut characters = rest.chars();
        match (characters.next(), characters.clone().next()) {
            (None, _) => return plain,
            (Some('\\'), Some(escaped)) => {
                characters.next();
                plain.push(match escaped {
                    'n' | 'r' => '\n',
                    't' | 'b' | 'f' => ' ',
                    other => other,
                });
            }
            (Some(character), _) => plain.push(character),
        }
        rest = characters.as_str();
    }
}

/// Reads percent-encoding, wherever it is.
fn without_percents(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = others.get(..2).filter(|_| *first == b'%');
        let byte = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Reads the entities of HTML that escape something, wherever they are.
fn without_entities(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let entity = rest.split_once(';').and_then(|(name, after)| Some((entity(name)?, after)));
        if let Some((character, after)) = entity {
            plain.push(character);
            rest = after;
        } else {
            plain.push('&');
        }
    }
    plain + rest
}

fn entity(name: &str) -> Option<char> {
    let code = name.strip_prefix('#');
    let hex = code.and_then(|code| code.strip_prefix(['x', 'X']));
    match (name, code, hex) {
        (_, _, Some(hex)) => char::from_u32(u32::from_str_radix(hex, 16).ok()?),
        (_, Some(code), _) => char::from_u32(code.parse().ok()?),
        ("amp", ..) => Some('&'),
        ("lt", ..) => Some('<'),
        ("gt", ..) => Some('>'),
        ("quot", ..) => Some('"'),
        ("apos", ..) => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{OverwriteFormat, StatusMap};

    const SECRET: &str = r#"p+/=%:&"\ <ä😀>"#;

    fn scrubber() -> Scrubber {
        Scrubber::new(&AccountConfig {
            name: "a".into(),
            token_url: String::new(),
            api_url: String::new(),
            client_id: "id".into(),
            client_secret: SECRET.into(),
            api_key: "the key".into(),
            overwrite_format: OverwriteFormat::default(),
            account_limits: ferry_types::domain::limits::AccountLimits::default(),
            status_map: StatusMap::default(),
        })
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let scrubber = scrubber();
        let json = serde_json::to_string(SECRET).expect("a text has a JSON form");
        let spellings = [
            SECRET.to_owned(),
            encoded(SECRET),
            encoded(SECRET).to_lowercase(),
            encoded(SECRET).replace('+', "%20"),
            json.clone(),
            serde_json::to_string(&json).expect("a text has a JSON form"),
            SECRET
                .encode_utf16()
                .fold(String::new(), |text, unit| text + &format!("\\u{unit:04X}")),
            SECRET.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&#60;"),
            basic("id", SECRET),
            encoded("the key"),
            "THE KEY".to_owned(),
            "The Key".to_owned(),
        ];
        for (number, spelling) in spellings.into_iter().enumerate() {
            let cleaned = scrubber.clean(&format!("no: {spelling} (sic)"), &[], 200);
            assert!(cleaned.starts_with("no: "), "{cleaned}");
            assert!(cleaned.contains(REDACTED), "spelling {number}: {cleaned}");
            assert!(cleaned.ends_with(" (sic)"), "{cleaned}");
        }
    }

    #[test]
    fn bytes_of_a_result_are_stored_as_they_are_but_for_secrets() {
        let scrubber = scrubber();
        scrubber.add_bearer(&"a bearer".into());
        let clean = |bytes: &[u8]| scrubber.without_secrets(bytes.to_vec());
        let opaque: Vec<u8> = (0..=255).cycle().take(5000).collect();
        assert_eq!(clean(&opaque), opaque);
        let json = serde_json::to_string(SECRET).expect("a text has a JSON form");
        let json = json.trim_matches('"').to_owned();
        let basic = basic("id", SECRET);
        for secret in [SECRET, &encoded(SECRET), &json, &basic, "the key", "a bearer"] {
            let wrapped = |text: &str| [b"\xff\xfe1|", text.as_bytes(), b"|\r\n"].concat();
            assert_eq!(clean(&wrapped(secret)), wrapped(REDACTED), "{secret}");
            for wide in [u16::to_le_bytes, u16::to_be_bytes] {
                let of = |text: &str| text.encode_utf16().flat_map(wide).collect::<Vec<u8>>();
                let wrapped = |text: &str| of(&format!("1|{text}|\r\n"));
                assert_eq!(clean(&wrapped(secret)), wrapped(REDACTED), "{secret}");
            }
        }
    }

    #[test]
    fn tokens_of_one_letter_do_not_make_a_text_grow_without_end() {
        let scrubber = scrubber();
        for token in ["[", "r", "e", "d", "a", "c", "t", "]"] {
            scrubber.add_bearer(&token.into());
        }
        let cleaned = scrubber.clean(&"e".repeat(1000), &[], 100_000);
        assert_eq!(cleaned.len(), 1000 * REDACTED.len());
    }

    #[test]
    fn rows_that_are_not_known_are_taken_out_by_their_dates() {
        let clean = |text: &str| scrubber().clean(text, &[], 500);
        let row = r#""O'Hara, E.",01/02/2026,08:00,02/02/2026,09:00"#;
        assert_eq!(clean(&format!("wrong:\n{row}\nsorry")), "wrong: [redacted] sorry");
        let echo = serde_json::json!({ "message": "bad row", "row": row }).to_string();
        for echo in [echo.replace('/', "\\/"), echo, row.to_owned()] {
            assert!(!clean(&echo).contains("O'Hara"), "{echo}");
        }
        let said = "due on 01/02/2026, at 08:00, or later";
        assert_eq!(clean(said), said);
    }

    #[test]
    fn a_row_is_taken_out_and_a_value_stays() {
        let scrubber = scrubber();
        let rows = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                    REFERENCE-WITH-A-LONG-NAME,01/02/2026,08:00,02/02/2026,09:00\r\n\
                    \"Sm\u{ee}th, J\",01/02/2026,08:00,02/02/2026,09:00\n";
        let clean = |text: &str| scrubber.clean(text, &[rows], 500);
        let value = "unknown reference REFERENCE-WITH-A-LONG-NAME";
        assert_eq!(clean(value), value);
        let header = "wanted Reference,StartDate,StartTime,EndDate,EndTime";
        assert_eq!(clean(header), header);
        let row = "near REFERENCE-WITH-A-LONG-NAME,01/02/2026,08:00,02/02/2026,09:00: no";
        assert_eq!(clean(row), "near [redacted]: no");
        let part = "near REFERENCE-WITH-A-LONG-NAME,01/02/2026,08";
        assert_eq!(clean(part), "near [redacted]");
        let echo = serde_json::json!({ "Data": rows }).to_string();
        let header = "Reference,StartDate,StartTime,EndDate,EndTime";
        assert_eq!(clean(&echo), format!(r#"{{"Data":"{header} [redacted] [redacted] "}}"#));
    }
}
