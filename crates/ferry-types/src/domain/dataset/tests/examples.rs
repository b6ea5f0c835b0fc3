//! The files in `examples/` are as its README says.

use super::*;
use crate::domain::dataset::check_pair;

macro_rules! example {
    ($name:literal) => {
        include_bytes!(concat!("../../../../../../examples/", $name)).as_slice()
    };
}

#[track_caller]
fn valid(table: Table, bytes: &[u8], rows: u64) -> String {
    let (report, text) = check(table, "example", bytes);
    assert_eq!((shown(&report), report.rows), (String::new(), rows));
    text.unwrap()
}

#[test]
fn the_good_examples_are_valid() {
    valid(Table::Data, example!("good.csv"), 10);
    valid(Table::Data, example!("rejected.csv"), 4);
    valid(Table::Data, example!("rejected.corrected.csv"), 4);
    let data = valid(Table::Data, example!("with-events.csv"), 3);
    let events = valid(Table::Events, example!("with-events.events.csv"), 4);
    assert_eq!(check_pair(&data, &events), []);
}

#[test]
fn the_faulty_example_has_five_faults() {
    insta::assert_snapshot!(shown(&report(example!("faulty.csv"))), @"
    line 2, row 1, column `StartDate`: `31/02/2025` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    line 3, row 2, column `StartTime`: `24:00` is not a time of day: expected hh:mm from 00:00 to 23:59
    line 4, row 3, column `Reference`: the cell is empty: expected some text
    line 5, row 4, column `EndTime`: the row has only 4 columns, without `EndTime`: expected 5 columns
    line 7, row 6, column `Reference`: the quote that opens on line 7 is never closed: expected a closing quote; a quote inside a quoted cell is written twice
    ");
}
