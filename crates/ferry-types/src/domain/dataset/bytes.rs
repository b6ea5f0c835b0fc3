//! Separates UTF-8 text from what spreadsheets save besides it.

use super::report::{Kind, Location, Problem};

/// Hint for text in another encoding.
const SAVE_AS: &str = "UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`";
/// Hint for a workbook.
const SAVE_AS_CSV: &str = "CSV text; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`";

/// Ctrl-Z.
const END_MARK: u8 = 0x1a;

/// Looking for UTF-16 without a byte order mark needs no more.
const SAMPLE: usize = 4096;

/// `bytes` without the mark that some programs put before UTF-8.
pub(super) fn without_bom(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        bytes = rest;
    }
    bytes
}

/// `bytes` without what stands around the text: byte order marks, and the mark that old programs put at
/// the end of a file, with blanks around it.
pub(super) fn text_of(bytes: &[u8]) -> &[u8] {
    let text = without_bom(bytes);
    let is_behind = |byte: &u8| *byte == END_MARK || byte.is_ascii_whitespace();
    let behind = text.iter().rev().take_while(|byte| is_behind(byte)).count();
    let start = text.len() - behind;
    match text[start..].iter().position(|byte| *byte == END_MARK) {
        Some(at) => &text[..start + at],
        None => text,
    }
}

/// Says what a file is that cannot be read as CSV at all.
pub(super) fn foreign(bytes: &[u8]) -> Option<Problem> {
    let magic = [
        (&b"PK\x03\x04"[..], "a workbook or a zip archive"),
        (b"\xd0\xcf\x11\xe0", "a workbook"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"%PDF-", "a PDF document"),
    ];
    if let Some((_, what)) = magic.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        let message = format!("the file is {what}");
        return Some(Problem::new(Kind::NotCsv, Location::default(), message, SAVE_AS_CSV));
    }
    let wide = if is_utf32(bytes) {
        Some((Kind::Utf32, "the text is UTF-32"))
    } else {
        let message = "the text is UTF-16, as a spreadsheet saves `Unicode Text`";
        is_utf16(bytes).then_some((Kind::Utf16, message))
    };
    if let Some((kind, message)) = wide {
        let problem = Problem::new(kind, Location::default(), message, SAVE_AS);
        return Some(problem.fixable(from_wide(bytes).is_some()));
    }
    let start =
        without_bom(&bytes[..bytes.len().min(SAMPLE)]).trim_ascii_start().to_ascii_lowercase();
    let markup = [
        (&b"<?xml"[..], "XML"),
        (b"<!doctype", "a web page"),
        (b"<html", "a web page"),
        (b"<table", "a web page"),
        (b"{\\rtf", "a word processor's document"),
        (b"{\"", "JSON"),
        (b"[{", "JSON"),
    ];
    let (_, what) = markup.iter().find(|(markup, _)| start.starts_with(markup))?;
    let message = format!("the file is {what}");
    Some(Problem::new(Kind::NotCsv, Location::default(), message, SAVE_AS_CSV))
}

/// The text of UTF-16 or UTF-32 bytes, if all of them are text.
pub(super) fn from_wide(bytes: &[u8]) -> Option<String> {
    if is_utf32(bytes) {
        let is_big = bytes.starts_with(b"\0\0");
        let (units, rest) = bytes.as_chunks::<4>();
        let read = |unit: &[u8; 4]| {
            char::from_u32(if is_big {
                u32::from_be_bytes(*unit)
            } else {
                u32::from_le_bytes(*unit)
            })
        };
        return units.iter().map(read).collect::<Option<String>>().filter(|_| rest.is_empty());
    }
    if !is_utf16(bytes) {
        return None;
    }
    let is_big =
        bytes.starts_with(b"\xfe\xff") || (bytes[0] == 0 && !bytes.starts_with(b"\xff\xfe"));
    let (pairs, rest) = bytes.as_chunks::<2>();
    let read =
        |pair: &[u8; 2]| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    let text = char::decode_utf16(pairs.iter().map(read)).collect::<Result<String, _>>().ok()?;
    rest.is_empty().then_some(text)
}

