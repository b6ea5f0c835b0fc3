//! The canonical form: it changes line ends, blanks around dates, times and names of columns, and
//! nothing else.

use csv::ByteRecord;
use proptest::prelude::*;
use proptest::sample::select;

use super::properties::{noise, sheet, table};
use super::*;
use crate::domain::dataset::{canonical, each_row, fix, trim};

fn is_valid(table: Table, text: &str) -> bool {
    check(table, "text", text.as_bytes()).0.is_valid()
}

fn cells(table: Table, text: &str) -> Vec<ByteRecord> {
    let mut cells = Vec::new();
    each_row(table, text, |row| cells.push(row.record.clone()));
    cells
}

/// The rows as the `csv` crate reads them, which is the Platform's view of an upload.
fn uploaded(text: &str) -> Vec<ByteRecord> {
    let reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    reader.into_byte_records().map(Result::unwrap).collect()
}

#[test]
fn records_end_in_crlf_and_cells_keep_their_bytes() {
    let text = "\u{feff}sep=,\r reference ,\u{200b}StartDate\u{a0},StartTime,EndDate,EndTime\n\n,,,,\n\
                \" R\n\"\"1\"\"\" ,\"31/12/2025 \",\u{a0}08:00, 31/12/2025,09:00,\" x\"\r,,,,,\n";
    assert!(!is_valid(Table::Data, text), "a blank behind a quote is an error");
    let text = text.replace("\" ,", "\",");
    assert!(is_valid(Table::Data, &text));
    assert_eq!(
        canonical(Table::Data, &text),
        "reference,StartDate,StartTime,EndDate,EndTime\r\n\
         \" R\n\"\"1\"\"\",31/12/2025,08:00,31/12/2025,09:00,\" x\"\r\n"
    );
}

#[test]
fn a_text_with_errors_is_not_made_valid() {
    let row = ROW.trim_end();
    for text in [
        ROW.replace(',', ";"),
        format!("sep=;\n{}", ROW.replace(',', ";")),
        format!("Roster\n{HEADER}{ROW}"),
        format!("\"{row}\"\n"),
        ROW.replace("08:00", "8:00"),
        format!("{HEADER}{ROW}{HEADER}"),
        format!("{ROW}\"R2"),
        format!("{HEADER}{}", ROW.replace("09:00", "\"09:00")),
        ROW.replace("31/12/2025,09:00", "\"31/12/2025\" ,09:00"),
        format!("\"Reference\" {}{ROW}", HEADER.replace("Reference", "")),
    ] {
        let canonical = canonical(Table::Data, &text);
        assert!(
            !is_valid(Table::Data, &text) && !is_valid(Table::Data, &canonical),
            "{canonical:?}"
        );
    }
}

#[test]
fn what_is_certain_is_fixed_and_the_rest_is_not() {
    let fixed = |text: &str| fix(Table::Data, "t", text.as_bytes()).1.map(|fixed| fixed.text);
    let expected = "R1,03/12/2025,08:00,31/12/2025,09:00\r\n";
    for text in [
        "R1,2025-12-03,8:00,31/12/2025 00:00,9:00:00",
        "sep=;\nR1;03.12.2025;8:00 AM;31/12/2025;9h00\n;;;;\n",
        "Roster\n,,,,\n\"R1,03/12/2025,08:00,31/12/2025,9 uhr\"",
        "R1\t3-Dec-2025\t\u{201c}08:00\u{201d}\t31/12/2025\t\u{200b}09:00\n",
    ] {
        assert_eq!(fixed(text).as_deref(), Some(expected), "{text}");
    }
    // Without its mark, the cell would begin with a quote.
    let marked = fixed("Roster,\n\u{feff}\"R1,3-Dec-2025,8:00,31/12/2025,9:00");
    let expected = format!("\"\u{feff}\"\"R1\"{}", expected.trim_start_matches("R1"));
    assert_eq!(marked, Some(expected));
    for text in [
        "R1,3/12/2025,08:00,31/12/2025,09:00",
        "R1,03/12/2025,24:00,31/12/2025,09:00",
        "R1,03/12/25,08:00,31/12/2025,09:00",
        "R1,45994,0.375,31/12/2025,09:00",
        "R1,03/12/2025,08:00:30,31/12/2025,09:00",
        // Were these dates in US order, the first would be another day than it says.
        "R1,03/12/2025,08:00,12/31/2025,09:00",
    ] {
        assert_eq!(fixed(text), None, "{text}");
    }
    let us = "R1,12/03/2025,08:00,12/31/2025,09:00";
    assert_eq!(fixed(us), None);
    assert!(fixed(&us.replace("12/03", "12/12")).unwrap().contains("31/12/2025"));
}

#[test]
fn utf_16_is_fixed_where_all_of_it_is_text() {
    let text = [HEADER, &ROW.replace("R1", "Zürich")].concat().replace(',', "\t");
    let units: Vec<u16> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).collect();
    for bytes in [
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>(),
        units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ] {
        let (report, fixed) = fix(Table::Data, "t", &bytes);
        assert_eq!(kinds(&report), [Kind::Utf16, Kind::WrongDelimiter]);
        assert_eq!(fixed.unwrap().text, text.replace('\t', ",").replace('\n', "\r\n"));
        assert_eq!(fix(Table::Data, "t", &bytes[..bytes.len() - 1]).1, None);
    }
}

