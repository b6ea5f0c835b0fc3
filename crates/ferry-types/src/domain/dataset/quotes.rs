//! Finds what the CSV reader forgives without a word: quotes that do not pair.

use super::report::{Kind, Location, Problem, excerpt};

/// Error in the quotes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteErrorKind {
    /// The text ends before the quote does.
    Unclosed,
    /// Text follows the closing quote.
    TextAfter,
}

/// The first error of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuoteError {
    /// The kind of error.
    pub(super) what: QuoteErrorKind,
    /// Offset in the record at which the quote opens.
    pub(super) opens: usize,
    /// Offset behind its closing quote, or of the end of the record.
    pub(super) closes: usize,
    /// The number of the cell that it opens, from 0.
    pub(super) cell: usize,
}

/// Checks the quotes of one record, given as its bytes in the text, line break or not.
///
/// Follows the rules of the reader: a quote opens only as the first byte of a cell, a doubled quote
/// stands for itself, and commas and line breaks between quotes are text.
pub(super) fn error(record: &[u8], delimiter: u8) -> Option<QuoteError> {
    let mut at = 0;
    for cell in 0.. {
        if record.get(at) == Some(&b'"') {
            let error = |what, closes| Some(QuoteError { what, opens: at, closes, cell });
            let Some(after) = after_quote(record, at) else {
                return error(QuoteErrorKind::Unclosed, record.len());
            };
            if !record.get(after).is_none_or(|byte| ends_cell(*byte, delimiter)) {
                return error(QuoteErrorKind::TextAfter, after);
            }
            at = after;
        }
        at += record[at..].iter().position(|byte| ends_cell(*byte, delimiter))?;
        if record[at] != delimiter {
            return None;
        }
        at += 1;
    }
    None
}

impl QuoteError {
    /// The kind of its problem.
    pub(super) fn kind(self) -> Kind {
        match self.what {
            QuoteErrorKind::Unclosed => Kind::UnclosedQuote,
            QuoteErrorKind::TextAfter => Kind::TextAfterQuote,
        }
    }

    /// The problem, given the lines on which the quote opens and closes, and the text behind it.
    pub(super) fn problem(self, location: Location, lines: (u64, u64), behind: &[u8]) -> Problem {
        let (opens, closes) = lines;
        let quote = format!("the quote that opens on line {opens}");
        match self.what {
            QuoteErrorKind::Unclosed => Problem::new(
                Kind::UnclosedQuote,
                location,
                format!("{quote} is never closed"),
                "a closing quote; a quote inside a quoted cell is written twice",
            ),
            QuoteErrorKind::TextAfter => {
                let text = behind.split(|byte| matches!(byte, b'\n' | b'\r')).next();
                let text = excerpt(text.unwrap_or_default());
                Problem::new(
                    Kind::TextAfterQuote,
                    location,
                    format!("{quote} closes on line {closes} before `{text}`"),
                    "a comma behind a closing quote; a quote inside a quoted cell is written twice",
                )
            }
        }
    }
}

pub(super) fn ends_cell(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'\r')
}

/// The offset behind the quote that closes the one at `opens`.
pub(super) fn after_quote(record: &[u8], opens: usize) -> Option<usize> {
    let mut at = opens + 1;
    loop {
        at += record.get(at..)?.iter().position(|byte| *byte == b'"')? + 1;
        if record.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_quotes_are_fine() {
        for record in [
            "",
            "a,b",
            "\"a\",b\r\n",
            "\"a,\nb\"\n",
            "\"say \"\"x\"\"\",b",
            "\"\",\"\"\"\"",
            "5\" a",
        ] {
            assert_eq!(error(record.as_bytes(), b','), None, "{record:?}");
        }
    }

    #[test]
    fn an_odd_quote_is_found_where_it_opens() {
        let at = |record: &str| {
            error(record.as_bytes(), b',').map(|f| (f.what, f.opens, f.closes, f.cell))
        };
        assert_eq!(at("a,\"b\nc,d"), Some((QuoteErrorKind::Unclosed, 2, 8, 1)));
        assert_eq!(at("\"a\",\"\"\""), Some((QuoteErrorKind::Unclosed, 4, 7, 1)));
        assert_eq!(at("\""), Some((QuoteErrorKind::Unclosed, 0, 1, 0)));
        assert_eq!(at("a,\"b\"c,d"), Some((QuoteErrorKind::TextAfter, 2, 5, 1)));
    }
}
