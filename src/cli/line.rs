//! A line of output. Whatever text is in it was escaped when it came in, so that only styles of the command
//! line itself reach a terminal.

use std::fmt::Display;

use console::{Alignment, Style, measure_text_width, pad_str, strip_ansi_codes, truncate_str};

use ferry_types::domain::escape;

/// Text of one line, escaped, with styles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Line(String);

/// The one way for text to become output.
impl<T: Display> From<T> for Line {
    fn from(text: T) -> Self {
        Self(escape(&text.to_string()))
    }
}

impl Line {
    pub(super) fn styled(style: Style, text: &str) -> Self {
        Self(style.force_styling(true).apply_to(escape(text)).to_string())
    }

    /// The lines of a text that is composed of several: none of them is foreign as a whole.
    pub(super) fn several(text: &impl Display) -> Vec<Self> {
        text.to_string().lines().map(Self::from).collect()
    }

    /// Followed by more.
    pub(super) fn and(self, more: impl Into<Self>) -> Self {
        Self(self.0 + &more.into().0)
    }

    pub(super) fn width(&self) -> usize {
        measure_text_width(&self.0)
    }

    /// At least as wide.
    pub(super) fn padded(&self, width: usize) -> Self {
        Self(pad_str(&self.0, width, Alignment::Left, None).into_owned())
    }

    /// At most as wide.
    pub(super) fn truncated(&self, width: usize) -> Self {
        Self(truncate_str(&self.0, width, "…").into_owned())
    }

    pub(super) fn trimmed(self) -> Self {
        Self(self.0.trim_end().to_owned())
    }

    /// As it is written, with its styles if `colors` are wanted: only the output knows its reader.
    pub(super) fn written(&self, colors: bool) -> String {
        if colors { self.0.clone() } else { strip_ansi_codes(&self.0).into_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_styles_are_raw() {
        let foreign = "\u{1b}[32mcompleted\u{1b}[0m\r\u{202e}";
        let line = Line::styled(Style::new().red(), foreign).and("  ").and(foreign);
        let written = line.written(true);
        assert_eq!(written.matches('\u{1b}').count(), 2, "{written}");
        assert!(written.starts_with("\u{1b}[31m\\u{1b}[32mcompleted"), "{written}");
        let plain = r"\u{1b}[32mcompleted\u{1b}[0m\r\u{202e}";
        assert_eq!(line.written(false), format!("{plain}  {plain}"));
    }

    #[test]
    fn a_width_is_that_of_the_escaped_text() {
        assert_eq!(Line::from("\u{202e}").width(), 8);
        assert_eq!(Line::from("ab").padded(3).and("c"), Line::from("ab c"));
        assert_eq!(Line::from("abcdef").truncated(3), Line::from("ab…"));
    }
}
