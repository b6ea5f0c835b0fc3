//! Makes what differs from run to run the same in every run.

/// Ids, processing tokens, times, spans and ports become words.
pub(crate) fn redact(text: &str) -> String {
    let mut ids: Vec<String> = Vec::new();
    let mut redacted = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        // Who runs the tests.
        if let Some((_, behind)) =
            rest.strip_prefix("by user `").and_then(|behind| behind.split_once('`'))
        {
            redacted += "by user `USER`";
            rest = behind;
            continue;
        }
        let word_end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(word_end.max(first.len_utf8()));
        rest = behind;
        if is_id(word) {
            let known = ids.iter().position(|id| id == word).unwrap_or_else(|| {
                ids.push(word.to_owned());
                ids.len() - 1
            });
            redacted += &format!("ID-{}", known + 1);
        } else if is_uuid(word) {
            redacted += "TOKEN";
        } else if let Some(number) = epoch(word) {
            redacted += &format!("EPOCH-{number}");
        } else if let Some(behind) = after_time(word, rest) {
            redacted += "TIME";
            rest = behind;
        } else if let Some(behind) = after_span(&redacted, word, rest) {
            redacted += "SPAN";
            rest = behind;
        } else if redacted.ends_with("127.0.0.1:") && is_number(word) {
            redacted += "PORT";
        } else {
            redacted += word;
        }
    }
    redacted
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_id(word: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    word.len() == 26 && word.starts_with("01") && word.bytes().all(is_digit)
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The number in the id of an event.
fn epoch(word: &str) -> Option<u64> {
    let (epoch, number) = word.split_once('-')?;
    let is_epoch = epoch.len() == 16 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
    number.parse().ok().filter(|_| is_epoch)
}

/// `2026-01-31 18:00:00 UTC`.
fn after_time<'a>(word: &str, rest: &'a str) -> Option<&'a str> {
    let is_date = word.len() == 10 && word.split('-').map(str::len).eq([4, 2, 2]);
    let time = rest.get(1..9).filter(|_| is_date && rest.starts_with(' '))?;
    let is_time = time.split(':').all(is_number) && time.split(':').count() == 3;
    rest.get(9..).filter(|_| is_time)
}

/// `1s 200ms`, where a word before or behind it says that it is a span that went by or will.
fn after_span<'a>(before: &str, word: &str, rest: &'a str) -> Option<&'a str> {
    if !is_span(word) {
        return None;
    }
    let mut behind = rest;
    while let Some(next) = behind.strip_prefix(' ') {
        let end = next.find(|c: char| !is_word(c)).unwrap_or(next.len());
        if !is_span(&next[..end]) {
            break;
        }
        behind = &next[end..];
    }
    let is_behind =
        [" after ", "(after ", " in ", " wait "].iter().any(|word| before.ends_with(word));
    (is_behind || behind.starts_with(" ago")).then_some(behind)
}

fn is_span(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && matches!(unit, "ns" | "us" | "ms" | "s" | "m" | "h" | "day" | "days")
}

#[test]
fn what_differs_is_redacted_and_nothing_else() {
    let text = "01KDXB8W4S9ZT2M3Q5R7V1C6HY  2026-01-31 18:00:00 UTC  queued after 1s 200ms, 50ms";
    assert_eq!(redact(text), "ID-1  TIME UTC  queued after SPAN, 50ms");
    assert_eq!(redact("http://127.0.0.1:8700/x 3m ago"), "http://127.0.0.1:PORT/x SPAN ago");
}
