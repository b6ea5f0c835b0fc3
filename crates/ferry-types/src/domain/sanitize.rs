//! Foreign text made fit for people: with nothing in it that is invisible or controls a terminal.

use std::fmt::Write as _;

/// `text` with an escape for each character that controls a terminal, or leaves no trace of its own.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => escaped.extend(char.escape_default()),
            char if is_hidden(char) => {
                write!(escaped, "\\u{{{:x}}}", u32::from(char)).expect("a string takes all text");
            }
            char => escaped.push(char),
        }
    }
    escaped
}

/// The same for a JSON text, which has the same value then.
pub fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        // Beside these blanks JSON has no control characters.
        if is_hidden(char) && !matches!(char, '\n' | '\r' | '\t') {
            for unit in char.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("a string takes all text");
            }
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// At most `max_chars` characters of `text`, with `…` for the rest, escaped.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => escape(&text[..end]) + "…",
        None => escape(text),
    }
}

fn is_hidden(char: char) -> bool {
    char.is_control() || is_invisible(char)
}

/// True for characters that leave no trace of their own: blanks other than those of ASCII, and zero-width
/// or formatting characters, which could hide or reorder the text beside them.
pub fn is_invisible(char: char) -> bool {
    (char.is_whitespace() && !char.is_ascii())
        || matches!(
            char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        )
        || matches!(char, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}')
        || matches!(char, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(char, '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(sanitize("äöüß", 4), "äöüß");
        assert_eq!(sanitize("äöüß!", 4), "äöüß…");
    }

    #[test]
    fn nothing_reaches_a_terminal_that_could_control_it() {
        let text = "a\r\n\tb\u{1b}[31m\u{0}\u{202e}\u{feff}\u{9b}";
        assert_eq!(sanitize(text, 99), r"a\r\n\tb\u{1b}[31m\u{0}\u{202e}\u{feff}\u{9b}");
    }

    #[test]
    fn blanks_that_look_like_nothing_are_made_visible() {
        let text = "a b\u{a0}c\u{200b}\u{3000}\u{2800}";
        assert_eq!(sanitize(text, 99), r"a b\u{a0}c\u{200b}\u{3000}\u{2800}");
    }

    #[test]
    fn escaped_json_has_the_same_value_and_nothing_hidden() {
        let text = "a\n\u{1b}[31m\u{7f}\u{9b}\u{202e}\u{200b}\u{e0041}\u{a0}ü";
        let json = serde_json::to_string(&[text]).unwrap();
        let escaped = escape_json(&json);
        assert!(escaped.contains(r"\u202e\u200b\udb40\udc41"), "{escaped}");
        assert!(!escaped.chars().any(is_hidden), "{escaped}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [text]);
    }

    #[test]
    fn what_is_escaped_stays_as_it_is() {
        let once = escape("a\u{1b}\n\u{202e}b");
        assert_eq!(escape(&once), once);
    }
}
