//! Datasets that are valid, some with a warning.

use super::*;
use crate::domain::dataset::{MAX_PROBLEMS, Severity, check_pair};

#[track_caller]
fn assert_fine(text: &str, rows: u64) {
    let (report, kept) = check(Table::Data, "trips.csv", text.as_bytes());
    assert_eq!(shown(&report), "");
    assert_eq!(report.rows, rows);
    assert_eq!(kept.as_deref(), Some(text));
}

#[test]
fn a_header_may_be_left_out() {
    assert_fine(ROW, 1);
    assert_fine(&[HEADER, ROW].concat(), 1);
}

#[test]
fn a_header_may_have_other_letter_case_and_blanks() {
    assert_fine(&[" reference ,STARTDATE, StartTime,\"EndDate\",endtime\n", ROW].concat(), 1);
}

#[test]
fn line_endings_and_blank_lines_do_not_matter() {
    let text = [HEADER, "\n", ROW, "   \n\n", "R2,01/01/2026,08:00,01/01/2026,09:00"].concat();
    assert_fine(&text, 2);
    assert_fine(&text.replace('\n', "\r\n"), 2);
}

#[test]
fn a_byte_order_mark_is_accepted() {
    assert_fine(&["\u{feff}", HEADER, ROW].concat(), 1);
}

#[test]
fn quoted_commas_line_breaks_and_quotes_are_text() {
    assert_fine("\"a, \"\"b\"\"\r\nc\",31/12/2025,08:00,31/12/2025,\"09:00\"\r\n", 1);
    assert_fine("5\" pipe,31/12/2025,08:00,31/12/2025,09:00", 1);
}

#[test]
fn a_reference_may_be_called_reference() {
    assert_fine("Reference,31/12/2025,08:00,31/12/2025,09:00\n", 1);
}

#[test]
fn semicolons_inside_cells_are_text() {
    assert_fine("a;b;c;d;e;f;g,31/12/2025,08:00,31/12/2025,09:00\n", 1);
}

#[test]
fn warnings_leave_a_dataset_valid() {
    let text = [ROW, ROW, "R2,31/12/2025,08:00,31/12/2025,07:59,extra\n"].concat();
    let (report, kept) = check(Table::Data, "trips.csv", text.as_bytes());
    assert_eq!(kinds(&report), [Kind::DoubledRow, Kind::ExtraColumns, Kind::EndBeforeStart]);
    assert!(report.is_valid() && kept.is_some());
}

#[test]
fn extra_columns_are_reported_once() {
    let rows =
        ["R2,31/12/2025,08:00,31/12/2025,09:00,x\n", "R3,31/12/2025,08:00,31/12/2025,09:00,x\n"];
    assert_eq!(kinds(&report([ROW, rows[0], rows[1]].concat())), [Kind::ExtraColumns]);
    let header = "Reference,StartDate,StartTime,EndDate,EndTime,Note\n";
    let report = report([header, ROW, rows[0]].concat());
    assert_eq!((report.problems.len(), report.problems[0].row), (1, None));
}

#[test]
fn many_problems_are_counted_and_do_not_crowd_out_the_others() {
    let rows = ROW.repeat(MAX_PROBLEMS + 5) + &"R,1,1,1,1\n".repeat(MAX_PROBLEMS);
    let report = report(&rows);
    assert_eq!(report.errors().count(), MAX_PROBLEMS);
    assert_eq!(report.warnings().count(), MAX_PROBLEMS);
    let (errors, warnings) = (4 * MAX_PROBLEMS as u64, 2 * MAX_PROBLEMS as u64 + 3);
    assert_eq!((report.error_count, report.warning_count), (errors, warnings));
    assert_eq!(report.omitted, errors + warnings - 2 * MAX_PROBLEMS as u64);
    assert!(!report.is_valid());
}

#[test]
fn events_without_a_data_row_are_warned_of() {
    let data = [HEADER, ROW].concat();
    let events = "Reference,EventStartDate,EventStartTime,EventEndDate,EventEndTime,Description,TimeReference\n\
                  R1,31/12/2025,08:00,31/12/2025,08:30,Break,0\n\
                  R2,31/12/2025,08:00,31/12/2025,08:30,Break,0\n";
    let (mut report, mut bare) = (Report::new("events.csv"), Report::new("events.csv"));
    check_pair(&data, events, &mut report);
    check_pair(ROW, events, &mut bare);
    assert_eq!(report, bare);
    assert_eq!((report.warning_count, report.problems.len()), (1, 1));
    assert_eq!(report.problems[0].severity, Severity::Warning);
    insta::assert_snapshot!(report.problems[0], @"
    line 3, row 2, column `Reference`: no data row has the reference `R2`: expected the reference of a data row
    ");
}
