//! Blanks as a person understands them: no-break and zero-width characters hold as little as a space.

use crate::domain::sanitize::is_invisible;

/// `cell` without the blanks around it.
pub(in crate::domain) fn trim(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    // `trim_ascii` leaves vertical tabs.
    let is_plain = |byte: Option<&u8>| byte.is_none_or(|byte| byte.is_ascii() && *byte != 0x0b);
    if is_plain(cell.first()) && is_plain(cell.last()) {
        return cell;
    }
    std::str::from_utf8(cell).map_or(cell, |text| text.trim_matches(is_blank).as_bytes())
}

/// The first blank around the cell that is no plain space, tab or line break.
pub(super) fn around(cell: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(cell).ok()?;
    let inner = text.trim_matches(is_blank);
    if inner.is_empty() {
        return None;
    }
    let (before, behind) = text.split_once(inner)?;
    let is_plain = |char: &char| matches!(char, ' ' | '\t' | '\r' | '\n');
    before.chars().chain(behind.chars()).find(|char| !is_plain(char))
}

/// True if the cell holds nothing that a person could see.
pub(super) fn is_empty(cell: &[u8]) -> bool {
    trim(cell).is_empty()
}

/// The first character of the cell that a person cannot see; spaces, tabs and line breaks of ASCII do not
/// count.
pub(super) fn invisible_in(cell: &[u8]) -> Option<char> {
    let is_control = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n');
    if cell.is_ascii() {
        return cell.iter().copied().find(|byte| is_control(*byte)).map(char::from);
    }
    let is_hidden = |char: char| is_invisible(char) || u8::try_from(char).is_ok_and(is_control);
    std::str::from_utf8(cell).ok()?.chars().find(|char| is_hidden(*char))
}

/// `text` with plain spaces for the blanks of other kinds, and without zero-width characters.
pub(super) fn plain(text: &str) -> String {
    let kept = text.chars().filter(|char| char.is_whitespace() || !is_invisible(*char));
    let plain: String = kept.map(|char| if char.is_whitespace() { ' ' } else { char }).collect();
    plain.trim().to_owned()
}

/// The name of an invisible character, with its code point.
pub(super) fn name(char: char) -> String {
    let name = match char {
        '\u{b}' => "a vertical tab",
        '\u{c}' => "a form feed",
        '\u{a0}' => "a no-break space",
        '\u{202f}' => "a narrow no-break space",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' | '\u{200d}' => "a zero-width joiner",
        '\u{feff}' => "a byte order mark",
        '\u{ad}' => "a soft hyphen",
        char if char.is_ascii_control() => "a control character",
        char if char.is_whitespace() => "a space that is not the plain one",
        _ => "an invisible character",
    };
    format!("{name} (U+{:04X})", u32::from(char))
}

fn is_blank(char: char) -> bool {
    char.is_whitespace() || is_invisible(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_break_and_zero_width_characters_are_blanks() {
        assert_eq!(trim("\u{a0} \u{feff}a\u{a0}b\u{200b} ".as_bytes()), "a\u{a0}b".as_bytes());
        assert!(is_empty("\u{2060}\u{3000} \u{ad}".as_bytes()) && !is_empty(b"\xff"));
        assert_eq!((trim(b"\x0ba\x0c"), trim(b" \x0b ")), (&b"a"[..], &b""[..]));
        assert_eq!([around(b"a"), around(b" a\t"), around(b"")], [None, None, None]);
        assert_eq!(
            [around(b" a\x0b"), around("\u{feff} a".as_bytes())],
            [Some('\u{b}'), Some('\u{feff}')]
        );
        assert_eq!(plain("9:00\u{202f}AM\u{200b}"), "9:00 AM");
    }
}
