//! `ferry validate`: what a person sees of every fault of a dataset.

use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Ran};

const HEADER: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n";
const ROW: &str = "A1,03/03/2026,08:00,03/03/2026,16:30\n";
const EVENT_HEADER: &str =
    "Reference,EventStartDate,EventStartTime,EventEndDate,EventEndTime,Description,TimeReference\n";

fn validate(bytes: impl AsRef<[u8]>) -> Ran {
    Ferry::new().file("march.csv", bytes).run(&["validate", "march.csv"])
}

/// One row between others.
fn row(row: &str) -> Ran {
    validate(format!("{HEADER}{ROW}{row}\nA2,04/03/2026,08:00,04/03/2026,16:30\n"))
}

fn event(row: &str) -> Ran {
    Ferry::new().file("events.csv", format!("{EVENT_HEADER}{row}\n")).run(&[
        "validate",
        "--events",
        "events.csv",
    ])
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_date_that_is_not_in_the_calendar() {
    assert_snapshot!(row("B1,31/02/2026,08:00,03/03/2026,16:30"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `StartDate`: `31/02/2026` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    march.csv: invalid: 1 error in 3 rows
    ---- stderr
    ");
    assert_snapshot!(row("B1,2026-03-03,08:00,03/03/2026,16:30"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `StartDate`: `2026-03-03` has the year first: expected DD/MM/YYYY, here `03/03/2026`
    march.csv: invalid: 1 error in 3 rows
    ---- stderr
    hint: correct all of these: `ferry validate --fix march.csv`
    ");
}

#[test]
fn a_time_that_is_not_hh_mm() {
    assert_snapshot!(row("B1,03/03/2026,8:00,03/03/2026,24:00"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `StartTime`: `8:00` has no leading zero: expected hh:mm, here `08:00`
    march.csv: error: line 3, row 2, column `EndTime`: `24:00` is the end of a day: expected hh:mm, here `00:00` of the next day, or `23:59`
    march.csv: invalid: 2 errors in 3 rows
    ---- stderr
    ");
}

#[test]
fn a_time_reference_that_is_not_0_1_or_2() {
    assert_snapshot!(event("A1,03/03/2026,08:00,03/03/2026,08:30,Break,3"), @"
    exit 3
    ---- stdout
    events.csv: error: line 2, row 1, column `TimeReference`: `3` is not a time reference: expected 0, 1 or 2
    events.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn a_required_column_that_is_missing() {
    assert_snapshot!(validate("Reference,StartDate,StartTime,EndDate\nA1,03/03/2026,08:00,03/03/2026\n"), @"
    exit 3
    ---- stdout
    march.csv: error: line 1, column `EndTime`: the column is missing from the header: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn columns_in_another_order_or_under_another_name() {
    assert_snapshot!(validate("Reference,StartTime,StartDate,EndDate,EndTime\nA1,08:00,03/03/2026,03/03/2026,16:30\n"), @"
    exit 3
    ---- stdout
    march.csv: error: line 1: the header `Reference,StartTime,StartDate,EndDate,EndTime` has its columns in another order: expected it to begin with `Reference,StartDate,StartTime,EndDate,EndTime`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
    assert_snapshot!(validate("Reference,StartDate,StartTime,EndDate,Finish\nA1,03/03/2026,08:00,03/03/2026,16:30\n"), @"
    exit 3
    ---- stdout
    march.csv: error: line 1, column `EndTime`: column 5 of the header is `Finish`: expected `EndTime`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn a_required_cell_that_is_empty() {
    assert_snapshot!(row(",03/03/2026,08:00,03/03/2026,16:30"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `Reference`: the cell is empty: expected some text
    march.csv: invalid: 1 error in 3 rows
    ---- stderr
    ");
}

#[test]
fn too_few_columns() {
    assert_snapshot!(row("B1,03/03/2026,08:00,03/03/2026"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `EndTime`: the row has only 4 columns, without `EndTime`: expected 5 columns
    march.csv: invalid: 1 error in 3 rows
    ---- stderr
    ");
}

#[test]
fn a_quote_that_is_never_closed() {
    assert_snapshot!(row("\"B1,03/03/2026,08:00,03/03/2026,16:30"), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `Reference`: the quote that opens on line 3 is never closed: expected a closing quote; a quote inside a quoted cell is written twice
    march.csv: invalid: 1 error in 2 rows
    ---- stderr
    ");
}

#[test]
fn bytes_that_are_not_utf_8() {
    let mut mixed = format!("{HEADER}Zürich,03/03/2026,08:00,03/03/2026,16:30\nM").into_bytes();
    mixed.extend(b"\xfcnchen,03/03/2026,08:00,03/03/2026,16:30\n");
    assert_snapshot!(validate(mixed), @"
    exit 3
    ---- stdout
    march.csv: error: line 3, row 2, column `Reference`: byte 0xFC at offset 89 on line 3 is not UTF-8: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: invalid: 1 error in 2 rows
    ---- stderr
    ");
}

#[test]
fn a_spreadsheets_windows_1252_export() {
    let mut text = HEADER.as_bytes().to_owned();
    text.extend(b"Z\xfcrich,03/03/2026,08:00,03/03/2026,16:30\n");
    assert_snapshot!(validate(text), @"
    exit 3
    ---- stdout
    march.csv: error: line 2, row 1, column `Reference`: byte 0xFC at offset 47 on line 2 is not UTF-8; as Windows-1252, it is `ü`: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn a_spreadsheets_utf_16_export() {
    assert_snapshot!(validate(utf16(&format!("{HEADER}{ROW}"))), @"
    exit 3
    ---- stdout
    march.csv: error: the text is UTF-16, as a spreadsheet saves `Unicode Text`: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: invalid: 1 error
    ---- stderr
    hint: correct all of these: `ferry validate --fix march.csv`
    ");
}

#[test]
fn a_workbook_instead_of_csv() {
    assert_snapshot!(validate(b"PK\x03\x04\x14\x00\x06\x00"), @"
    exit 3
    ---- stdout
    march.csv: error: the file is a workbook or a zip archive: expected CSV text; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: invalid: 1 error
    ---- stderr
    ");
}

#[test]
fn semicolons_instead_of_commas() {
    assert_snapshot!(validate(format!("{HEADER}{ROW}").replace(',', ";")), @"
    exit 3
    ---- stdout
    march.csv: error: line 1: the columns are separated by semicolons (`;`): expected commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    hint: correct all of these: `ferry validate --fix march.csv`
    ");
}

#[test]
fn an_empty_dataset() {
    assert_snapshot!(validate(""), @"
    exit 3
    ---- stdout
    march.csv: error: the text is empty: expected at least one row
    march.csv: invalid: 1 error
    ---- stderr
    ");
    assert_snapshot!(validate(HEADER), @"
    exit 3
    ---- stdout
    march.csv: error: there is only a header: expected at least one row
    march.csv: invalid: 1 error
    ---- stderr
    ");
}

#[test]
fn events_where_the_dataset_should_be() {
    assert_snapshot!(validate(format!("{EVENT_HEADER}A1,03/03/2026,08:00,03/03/2026,08:30,Break,1\n")), @"
    exit 3
    ---- stdout
    march.csv: error: line 1: the header is that of events, not of data: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    march.csv: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn what_is_only_odd_is_a_warning_and_exits_0() {
    assert_snapshot!(row("B1,04/03/2026,08:00,03/03/2026,16:30"), @"
    exit 0
    ---- stdout
    march.csv: warning: line 3, row 2, column `EndDate`: the end `03/03/2026 16:30` is before the start `04/03/2026 08:00`: expected an end not before the start
    march.csv: valid, 3 rows, 1 warning
    ---- stderr
    ");
    assert_snapshot!(row(ROW.trim_end()), @"
    exit 0
    ---- stdout
    march.csv: warning: line 3, row 2: the row is the same as row 1: expected every row once
    march.csv: valid, 3 rows, 1 warning
    ---- stderr
    ");
    assert_snapshot!(row("B1,03/03/2026,08:00,03/03/2026,16:30,more"), @"
    exit 0
    ---- stdout
    march.csv: warning: line 3, row 2: there are 6 columns: expected 5; those behind are taken as optional columns
    march.csv: valid, 3 rows, 1 warning
    ---- stderr
    ");
}

#[test]
fn events_of_a_reference_that_the_dataset_lacks_are_a_warning() {
    let ferry = Ferry::new().file("march.csv", format!("{HEADER}{ROW}")).file(
        "events.csv",
        format!("{EVENT_HEADER}X9,03/03/2026,08:00,03/03/2026,08:30,Break,1\n"),
    );
    assert_snapshot!(ferry.run(&["validate", "march.csv", "--events", "events.csv"]), @"
    exit 0
    ---- stdout
    march.csv: valid, 1 row
    events.csv: warning: line 2, row 1, column `Reference`: no data row has the reference `X9`: expected the reference of a data row
    events.csv: valid, 1 row, 1 warning
    ---- stderr
    ");
}

#[test]
fn what_is_allowed_is_valid() {
    let allowed = [
        format!("\u{feff}{HEADER}{ROW}"),
        format!("{HEADER}{ROW}").replace('\n', "\r\n"),
        ROW.to_owned(),
        format!("{}{ROW}", HEADER.to_uppercase()),
        format!("{HEADER}\"Harbour, north\nquay\",03/03/2026,08:00,03/03/2026,16:30\n"),
        format!("{HEADER}{}", ROW.trim_end()),
        GOOD.to_owned(),
    ];
    for text in allowed {
        let ran = validate(&text).ok();
        assert!(ran.stdout.starts_with("march.csv: valid, "), "{text:?}: {}", ran.stdout);
        assert!(!ran.stdout.contains("warning"), "{text:?}: {}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn every_error_of_every_file_is_reported_at_once() {
    let ferry = Ferry::new()
        .file("faulty.csv", include_str!("../../../examples/faulty.csv"))
        .file("good.csv", GOOD);
    assert_snapshot!(ferry.run(&["validate", "faulty.csv", "good.csv"]), @"
    exit 3
    ---- stdout
    faulty.csv: error: line 2, row 1, column `StartDate`: `31/02/2025` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    faulty.csv: error: line 3, row 2, column `StartTime`: `24:00` is the end of a day: expected hh:mm, here `00:00` of the next day, or `23:59`
    faulty.csv: error: line 4, row 3, column `Reference`: the cell is empty: expected some text
    faulty.csv: error: line 5, row 4, column `EndTime`: the row has only 4 columns, without `EndTime`: expected 5 columns
    faulty.csv: error: line 7, row 6, column `Reference`: the quote that opens on line 7 is never closed: expected a closing quote; a quote inside a quoted cell is written twice
    faulty.csv: invalid: 5 errors in 6 rows
    good.csv: valid, 10 rows
    ---- stderr
    ");
}

#[test]
fn json_has_one_report_a_file_and_says_the_same() {
    let ferry = Ferry::new()
        .file("faulty.csv", include_str!("../../../examples/faulty.csv"))
        .file("good.csv", GOOD);
    let ran = ferry.run(&["validate", "--json", "faulty.csv", "good.csv"]).exits(3);
    assert_eq!(ran.stderr, "");
    let reports = ran.objects();
    assert_eq!(reports.len(), 2);
    assert_eq!(
        (&reports[0]["file"], &reports[1]["file"]),
        (&"faulty.csv".into(), &"good.csv".into())
    );
    assert_eq!(reports[1]["problems"], serde_json::json!([]));
    assert_snapshot!(serde_json::to_string_pretty(&reports[0]["problems"][0]).unwrap(), @r#"
    {
      "severity": "error",
      "kind": "not_a_date",
      "line": 2,
      "row": 1,
      "column": "StartDate",
      "value": "31/02/2025",
      "message": "`31/02/2025` is not a calendar date",
      "expected": "DD/MM/YYYY, such as 31/12/2025",
      "count": 1,
      "fixable": false
    }
    "#);
}

#[test]
fn a_person_reads_a_dozen_lines_and_true_counts() {
    let rows = "A1,31/02/2026,9:00,03/03/2026,tomorrow\n".repeat(15_000);
    let ran = validate(format!("{HEADER}{ROW}{rows},,,,\n,,,,\n")).exits(3);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 14, "{}", ran.stdout);
    assert_snapshot!(lines[1], @"
    march.csv: error: line 3, row 2, column `StartTime`: `9:00` has no leading zero (15,000 in all): expected hh:mm, here `09:00`
    ");
    assert_snapshot!(lines[12..].join("\n"), @"
    march.csv: … and 29,991 more errors and 14,999 more warnings
    march.csv: invalid: 45,000 errors and 15,001 warnings in 15,001 rows
    ");
    let report =
        &Ferry::new().file("m.csv", rows).run(&["validate", "--json", "m.csv"]).objects()[0];
    assert_eq!(
        (&report["error_count"], &report["warning_count"]),
        (&45_000.into(), &14_999.into())
    );
    assert_eq!(report["problems"].as_array().unwrap().len(), 2000 + 1);
}

#[test]
fn habits_of_spreadsheets_are_fixed_into_another_file() {
    let text = "sep=;\r\nReference;StartDate;StartTime;EndDate;EndTime\r\n\
                A1;3.3.2026;9:00;2026-03-03;4:30 PM\r\nA2;14.3.2026;9:30;2026-03-14;10:00\r\n;;;;\r\n";
    let ferry = Ferry::new().file("march.csv", text);
    assert_snapshot!(ferry.run(&["validate", "march.csv"]), @"
    exit 3
    ---- stdout
    march.csv: error: line 1: the columns are separated by semicolons (`;`), and `sep=;` says so: expected no `sep=` line, and commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: error: line 3, row 1, column `StartDate`: `3.3.2026` has dots between its numbers (2 in all): expected DD/MM/YYYY, here `03/03/2026`
    march.csv: error: line 3, row 1, column `StartTime`: `9:00` has no leading zero (2 in all): expected hh:mm, here `09:00`
    march.csv: error: line 3, row 1, column `EndDate`: `2026-03-03` has the year first (2 in all): expected DD/MM/YYYY, here `03/03/2026`
    march.csv: error: line 3, row 1, column `EndTime`: `4:30 PM` has AM or PM: expected hh:mm, here `16:30`
    march.csv: warning: line 5: all cells of the row are empty: expected no such rows; they are left out of the upload
    march.csv: invalid: 8 errors and 1 warning in 2 rows
    ---- stderr
    hint: correct all of these: `ferry validate --fix march.csv`
    ");
    assert_snapshot!(ferry.run(&["validate", "--fix", "march.csv"]), @"
    exit 0
    ---- stdout
    march.csv: fixed: line 1: the columns are separated by semicolons (`;`), and `sep=;` says so: expected no `sep=` line, and commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    march.csv: fixed: line 3, row 1, column `StartDate`: `3.3.2026` has dots between its numbers (2 in all): expected DD/MM/YYYY, here `03/03/2026`
    march.csv: fixed: line 3, row 1, column `StartTime`: `9:00` has no leading zero (2 in all): expected hh:mm, here `09:00`
    march.csv: fixed: line 3, row 1, column `EndDate`: `2026-03-03` has the year first (2 in all): expected DD/MM/YYYY, here `03/03/2026`
    march.csv: fixed: line 3, row 1, column `EndTime`: `4:30 PM` has AM or PM: expected hh:mm, here `16:30`
    march.csv: fixed: line 5: all cells of the row are empty: expected no such rows; they are left out of the upload
    march.fixed.csv: written, 2 rows
    ---- stderr
    ");
    let fixed = ferry.read("march.fixed.csv");
    assert_snapshot!(fixed.replace("\r\n", "|"), @"
    Reference,StartDate,StartTime,EndDate,EndTime|A1,03/03/2026,09:00,03/03/2026,16:30|A2,14/03/2026,09:30,14/03/2026,10:00|
    ");
    assert_eq!(ferry.read("march.csv"), text);
    ferry.run(&["validate", "march.fixed.csv"]).ok();

    assert_snapshot!(ferry.run(&["validate", "--fix", "march.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: `march.fixed.csv` already exists
    hint: overwrite it with `-o march.fixed.csv`
    ");
    let again = ferry.run(&["validate", "--fix", "march.csv", "-o", "-"]).ok();
    assert_eq!((&again.stdout, &*again.stderr), (&fixed, ""));
    let outcome =
        &ferry.run(&["validate", "--fix", "--json", "march.csv", "-o", "march.csv"]).ok().objects()
            [0];
    assert_eq!((&outcome["output"], &outcome["error_count"]), (&"march.csv".into(), &8.into()));
    assert_eq!(ferry.read("march.csv"), fixed);
}

#[test]
fn errors_that_need_a_person_are_listed_and_nothing_is_written() {
    let ferry =
        Ferry::new().file("march.csv", format!("{HEADER}A1,03/04/26,9:00,03/03/2026,24:00\n"));
    assert_snapshot!(ferry.run(&["validate", "--fix", "march.csv"]), @"
    exit 3
    ---- stdout
    march.csv: error: line 2, row 1, column `StartDate`: `03/04/26` has a year of two digits: expected DD/MM/YYYY, such as 31/12/2025
    march.csv: error: line 2, row 1, column `EndTime`: `24:00` is the end of a day: expected hh:mm, here `00:00` of the next day, or `23:59`
    march.csv: invalid: 2 errors in 1 row
    ---- stderr
    nothing was written: correct these errors first
    ");
    assert!(!ferry.path("march.fixed.csv").exists());
    assert_snapshot!(ferry.run(&["validate", "-o", "x.csv", "march.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the following required arguments were not provided:
      --fix

    Usage: ferry validate --fix --output <OUT> <FILE>...

    For more information, try '--help'.
    ");
}

#[test]
fn stdin_is_validated_too() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run_with(&["validate", "-"], "A1,03/03/2026\n"), @"
    exit 3
    ---- stdout
    stdin: error: line 1, row 1, column `StartTime`: the row has only 2 columns, without `StartTime`, `EndDate`, `EndTime`: expected 5 columns
    stdin: invalid: 1 error in 1 row
    ---- stderr
    ");
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    let ferry = Ferry::new().file("folder/march.csv", GOOD);
    assert_snapshot!(ferry.run(&["validate", "april.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `april.csv`
    caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(ferry.run(&["validate", "folder"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `folder`
    caused by: Is a directory (os error 21)
    ");
    assert_snapshot!(ferry.run(&["validate"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the following required arguments were not provided:
      <FILE>...

    Usage: ferry validate <FILE>...

    For more information, try '--help'.
    ");
}
