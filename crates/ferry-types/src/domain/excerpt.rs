//! Foreign text made fit for a message: short, on one line, with nothing invisible in it.

use std::fmt::Write as _;

/// At most `max_chars` characters of `text`, with `…` for the rest, control characters escaped.
pub(crate) fn excerpt(text: &str, max_chars: usize) -> String {
    let mut excerpt = String::new();
    for (count, char) in text.chars().enumerate() {
        if count == max_chars {
            excerpt.push('…');
            break;
        }
        match char {
            '\n' | '\r' | '\t' => excerpt.extend(char.escape_default()),
            char if is_invisible(char) => {
                write!(excerpt, "\\u{{{:x}}}", u32::from(char)).expect("a string takes all text");
            }
            char => excerpt.push(char),
        }
    }
    excerpt
}

/// Controls, and marks that could hide or reorder what stands beside them.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(excerpt("äöüß", 4), "äöüß");
        assert_eq!(excerpt("äöüß!", 4), "äöüß…");
    }

    #[test]
    fn nothing_reaches_a_terminal_that_could_control_it() {
        let text = "a\r\n\tb\u{1b}[31m\u{0}\u{202e}\u{feff}\u{9b}";
        assert_eq!(excerpt(text, 99), r"a\r\n\tb\u{1b}[31m\u{0}\u{202e}\u{feff}\u{9b}");
    }
}
