//! Decodes bytes to text, in the charset that they declare or that they evidently have.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Decodes the body of a response with this `Content-Type`. A byte order mark counts more than the
/// declaration, and a declaration that does not fit the bytes counts nothing.
pub fn text(content_type: Option<&str>, bytes: &[u8]) -> String {
    let marked = Encoding::for_bom(bytes);
    let text = if let Some(text) = utf32(bytes) {
        text
    } else if let Some((encoding, length)) = marked {
        encoding.decode_without_bom_handling(&bytes[length..]).0.into_owned()
    } else {
        let declared = content_type.and_then(charset);
        let declared =
            declared.filter(|encoding| fits(encoding, bytes) && !is_utf8_instead(encoding, bytes));
        let decode = |encoding: &'static Encoding| {
            encoding.decode_without_bom_handling_and_without_replacement(bytes)
        };
        utf16(bytes)
            .or(declared)
            .filter(|encoding| *encoding != encoding_rs::UTF_8)
            .and_then(decode)
            .map_or_else(|| utf8_or_1252(bytes), std::borrow::Cow::into_owned)
    };
    // Some servers send the end of a string of C.
    text.trim_start_matches('\u{feff}').trim_end_matches('\0').to_owned()
}

/// The encoding that a content type declares.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    let parameter = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    Encoding::for_label(parameter?.trim_matches(['"', '\'', ' ', '\t']).as_bytes())
}

/// False for UTF-16 declared of plain ASCII, which some frameworks declare of every text.
fn fits(encoding: &'static Encoding, bytes: &[u8]) -> bool {
    (encoding != UTF_16LE && encoding != UTF_16BE) || !bytes.is_ascii()
}

/// True for UTF-8 that is declared to have a byte for each character, which many servers do by default: what
/// was written so would hardly ever be UTF-8.
fn is_utf8_instead(encoding: &'static Encoding, bytes: &[u8]) -> bool {
    encoding.is_single_byte() && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
}

/// Decodes UTF-32, in which each character has a zero at its upper end.
fn utf32(bytes: &[u8]) -> Option<String> {
    let chars = |number: fn([u8; 4]) -> u32| {
        let (chars, rest) = bytes.as_chunks();
        let chars = chars.iter().map(|char| char::from_u32(number(*char)));
        // Two characters of UTF-16 are another one only of planes that no text has.
        let chars = chars.map(|char| char.filter(|char| ('\u{1}'..'\u{30000}').contains(char)));
        if bytes.is_empty() || !rest.is_empty() { None } else { chars.collect::<Option<String>>() }
    };
    chars(u32::from_le_bytes).or_else(|| chars(u32::from_be_bytes))
}

/// UTF-16 by its zeros: every other byte of most texts is one, and no other charset has any.
fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| bytes.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // The one zero of a short text may be the end of a string of C.
    let is_ended = even + odd == 1 && bytes.len() > 2 && bytes.is_ascii();
    if is_ended || (even + odd) * 8 < bytes.len() {
        None
    } else if odd > 4 * even {
        Some(UTF_16LE)
    } else if even > 4 * odd {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// UTF-8, also with a broken or cut character in it; otherwise Windows-1252, which all bytes fit.
fn utf8_or_1252(bytes: &[u8]) -> String {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return text.to_owned(),
        Err(error) => error,
    };
    let lossy = String::from_utf8_lossy(bytes);
    let has_others = lossy.chars().any(|c| !c.is_ascii() && c != char::REPLACEMENT_CHARACTER);
    if has_others || error.error_len().is_none() {
        return lossy.into_owned();
    }
    WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn declared_charset_is_decoded() {
        let latin = Some("text/plain; charset=ISO-8859-1");
        assert_eq!(text(latin, b"M\xfcller"), "M\u{fc}ller");
        assert_eq!(text(Some("text/plain;Charset=\"Shift_JIS\""), b"\x93\xfa"), "\u{65e5}");
        assert_eq!(text(Some("text/plain; charset=koi8-r"), b"\xd7"), "\u{432}");
    }

    #[test]
    fn declaration_that_does_not_fit_counts_nothing() {
        assert_eq!(text(Some("text/plain; charset=utf-8"), b"M\xfcller"), "M\u{fc}ller");
        assert_eq!(text(Some("text/plain; charset=utf-16"), b"done"), "done");
        let default = Some("text/plain; charset=ISO-8859-1");
        assert_eq!(
            text(default, "M\u{fc}ller \u{2013} \u{201c}x\u{201d}".as_bytes()),
            "M\u{fc}ller \u{2013} \u{201c}x\u{201d}"
        );
        assert_eq!(text(Some("text/plain; charset=nonsense"), "\u{fc}".as_bytes()), "\u{fc}");
    }

    #[test]
    fn utf_16_is_recognized_with_and_without_a_mark() {
        for word in ["completed", "\u{feff}completed", "2|M\u{fc}ller|x", "a"] {
            let expected = word.trim_start_matches('\u{feff}');
            assert_eq!(text(None, &utf16(word, u16::to_le_bytes)), expected);
            assert_eq!(text(None, &utf16(word, u16::to_be_bytes)), expected);
        }
        let chinese = utf16("\u{4e2d}\u{6587}", u16::to_le_bytes);
        assert_eq!(text(Some("text/plain; charset=utf-16le"), &chinese), "\u{4e2d}\u{6587}");
    }

    #[test]
    fn utf_32_is_recognized_with_and_without_a_mark() {
        for word in ["completed", "\u{feff}completed", "2|M\u{fc}ller|\u{1f600}", "a"] {
            let expected = word.trim_start_matches('\u{feff}');
            for to_bytes in [u32::to_le_bytes, u32::to_be_bytes] {
                let bytes: Vec<u8> = word.chars().flat_map(|c| to_bytes(c.into())).collect();
                assert_eq!(text(None, &bytes), expected);
            }
        }
        assert_eq!(text(None, &utf16("a\n", u16::to_le_bytes)), "a\n");
    }

    #[test]
    fn a_short_string_of_c_is_no_utf_16() {
        for word in ["invalid", "failed", "done", "ok", "s3crets"] {
            assert_eq!(text(None, format!("{word}\0").as_bytes()), word);
        }
        assert_eq!(text(None, b"s3cret\0\n"), "s3cret\0\n");
        assert_eq!(
            text(None, &utf16("\u{5b8c}\u{6210}\n", u16::to_le_bytes)),
            "\u{5b8c}\u{6210}\n"
        );
    }

    #[test]
    fn undeclared_text_is_utf_8_or_windows_1252() {
        assert_eq!(text(None, b"\xef\xbb\xbfdone\0"), "done");
        assert_eq!(text(None, "\u{20ac}uro".as_bytes()), "\u{20ac}uro");
        assert_eq!(text(None, b"\x80uro"), "\u{20ac}uro");
        assert_eq!(text(None, b"\xc3\xbc and \xff"), "\u{fc} and \u{fffd}");
        assert_eq!(text(None, b"cut \xe2\x82"), "cut \u{fffd}");
    }

    proptest! {
        #[test]
        fn utf_8_stays_as_it_is(expected in "[^\u{0}\u{feff}][^\u{0}]{0,40}") {
            prop_assert_eq!(text(Some("text/plain"), expected.as_bytes()), expected.as_str());
        }
    }
}
