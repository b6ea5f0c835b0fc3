//! Tells what separates the columns of a text, right or wrong.

use csv::ByteRecord;

use super::header;
use super::records::Records;
use super::schema::Table;

/// So many records tell what separates the columns.
const JUDGED_BY: usize = 3;

/// What separates the columns, judged by the first records: commas, unless they make too few columns
/// of the first, and another character makes more cells that a table could have. With a reader of the
/// text.
pub(super) fn find(table: Table, text: &[u8]) -> (u8, Records<'_>) {
    let mut record = ByteRecord::new();
    let mut records = Records::new(text, b',');
    if records.read(&mut record).is_some() && record.len() >= table.columns().len() {
        return (b',', records.rewound());
    }
    let mut likely = |delimiter: u8| {
        let (mut records, mut cells) = (Records::new(text, delimiter), 0);
        for _ in 0..JUDGED_BY {
            cells += records.read(&mut record).map_or(0, |_| likely_cells(&record));
        }
        cells
    };
    // Of equals the first wins.
    let ranked = b",;\t".map(|delimiter| (likely(delimiter), delimiter));
    let best = ranked.into_iter().rev().max_by_key(|(cells, _)| *cells);
    let best = best.map_or(b',', |(_, best)| best);
    (best, Records::new(text, best))
}

/// How many cells hold a name of the schema, or what could be a date or a time.
fn likely_cells(record: &ByteRecord) -> usize {
    let is_moment = |cell: &[u8]| {
        let cell = cell.trim_ascii();
        let is_mark = |byte: &u8| matches!(byte, b'/' | b':' | b'-' | b'.');
        cell.first().is_some_and(u8::is_ascii_digit)
            && cell.iter().all(|byte| byte.is_ascii_digit() || is_mark(byte))
            && cell.iter().any(is_mark)
    };
    record.iter().filter(|cell| header::is_known(cell) || is_moment(cell)).count()
}
