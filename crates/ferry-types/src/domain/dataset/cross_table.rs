//! Compares the two texts of a dataset with each other.

use std::collections::HashSet;

use super::report::{Kind, Location, MAX_PROBLEMS, Problem, Report, Severity, excerpt};
use super::{Row, Table, each_row};

/// Warns of events whose reference no data row has. Both texts are valid ones; `report` is that of the
/// events.
pub fn check_pair(data: &str, events: &str, report: &mut Report) {
    let reference = |row: &Row<'_>| row.record.get(0).unwrap_or_default().trim_ascii().to_owned();
    let mut references = HashSet::new();
    each_row(Table::Data, data, |row| {
        if row.number > 0 {
            references.insert(reference(row));
        }
    });
    let mut listed = 0;
    each_row(Table::Events, events, |row| {
        let reference = reference(row);
        if row.number == 0 || references.contains(&reference) {
            return;
        }
        report.count(Severity::Warning, 1);
        if listed < MAX_PROBLEMS {
            listed += 1;
            report.problems.push(unknown_reference(row, &reference));
        } else {
            report.omitted += 1;
        }
    });
}

fn unknown_reference(row: &Row<'_>, reference: &[u8]) -> Problem {
    let value = excerpt(reference);
    let message = format!("no data row has the reference `{value}`");
    let location = Location {
        line: Some(row.line),
        row: Some(row.number),
        column: Some("Reference".to_owned()),
        value: Some(value),
    };
    Problem::new(Kind::UnknownReference, location, message, "the reference of a data row")
}