/// A valid text with some bytes put in.
fn nearly_valid() -> impl Strategy<Value = Vec<u8>> {
    let added = select(vec!["\"", "\" ", " ", "\r", "\n", ",", "\"\"", ";", "\u{feff}", "sep=,\n"]);
    proptest::collection::vec((any::<prop::sample::Index>(), added), 0..4).prop_map(|added| {
        let mut text = format!("{HEADER}{ROW}").into_bytes();
        for (at, piece) in added {
            let at = at.index(text.len() + 1);
            text.splice(at..at, piece.bytes());
        }
        text
    })
}

proptest! {
    #[test]
    fn any_text_is_as_valid_in_its_canonical_form(
        table in table(),
        bytes in prop_oneof![noise(), nearly_valid()],
    ) {
        let text = String::from_utf8_lossy(&bytes);
        let once = canonical(table, &text);
        prop_assert_eq!(is_valid(table, &text), is_valid(table, &once), "{:?}", once);
        // Behind an empty record, a `sep=` line is a row, and an error.
        prop_assume!(!once.starts_with("sep="));
        prop_assert_eq!(canonical(table, &once), once);
    }

    #[test]
    fn no_bytes_make_the_fix_panic_and_what_it_writes_is_valid_and_canonical(
        table in table(),
        bytes in noise(),
    ) {
        let (report, fixed) = fix(table, "noise", &bytes);
        prop_assert_eq!(fixed.is_some(), report.is_fixable(), "{:?}", report);
        if let Some(fixed) = fixed {
            prop_assert!(is_valid(table, &fixed.text));
            prop_assert_eq!(canonical(table, &fixed.text), fixed.text);
        }
    }

    #[test]
    fn the_platform_reads_the_cells_that_were_submitted(
        sheet in sheet(),
        breaks in select(vec!["\n", "\r\n", "\r"]),
        blanks in select(vec!["", " ", "\t", "\u{a0}", "\u{feff}"]),
        above in select(vec!["", "sep=,\n", ",,,\n", "\n"]),
    ) {
        let mut padded = sheet.clone();
        for row in &mut padded.rows {
            for cell in &mut row[1..5] {
                *cell = format!("{blanks}{cell}{blanks}");
            }
        }
        padded.line_break = breaks;
        let text = [above, &padded.save().0, ",,,,,\n"].concat();
        let text = if padded.ends_with_break { text } else { [above, &padded.save().0].concat() };
        let (report, stored) = check(sheet.table, "sheet", text.as_bytes());
        prop_assert_eq!(stored.as_deref(), Some(&*text), "{:?}", report);
        let canonical = canonical(sheet.table, &text);
        prop_assert_eq!(fix(sheet.table, "sheet", text.as_bytes()).1.unwrap().text, canonical.clone());

        let rows = uploaded(&canonical);
        prop_assert_eq!(&cells(sheet.table, &canonical), &rows);
        let trimmed = cells(sheet.table, &text);
        prop_assert_eq!(rows.len(), trimmed.len());
        for (row, (uploaded, submitted)) in rows.iter().zip(&trimmed).enumerate() {
            let is_header = row == 0 && sheet.header.is_some();
            for (at, (uploaded, submitted)) in uploaded.iter().zip(submitted).enumerate() {
                let is_trimmed = is_header || (1..5).contains(&at);
                prop_assert_eq!(uploaded, if is_trimmed { trim(submitted) } else { submitted });
            }
        }
        // What the reader does not show: the quotes, too, are those of the original.
        let plain = sheet.save().0;
        let body = plain.trim_start_matches('\u{feff}');
        let has_blanks = |name: &[u8]| trim(name).len() < name.len();
        let has_padded_names = sheet.header.is_some() && trimmed[0].iter().any(has_blanks);
        if !has_padded_names
            && blanks.is_empty()
            && above.is_empty() && breaks == "\r\n" && sheet.line_break == breaks {
            prop_assert_eq!(canonical.trim_end(), body.trim_end());
        }
    }

    #[test]
    fn rows_are_on_the_line_of_the_original_and_on_that_of_the_upload(sheet in sheet(), blank in 0..3_usize) {
        let (text, _) = sheet.save();
        let above = ",,,,\n\n".repeat(blank);
        let text = [&*above, &text].concat();
        let canonical = canonical(sheet.table, &text);
        let (mut lines, mut uploaded) = (Vec::new(), Vec::new());
        each_row(sheet.table, &text, |row| {
            lines.push(row.line);
            uploaded.push(row.uploaded.clone());
        });
        let mut expected = Vec::new();
        each_row(sheet.table, &canonical, |row| expected.push(row.line));
        prop_assert_eq!(uploaded.iter().map(|lines| lines.start).collect::<Vec<_>>(), expected);
        prop_assert_eq!(lines[0], 1 + 2 * blank as u64);
    }
}
