//! Edits put into texts, windows of them, and differences between them.

use std::collections::BTreeSet;

use csv::{ByteRecord, ReaderBuilder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::properties::{Sheet, sheet};
use super::{HEADER, ROW};
use crate::domain::dataset::records::Records;
use crate::domain::dataset::{
    Difference, Edit, EditError, Edited, Edits, MAX_EDITS, Table, each_row, edited, window,
};

const TABLE: Table = Table::Data;

fn set(row: u64, cell: usize, value: &str) -> Edit {
    Edit::Set { table: TABLE, row, cell, value: value.to_owned() }
}

fn insert(after: u64, cells: &[&str]) -> Edit {
    let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
    Edit::Insert { table: TABLE, after, cells }
}

fn with(text: &str, list: Vec<Edit>) -> Result<String, EditError> {
    let edits = Edits::of(list)?;
    edited(TABLE, text, edits.of_text(TABLE)).map(|edited| edited.text)
}

#[test]
fn a_cell_is_replaced_and_the_bytes_around_it_stay() {
    let rest = &ROW.trim_end()[3..];
    let text = format!("\u{feff}{HEADER}\r\n,,,,\n \"a\" ,{rest}\r\"R,2\",{rest}");
    let changed = with(&text, vec![set(2, 0, "R3"), set(1, 0, "x")]).unwrap();
    assert_eq!(changed, text.replace(" \"a\" ,", "x,").replace("R,2", "R3"));
    // The same text in a cell is no change, however it is quoted.
    assert_eq!(with(&text, vec![set(2, 0, "R,2"), set(1, 0, " \"a\" ")]).unwrap(), text);
}

#[test]
fn text_that_needs_quotes_gets_them_and_quoted_cells_stay_quoted() {
    let text = format!("{ROW}\"q\",{}", &ROW[3..]);
    for value in ["a,b", "say \"x\"", "two\r\nlines", "\u{feff}", "\""] {
        let changed = with(&text, vec![set(1, 0, value)]).unwrap();
        let cell = format!("\"{}\"", value.replace('"', "\"\""));
        assert!(changed.starts_with(&cell), "{changed}");
    }
    assert!(with(&text, vec![set(1, 0, "'a b;")]).unwrap().starts_with("'a b;,"));
    assert!(with(&text, vec![set(2, 0, "z")]).unwrap().contains("\n\"z\","));
}

#[test]
fn rows_are_deleted_with_their_line_ends_and_inserted_with_those_of_the_text() {
    let rows: Vec<String> = (1..=3).map(|row| format!("R{row},{}", &ROW.trim_end()[3..])).collect();
    let text = rows.join("\r\n");
    let deleted = |row| Edit::Delete { table: TABLE, row };
    assert_eq!(with(&text, vec![deleted(2)]).unwrap(), format!("{}\r\n{}", rows[0], rows[2]));
    assert_eq!(with(&text, vec![deleted(3)]).unwrap(), format!("{}\r\n{}\r\n", rows[0], rows[1]));
    let cells = ["N", "a,b"];
    let new = "N,\"a,b\"";
    assert_eq!(with(&text, vec![insert(0, &cells)]).unwrap(), format!("{new}\r\n{text}"));
    assert_eq!(with(&text, vec![insert(3, &cells)]).unwrap(), format!("{text}\r\n{new}"));
    let headed = format!("\u{feff}{HEADER}{text}\n");
    let (two, last) = (vec![insert(0, &cells), insert(0, &["M"])], vec![insert(3, &cells)]);
    assert_eq!(with(&headed, two).unwrap(), format!("\u{feff}{HEADER}{new}\nM\n{text}\n"));
    assert_eq!(with(&headed, last).unwrap(), format!("{headed}{new}\n"));
    let replaced = vec![deleted(2), insert(2, &cells)];
    assert_eq!(with(&text, replaced).unwrap(), format!("{}\r\n{new}\r\n{}", rows[0], rows[2]));
}

#[test]
fn edits_that_cannot_be_made_are_named() {
    let said = |list| with(ROW, list).unwrap_err().to_string();
    assert_eq!(said(vec![set(2, 0, "a")]), "data has no row 2");
    assert_eq!(said(vec![set(0, 0, "a")]), "data has no row 0");
    assert_eq!(said(vec![Edit::Delete { table: TABLE, row: 0 }]), "data has no row 0");
    assert_eq!(said(vec![set(1, 5, "a")]), "row 1 of data has no cell 5");
    let twice = vec![set(1, 0, "a"), set(1, 0, "b")];
    assert_eq!(said(twice), "two edits replace cell 0 of row 1 of data");
    let none = "a row that is inserted after row 1 of data has no cells";
    assert_eq!(said(vec![insert(1, &[])]), none);
    let many = vec![set(1, 0, "a"); MAX_EDITS + 1];
    assert_eq!(said(many), "there are 20001 edits, and at most 20000 are allowed");
}

/// Every record as the crate reads it, the header included.
fn records(text: &str) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new();
    let text = text.trim_start_matches('\u{feff}');
    let reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.into_byte_records().map(Result::unwrap).collect()
}

/// The text without the raw form of some cells, quotes included.
fn without_cells(text: &str, is_cut: impl Fn(usize, usize) -> bool) -> String {
    let (mut rest, mut copied) = (String::new(), 0);
    let bom = text.len() - text.trim_start_matches('\u{feff}').len();
    let (mut records, mut record) =
        (Records::new(&text.as_bytes()[bom..], 0, b','), ByteRecord::new());
    for row in 0.. {
        if records.read(&mut record).is_none() {
            break;
        }
        let cells = records.cells().iter().enumerate();
        for (_, range) in cells.filter(|(cell, _)| is_cut(row, *cell)) {
            rest += &text[copied..bom + range.start];
            copied = bom + range.end;
        }
    }
    rest + &text[copied..]
}

