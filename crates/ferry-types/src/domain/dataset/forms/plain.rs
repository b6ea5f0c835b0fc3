//! Digits and marks of other scripts and widths, which look like those of ASCII or mean the same.

use std::borrow::Cow;

/// The zeros of the scripts; their other digits follow.
const ZEROS: &str = "٠۰߀०০੦૦୦௦౦೦൦๐໐༠၀០᠐０";

/// `text` with the digits and marks of ASCII.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() { text.into() } else { text.chars().map(of_ascii).collect() }
}

fn of_ascii(char: char) -> char {
    match char {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{2044}' | '\u{2215}' | '\u{29f8}' | '\u{ff0f}' | '\u{60d}' => '/',
        '\u{2236}' | '\u{a789}' | '\u{fe55}' | '\u{ff1a}' => ':',
        '\u{ff0e}' => '.',
        char if char.is_ascii() || !char.is_numeric() => char,
        char => {
            let value = |zero: char| u32::from(char).checked_sub(zero.into()).filter(|n| *n < 10);
            let digit = ZEROS.chars().find_map(value);
            digit.and_then(|digit| char::from_digit(digit, 10)).unwrap_or(char)
        }
    }
}
