//! Finds what the CSV reader forgives without a word: quotes that do not pair.

/// What is wrong with the quotes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteFault {
    /// The text ends before the quote does.
    Unclosed,
    /// Text follows the closing quote, at this offset in the record.
    TextAfter(usize),
}

/// The first fault of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong.
    pub(super) what: QuoteFault,
    /// Where in the record the quote opens.
    pub(super) opens: usize,
    /// The number of the cell that it opens, from 0.
    pub(super) cell: usize,
}

/// Checks the quotes of one record, given as its bytes in the text, line break or not.
///
/// Follows the rules of the reader: a quote opens only as the first byte of a cell, a doubled quote
/// stands for itself, and commas and line breaks between quotes are text.
pub(super) fn fault(record: &[u8], delimiter: u8) -> Option<Fault> {
    let mut at = 0;
    for cell in 0.. {
        if record.get(at) == Some(&b'"') {
            let fault = |what| Some(Fault { what, opens: at, cell });
            let Some(after) = after_quote(record, at) else {
                return fault(QuoteFault::Unclosed);
            };
            if !record.get(after).is_none_or(|byte| ends_cell(*byte, delimiter)) {
                return fault(QuoteFault::TextAfter(after));
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

fn ends_cell(byte: u8, delimiter: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'\r')
}

/// The offset behind the quote that closes the one at `opens`.
fn after_quote(record: &[u8], opens: usize) -> Option<usize> {
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
            assert_eq!(fault(record.as_bytes(), b','), None, "{record:?}");
        }
    }

    #[test]
    fn an_odd_quote_is_found_where_it_opens() {
        let at = |record: &str| fault(record.as_bytes(), b',').map(|f| (f.what, f.opens, f.cell));
        assert_eq!(at("a,\"b\nc,d"), Some((QuoteFault::Unclosed, 2, 1)));
        assert_eq!(at("\"a\",\"\"\""), Some((QuoteFault::Unclosed, 4, 1)));
        assert_eq!(at("\""), Some((QuoteFault::Unclosed, 0, 0)));
        assert_eq!(at("a,\"b\"c,d"), Some((QuoteFault::TextAfter(5), 2, 1)));
    }
}