/// Cells that people type.
fn typed() -> impl Strategy<Value = String> {
    let pieces = ["a", "é", ",", "\"", " ", "\r\n", "\n", "\u{feff}", "0", "'"];
    vec(select(pieces.to_vec()), 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a row of blanks is no row", |text| text.contains(['a', '0']))
}

/// Edits of a sheet, each of another cell.
fn chosen(
    sheet: &Sheet,
    edits: &[(Index, usize, String)],
    text: &str,
) -> (Vec<(usize, usize, String)>, Edited) {
    let mut seen = BTreeSet::new();
    let edits: Vec<(usize, usize, String)> = edits
        .iter()
        .map(|(row, cell, value)| (row.index(sheet.rows.len()), *cell, value.clone()))
        .filter(|(row, cell, _)| seen.insert((*row, *cell)))
        .collect();
    let changed = edited(sheet.table, text, put(sheet, &edits).of_text(sheet.table)).unwrap();
    (edits, changed)
}

fn put(sheet: &Sheet, edits: &[(usize, usize, String)]) -> Edits {
    let set = |(row, cell, value): &(usize, usize, String)| {
        let (row, cell, value) = (*row as u64 + 1, *cell, value.clone());
        Edit::Set { table: sheet.table, row, cell, value }
    };
    Edits::of(edits.iter().map(set).collect()).unwrap()
}

proptest! {
    #[test]
    fn an_edit_is_read_back_and_no_other_cell_changes(
        sheet in sheet(),
        edits in vec((any::<Index>(), 0..5usize, typed()), 0..8),
    ) {
        let (text, _) = sheet.save();
        let (edits, changed) = chosen(&sheet, &edits, &text);
        let sorted = put(&sheet, &edits);
        prop_assert_eq!(&Edits::of(sorted.list()).unwrap(), &sorted);
        let (before, after) = (records(&text), records(&changed.text));
        prop_assert_eq!(before.len(), after.len());
        let header = before.len() - sheet.rows.len();
        let mut count = 0;
        for (at, (before, after)) in before.iter().zip(&after).enumerate() {
            prop_assert_eq!(before.len(), after.len());
            for cell in 0..before.len() {
                let new = edits.iter().find(|(row, c, _)| row + header == at && *c == cell);
                let expected = new.map_or(&before[cell], |(_, _, value)| value.as_bytes());
                prop_assert_eq!(&after[cell], expected);
                count += u64::from(after[cell] != before[cell]);
            }
        }
        prop_assert_eq!(changed.changed_cells, count);
        let cut = |text: &str| without_cells(text, |row, cell| {
            edits.iter().any(|(r, c, _)| r + header == row && *c == cell)
        });
        prop_assert_eq!(cut(&text), cut(&changed.text));
    }

    #[test]
    fn edits_of_references_change_no_other_byte_and_the_difference_says_the_same(
        sheet in sheet(),
        edits in vec((any::<Index>(), Just(0), typed()), 0..8),
    ) {
        let (text, _) = sheet.save();
        let (edits, changed) = chosen(&sheet, &edits, &text);
        let mut difference = Difference::default();
        difference.add(sheet.table, (&text, &changed.text), 0, usize::MAX);
        prop_assert_eq!(difference.changed_cells, changed.changed_cells);
        prop_assert_eq!(difference.changed_rows, changed.changed_rows);
        prop_assert_eq!(difference.inserted_rows + difference.deleted_rows, 0);
        prop_assert_eq!(difference.rows.len() as u64, changed.changed_rows);
        // Undone, it is what it was; only quotes that a cell got stay.
        let undo: Vec<(usize, usize, String)> = edits
            .iter()
            .map(|(row, cell, _)| (*row, *cell, sheet.rows[*row][*cell].clone()))
            .collect();
        let undo = put(&sheet, &undo);
        let restored = edited(sheet.table, &changed.text, undo.of_text(sheet.table)).unwrap().text;
        let bare = |text: &str| text.replace('"', "");
        prop_assert_eq!(bare(&restored), bare(&text));
    }

    #[test]
    fn windows_show_every_row_once(sheet in sheet(), count in 1..7usize) {
        let (text, _) = sheet.save();
        let (mut from, mut shown) = (1, Vec::new());
        loop {
            let window = window(sheet.table, &text, from, count, None);
            prop_assert!(window.rows.len() <= count);
            shown.extend(window.rows.into_iter().map(|row| (row.row, row.line, row.cells)));
            let Some(next) = window.next else { break };
            prop_assert!(next > from, "window {next} stands behind window {from}");
            prop_assert!(shown.len() < text.len(), "more rows than characters");
            from = next;
        }
        let mut expected = Vec::new();
        each_row(sheet.table, &text, |row| {
            let cells = row.record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned());
            expected.push((row.number, row.line, cells.collect()));
        });
        expected.retain(|(number, ..): &(u64, u64, Vec<String>)| *number > 0);
        prop_assert_eq!(shown, expected);
        let of: BTreeSet<u64> = [2, 4].into();
        let some = window(sheet.table, &text, 1, 9, Some(&of)).rows;
        let last = sheet.rows.len() as u64;
        let wanted: Vec<u64> = of.into_iter().filter(|row| *row <= last).collect();
        prop_assert_eq!(some.into_iter().map(|row| row.row).collect::<Vec<_>>(), wanted);
    }
}
