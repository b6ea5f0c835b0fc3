//! Tests of the validation as a whole.

mod accepted;
mod canonical;
mod edits;
mod examples;
mod habits;
mod invalid;
mod messages;
mod properties;

use super::{Kind, Report, Table, check};

const HEADER: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n";
const ROW: &str = "R1,31/12/2025,08:00,31/12/2025,09:00\n";

fn report(text: impl AsRef<[u8]>) -> Report {
    check(Table::Data, "trips.csv", text.as_ref()).0
}

fn kinds(report: &Report) -> Vec<Kind> {
    report.problems.iter().map(|problem| problem.kind).collect()
}

/// Text for a person.
fn shown(report: &Report) -> String {
    report.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
