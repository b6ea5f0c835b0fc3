//! Locations of errors, of which none hides another.

use super::*;
use crate::domain::dataset::fix;

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let text = [
        HEADER,
        "\n\n",
        "\"R\n1\",31/02/2025,08:00,31/12/2025,\n",
        ROW,
        "R3\n",
        "R4,31/12/2025,8:00,31/12/2025,24:00\n",
    ]
    .concat();
    for text in [text.replace('\n', "\r\n"), text] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown(&report(&text)), @"
            line 4, row 1, column `StartDate`: `31/02/2025` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
            line 4, row 1, column `EndTime`: the cell is empty: expected hh:mm from 00:00 to 23:59
            line 7, row 3, column `StartDate`: the row has only 1 column, without `StartDate`, `StartTime`, `EndDate`, `EndTime`: expected 5 columns
            line 8, row 4, column `StartTime`: `8:00` has no leading zero: expected hh:mm, here `08:00`
            line 8, row 4, column `EndTime`: `24:00` is the end of a day: expected hh:mm, here `00:00` of the next day, or `23:59`
            ");
        }
    }
}

#[test]
fn a_file_with_semicolons_is_read_on() {
    let text =
        "Reference;StartDate;StartTime;EndDate;EndTime\nR1;1/1/2025;08:00;31/12/2025;09:00\n";
    insta::assert_snapshot!(shown(&report(text)), @"
    line 1: the columns are separated by semicolons (`;`): expected commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    line 2, row 1, column `StartDate`: `1/1/2025` has no leading zeros: expected DD/MM/YYYY, here `01/01/2025`
    ");
}

#[test]
fn the_separator_is_found_by_names_dates_and_times() {
    let misspelled = "Ref;Start;From;End;Until\nR1;31/12/2025;8:00;31/12/2025;09:00\n";
    assert_eq!(kinds(&report(misspelled))[0], Kind::WrongDelimiter);
    let tabs = ROW.replace(',', "\t");
    assert_eq!(kinds(&report(tabs)), [Kind::WrongDelimiter]);
    let short = "R;1;2;3;4;5,31/12/2025,08:00\n";
    assert_eq!(kinds(&report(short)), [Kind::TooFewColumns]);
}

#[test]
fn rows_under_a_wrong_header_are_read_as_it_says() {
    let text = "StartDate,Reference,StartTime,EndDat,EndTime\n31/12/2025,R1,08:00,x,09:00\n";
    insta::assert_snapshot!(shown(&report(text)), @"
    line 1, column `EndDate`: column 4 of the header is `EndDat`: expected `EndDate`
    line 1: the header `StartDate,Reference,StartTime,EndDat,EndTime` has its columns in another order: expected it to begin with `Reference,StartDate,StartTime,EndDate,EndTime`
    line 2, row 1, column `EndDate`: `x` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    ");
    let text = "Reference,StartDate,EndDate,EndTime\nR1,31/12/2025,x,09:00\n";
    insta::assert_snapshot!(shown(&report(text)), @"
    line 1, column `StartTime`: the column is missing from the header: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    line 2, row 1, column `EndDate`: `x` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    ");
}

#[test]
fn an_optional_column_among_the_required_ones_is_invalid() {
    let header = HEADER.replace("StartDate", "Note,StartDate");
    let report = report([&header, "R1,x,31/12/2025,08:00,31/12/2025,09:00\n"].concat());
    assert_eq!(kinds(&report), [Kind::ColumnOrder]);
}

#[test]
fn a_cell_with_a_bad_byte_is_one_problem() {
    assert_eq!(kinds(&report("R1,31/12/2025\0,08:00,31/12/2025,09:00\n")), [Kind::NulByte]);
    let bytes = b"R1,31/12/2025,08:00,\xe9,09:00\nR2,31/12/2025,24:00,31/12/2025,09:00\n";
    assert_eq!(kinds(&report(bytes)), [Kind::Windows1252, Kind::NotATime]);
}

#[test]
fn events_in_place_of_data_are_checked_as_events() {
    let text =
        [Table::Events.header().as_str(), "\nR1,x,08:00,31/12/2025,09:00,Break,3\n"].concat();
    insta::assert_snapshot!(shown(&report(text)), @"
    line 1: the header is that of events, not of data: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    line 2, row 1, column `EventStartDate`: `x` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    line 2, row 1, column `TimeReference`: `3` is not a time reference: expected 0, 1 or 2
    ");
}

#[test]
fn a_dataset_without_rows_is_empty() {
    for text in ["", "\u{feff}", HEADER, "\n\r\n  \n"] {
        let report = report(text);
        assert_eq!((kinds(&report), report.rows), (vec![Kind::EmptyDataset], 0), "{text:?}");
    }
}

#[test]
fn utf32_is_recognized_with_and_without_a_mark() {
    let text = [HEADER, ROW].concat();
    for mark in ["", "\u{feff}"] {
        let chars = || mark.chars().chain(text.chars()).map(u32::from);
        let wide: [Vec<u8>; 2] = [
            chars().flat_map(u32::to_le_bytes).collect(),
            chars().flat_map(u32::to_be_bytes).collect(),
        ];
        for bytes in wide {
            let (report, fixed) = fix(Table::Data, "trips.csv", &bytes);
            assert_eq!(kinds(&report), [Kind::Utf32]);
            assert!(report.problems[0].message.contains("UTF-32"));
            assert_eq!(fixed.expect("it can be decoded").text, text.replace('\n', "\r\n"));
        }
    }
}

#[test]
fn utf16_is_recognized_with_and_without_a_mark() {
    let text = [HEADER, ROW].concat();
    let units = || text.encode_utf16().chain("é".encode_utf16());
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    for bytes in [
        little.clone(),
        big.clone(),
        [vec![0xff, 0xfe], little].concat(),
        [vec![0xfe, 0xff], big].concat(),
    ] {
        assert_eq!(kinds(&report(&bytes)), [Kind::Utf16]);
    }
}

#[test]
fn bytes_that_are_not_text_are_named_once_and_hide_nothing_else() {
    let mut bytes = [HEADER, "Zürich\0,31/12/2025,08:00,31/12/2025,9:00\n\0"].concat().into_bytes();
    bytes.extend(b"\xff,31/12/2025,08:00,31/12/2025,09:00\n");
    insta::assert_snapshot!(shown(&report(&bytes)), @"
    line 2, row 1, column `Reference`: byte 0x00 at offset 53 on line 2 is NUL, and 1 more like it: expected text without NUL bytes
    line 2, row 1, column `EndTime`: `9:00` has no leading zero: expected hh:mm, here `09:00`
    line 3, row 2, column `Reference`: byte 0xFF at offset 89 on line 3 is not UTF-8: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    ");
}

#[test]
fn offsets_count_the_byte_order_mark() {
    let text = report(b"\xef\xbb\xbf\xe9,31/12/2025,08:00,31/12/2025,09:00\n");
    assert!(text.problems[0].message.contains("at offset 3 on line 1"), "{}", shown(&text));
}

#[test]
fn a_quote_that_opens_below_the_start_of_its_row_is_found() {
    let text = [ROW, "\"a\nb\",31/12/2025,\"08:00,31/12/2025,09:00\nR3,x\n"].concat();
    insta::assert_snapshot!(shown(&report(text)), @"
    line 2, row 2, column `StartTime`: the quote that opens on line 3 is never closed: expected a closing quote; a quote inside a quoted cell is written twice
    ");
}

#[test]
fn long_and_invisible_values_are_fit_to_be_shown() {
    let text = ["R1,\"", &"\u{1b}".repeat(99), "\n\",08:00,31/12/2025,09:00\n"].concat();
    let report = report(&text);
    let value = report.problems[0].value.as_deref().unwrap();
    assert_eq!(value, r"\u{1b}".repeat(80) + "…");
}

#[test]
fn a_report_survives_json() {
    let report = report([HEADER, "R1,31/02/2025,08:00,31/12/2025\n", ROW, ROW].concat());
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    insta::assert_snapshot!(serde_json::to_string_pretty(&report.problems[0]).unwrap(), @r#"
    {
      "severity": "error",
      "kind": "too_few_columns",
      "line": 2,
      "row": 1,
      "column": "EndTime",
      "value": "R1",
      "message": "the row has only 4 columns, without `EndTime`",
      "expected": "5 columns",
      "count": 1,
      "fixable": false
    }
    "#);
}