/// In most texts, half of the bytes are zeros, in pairs. In UTF-16 such a pair is a NUL.
fn is_utf32(bytes: &[u8]) -> bool {
    let (units, _) = bytes[..bytes.len().min(SAMPLE)].as_chunks::<4>();
    let is_all = |fits: fn(&[u8; 4]) -> bool| units.len() > 1 && units.iter().all(fits);
    bytes.starts_with(b"\xff\xfe\0\0")
        || bytes.starts_with(b"\0\0\xfe\xff")
        || is_all(|unit| *unit != [0; 4] && matches!(unit, [_, _, 0, 0]))
        || is_all(|unit| *unit != [0; 4] && matches!(unit, [0, 0, _, _]))
}

/// Text of Latin letters and digits has a zero in every other byte.
fn is_utf16(bytes: &[u8]) -> bool {
    let (pairs, _) = bytes[..bytes.len().min(SAMPLE)].as_chunks::<2>();
    let zeros = |half: usize| pairs.iter().filter(|pair| pair[half] == 0).count() * 4;
    let is_mostly = |zero, text| {
        pairs.len() > 1 && zeros(zero) >= pairs.len() * 3 && zeros(text) <= pairs.len()
    };
    bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || is_mostly(1, 0)
        || is_mostly(0, 1)
}

/// Bytes that must not be in the text. One of these speaks for all of its kind in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadByte {
    pub(super) kind: Kind,
    /// Location of the first one.
    pub(super) offset: usize,
    /// The first one.
    byte: u8,
    /// Their number.
    count: usize,
}

/// The bad bytes of `text`, of each kind the first, in order.
pub(super) fn bad_bytes(text: &[u8]) -> Vec<BadByte> {
    let mut bad: Vec<_> = [nul(text), not_utf8(text)].into_iter().flatten().collect();
    bad.sort_by_key(|bad| bad.offset);
    bad
}

fn nul(text: &[u8]) -> Option<BadByte> {
    let offset = text.iter().position(|byte| *byte == 0)?;
    let count = text[offset..].iter().map(|byte| usize::from(*byte == 0)).sum();
    Some(BadByte { kind: Kind::NulByte, offset, byte: 0, count })
}

fn not_utf8(text: &[u8]) -> Option<BadByte> {
    let offset = std::str::from_utf8(text).err()?.valid_up_to();
    let (mut count, mut is_mixed) = (0, false);
    for chunk in text.utf8_chunks() {
        count += usize::from(!chunk.invalid().is_empty());
        is_mixed |= !chunk.valid().is_ascii();
    }
    let kind = if is_mixed { Kind::NotUtf8 } else { Kind::Windows1252 };
    Some(BadByte { kind, offset, byte: text[offset], count })
}

impl BadByte {
    /// True if this cell has one like it.
    pub(super) fn is_in(&self, cell: &[u8]) -> bool {
        match self.kind {
            Kind::NulByte => cell.contains(&0),
            _ => std::str::from_utf8(cell).is_err(),
        }
    }

    /// The problem. `offset` and `line` are those of the byte in the file.
    pub(super) fn problem(&self, location: Location, offset: usize, line: u64) -> Problem {
        let more = match self.count - 1 {
            0 => String::new(),
            more => format!(", and {more} more like it"),
        };
        let position = format!("byte 0x{:02X} at offset {offset} on line {line}", self.byte);
        let (message, expected) = match self.kind {
            Kind::NulByte => (format!("{position} is NUL{more}"), "text without NUL bytes"),
            Kind::Windows1252 => (
                format!(
                    "{position} is not UTF-8{more}; as Windows-1252, it is `{}`",
                    windows_1252(self.byte)
                ),
                SAVE_AS,
            ),
            _ => (format!("{position} is not UTF-8{more}"), SAVE_AS),
        };
        Problem::new(self.kind, location, message, expected)
    }
}

/// The character that a byte above 0x7F means in Windows-1252.
fn windows_1252(byte: u8) -> char {
    const UPPER: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let position = usize::from(byte).checked_sub(0x80);
    let char =
        position.and_then(|position| UPPER.chars().nth(position)).unwrap_or(char::from(byte));
    if char.is_control() { '\u{fffd}' } else { char }
}
