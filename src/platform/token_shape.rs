//! Distinguishes a processing token from a code, a number, a date or a message in the place of one.

/// The documentation promises a UUID. Other opaque words of Platforms have so many letters and digits at
/// least (64 bits in hexadecimal digits); numbers of rows, times and codes of errors have fewer.
const LEAST: usize = 16;

/// Names join few words in `CamelCase`; random letters change their case more often.
const CASES: usize = 3;

/// True for a text that stands where a processing token belongs and looks like an issued one. Any other
/// response is shown to a person: a dataset that is polled by an error code is lost.
///
/// No word is compared, since a message may be in any language. In codes and sentences that people
/// write, digits follow letters (`ERR-1001`, `march2`) and dates know no letter but `T` and `Z`; in random
/// words letters follow digits, or their case changes again and again.
pub(super) fn is_token(word: &str) -> bool {
    if is_wrapped_uuid(word) {
        return true;
    }
    let unpadded = word.trim_end_matches('=');
    let count = unpadded.chars().filter(char::is_ascii_alphanumeric).count();
    let is_in_alphabet = |c: char| c.is_ascii_alphanumeric() || "-_.~+/".contains(c);
    count >= LEAST
        && !is_cut_uuid(word)
        && !is_one_digit(unpadded)
        && unpadded.chars().all(is_in_alphabet)
        && unpadded.split(|c: char| !c.is_ascii_alphanumeric()).any(is_opaque)
}

/// True for a value whose name says that it is a token: it may be short, but not a blank one.
pub(super) fn is_named_token(word: &str) -> bool {
    !word.chars().any(|c| c.is_whitespace() || c.is_control())
        && word.contains(|c: char| c.is_ascii_digit())
        && !is_one_digit(word)
}

/// True for a UUID, but not for the nil one, which stands for none.
pub(super) fn is_uuid(word: &str) -> bool {
    let dashes = |(at, c): (usize, char)| (c == '-') == [8, 13, 18, 23].contains(&at);
    word.len() == 36
        && word.char_indices().all(dashes)
        && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
        && !is_one_digit(word)
}

/// True for a UUID in one of the forms that libraries write.
pub(super) fn is_wrapped_uuid(word: &str) -> bool {
    bare_uuid(word).is_some()
}

/// The UUID alone of a text that is one, perhaps without hyphens, in brackets or as a URN.
pub(super) fn bare_uuid(word: &str) -> Option<&str> {
    const URN: &str = "urn:uuid:";
    let inner = |(open, close)| word.strip_prefix(open)?.strip_suffix(close);
    let inner = [('{', '}'), ('(', ')'), ('<', '>')].into_iter().find_map(inner).unwrap_or(word);
    let is_urn = inner.get(..URN.len()).is_some_and(|start| start.eq_ignore_ascii_case(URN));
    let uuid = if is_urn { &inner[URN.len()..] } else { inner };
    let is_plain = uuid.len() == 32 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_uuid(uuid) || (is_plain && !is_one_digit(uuid))).then_some(uuid)
}

/// True for the beginning of a UUID whose rest is missing.
fn is_cut_uuid(word: &str) -> bool {
    let fits = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    };
    (14..36).contains(&word.len()) && word.char_indices().all(fits)
}

/// True for zero and the like, at any length.
fn is_one_digit(word: &str) -> bool {
    let mut digits = word.chars().filter(char::is_ascii_alphanumeric);
    let first = digits.next();
    digits.all(|digit| Some(digit) == first)
}

/// True for a part of a word, between separators, that no person would write.
fn is_opaque(part: &str) -> bool {
    let pairs = || part.as_bytes().windows(2);
    let is_of_date = |letter: u8| b"tTzZ".contains(&letter);
    let follows_digit = |pair: &[u8]| {
        pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic() && !is_of_date(pair[1])
    };
    let changes_case = |pair: &&[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    digits >= LEAST && digits == part.len()
        || pairs().any(follows_digit)
        || (digits > 0 && pairs().filter(changes_case).count() >= CASES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_tokens_of_any_kind_are_tokens() {
        for token in [
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "3F2504E0-4F89-41D3-9A0C-0305E82C3301",
            "3f2504e04f8941d39a0c0305e82c3301",
            "507f1f77bcf86cd799439011",
            "9f86d081884c7d65",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "0ujtsYcgvSTl8PAuAdqWYSMnLOv",
            "V1StGXR8_Z5jdHi6B-myT",
            "tz4a98xxat96iws9zmbrgj3a",
            "9m4e2mr0ui3e8a215n4g",
            "P1JQTk+JQdOaDAMF6CwzAQ==",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbUJU1p1r",
            "1541815603606036480",
            "job_1541815603606036480",
            "proc-7b1f9a2e55c04d3b",
            "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
            "urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        ] {
            assert!(is_token(token), "{token}");
            assert!(is_named_token(token), "{token}");
        }
    }

    #[test]
    fn codes_numbers_dates_and_messages_are_none() {
        for other in [
            "",
            "0",
            "1",
            "42",
            "OK",
            "null",
            "ERR-1001",
            "Error500",
            "HTTP-500",
            "E0001:duplicate",
            "ORA-00001-unique-constraint",
            "success=false;code=17",
            "Name+march2+exists",
            "Dataset-march-2026-already-exists",
            "DatasetAlreadyExists",
            "UniqueNameError42",
            "v1.2.3",
            "20261129",
            "20261129180000",
            "20261129T180000Z",
            "2026-11-29T18:00:00Z",
            "2026-11-29T18:00:00.0000000+00:00",
            "1764439200000",
            "0000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "{00000000-0000-0000-0000-000000000000}",
            "00000000000000000000000000000000",
            "{3f2504e0}",
            "two words 3f2504e04f8941d39a0c0305e82c3301",
            "日本語1は既に存在します",
        ] {
            assert!(!is_token(other), "{other}");
        }
        for other in ["0", "", "none", "00000000-0000-0000-0000-000000000000", "a 1"] {
            assert!(!is_named_token(other), "{other}");
        }
        assert!(is_named_token("job-42") && is_named_token("42"));
    }
}
