//! Foreign text made fit for a message: short, on one line, with nothing invisible in it.

use std::fmt::Write as _;

/// At most `max_chars` characters of `text`, with `…` for the rest, control characters escaped.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    let mut sanitize = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == max_chars {
            sanitize.push('…');
            break;
        }
        match char {
            '\n' | '\r' | '\t' => sanitize.extend(char.escape_default()),
            char if char.is_control() || is_invisible(char) => {
                write!(sanitize, "\\u{{{:x}}}", u32::from(char)).expect("a string takes all text");
            }
            char => sanitize.push(char),
        }
    }
    sanitize
}

/// True for characters that leave no trace of their own: blanks other than those of ASCII, and zero-width
/// or formatting characters, which could hide or reorder the text beside them.
pub(crate) fn is_invisible(char: char) -> bool {
    (char.is_whitespace() && !char.is_ascii())
        || matches!(
            char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        )
        || matches!(char, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}')
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
}
