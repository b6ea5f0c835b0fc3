//! Writes notes about the rows of a text into a last column, for spreadsheets.

use std::collections::BTreeMap;

use csv::ByteRecord;

use super::bytes::{text_of, without_bom};
use super::opening::Opening;
use super::records::{Records, is_blank};
use super::schema::Table;

/// The text with a last column of this title, which has the note of each row; none if the text has no header,
/// in which the column could have its name. Every other byte stays as it is.
///
/// ```
/// use ferry_types::domain::dataset::{Table, noted};
///
/// let text = "Reference,StartDate,StartTime,EndDate,EndTime\nSITE-1,03/03/2025,08:00,03/03/2025,16:30\n";
/// let notes = [(1, "unknown, says \"X\"".to_owned())].into();
/// let noted = noted(Table::Data, text, "Note", &notes).expect("it has a header");
/// assert!(noted.starts_with("Reference,StartDate,StartTime,EndDate,EndTime,Note\n"));
/// assert!(noted.ends_with("16:30,\"unknown, says \"\"X\"\"\"\n"));
/// ```
pub fn noted(
    table: Table,
    text: &str,
    title: &str,
    notes: &BTreeMap<u64, String>,
) -> Option<String> {
    let bytes = text_of(text.as_bytes());
    let bom = text.len() - without_bom(text.as_bytes()).len();
    let opening = Opening::of(table, bytes);
    if !opening.has_header {
        return None;
    }
    let records = || Records::new(bytes, opening.start, opening.delimiter);
    let width = width(records());
    let (mut records, mut record) = (records(), ByteRecord::new());
    let (mut written, mut copied, mut number) = (text.as_bytes()[..bom].to_vec(), 0, 0);
    while let Some(span) = records.read(&mut record) {
        if is_blank(&record) {
            continue;
        }
        let note = if number == 0 { Some(title) } else { notes.get(&number).map(String::as_str) };
        number += 1;
        written.extend_from_slice(&bytes[copied..span.end]);
        copied = span.end;
        // Of short rows too it is the last column.
        written.extend((record.len()..=width).map(|_| opening.delimiter));
        put(note.unwrap_or_default(), opening.delimiter, &mut written);
    }
    written.extend_from_slice(&bytes[copied..]);
    Some(String::from_utf8(written).expect("rows of a text end between its characters"))
}

/// True if the first record of the table is a header.
pub fn has_header(table: Table, text: &str) -> bool {
    Opening::of(table, text_of(text.as_bytes())).has_header
}

/// Number of cells of the longest record.
fn width(mut records: Records<'_>) -> usize {
    let (mut record, mut width) = (ByteRecord::new(), 0);
    while records.read(&mut record).is_some() {
        width = width.max(record.len());
    }
    width
}

fn put(note: &str, delimiter: u8, written: &mut Vec<u8>) {
    let is_special = |byte: u8| byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n');
    if note.bytes().any(is_special) {
        written.extend_from_slice(format!("\"{}\"", note.replace('"', "\"\"")).as_bytes());
    } else {
        written.extend_from_slice(note.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Edit, derived};
    use super::*;

    const TEXT: &str = "\u{feff}Reference;StartDate;StartTime;EndDate;EndTime;Ward\r\n\
                        SITE-1;03/03/2025;08:00;03/03/2025;16:30\r\n\r\n\
                        \"SITE;2\";03/03/2025;08:00;03/03/2025;16:30;north\r\n\
                        SITE-3;03/03/2025;08:00;03/03/2025;16:30;süd";

    #[test]
    fn notes_are_the_last_column_and_a_copy_with_them_makes_no_edit() {
        let notes = [(2, "unknown; or not".to_owned()), (3, "ö".to_owned())].into();
        let noted = noted(Table::Data, TEXT, "Feedback", &notes).unwrap();
        let expected = TEXT
            .replace(";Ward", ";Ward;Feedback")
            .replace("16:30\r\n\r\n", "16:30;;\r\n\r\n")
            .replace(";north", ";north;\"unknown; or not\"")
            .replace(";süd", ";süd;ö");
        assert_eq!(noted, expected);
        let found = derived(Table::Data, TEXT, &noted).unwrap();
        assert_eq!((found.edits, found.left_out), (Vec::new(), vec!["Feedback".to_owned()]));
        let corrected = noted.replace("SITE;2", "SITE-2");
        let found = derived(Table::Data, TEXT, &corrected).unwrap();
        let value = "SITE-2".to_owned();
        assert_eq!(found.edits, [Edit::Set { table: Table::Data, row: 2, cell: 0, value }]);
    }

    #[test]
    fn a_text_without_a_header_has_no_place_for_notes() {
        let text = "SITE-1,03/03/2025,08:00,03/03/2025,16:30\n";
        assert_eq!(noted(Table::Data, text, "Feedback", &BTreeMap::new()), None);
    }
}
