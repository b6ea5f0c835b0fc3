//! What only the two texts of a dataset together can tell.

use std::collections::HashSet;

use super::report::{Kind, MAX_PROBLEMS, Problem, Spot, shown};
use super::{Row, each_row};

/// Warns of events whose reference no data row has. Both texts are valid ones.
pub fn check_pair(data: &str, events: &str) -> Vec<Problem> {
    let reference = |row: &Row<'_>| row.record.get(0).unwrap_or_default().trim_ascii().to_owned();
    let mut references = HashSet::new();
    each_row(data, |row| {
        if row.number > 0 {
            references.insert(reference(row));
        }
    });
    let mut problems = Vec::new();
    each_row(events, |row| {
        let reference = reference(row);
        if row.number > 0 && problems.len() < MAX_PROBLEMS && !references.contains(&reference) {
            problems.push(unknown_reference(row, &reference));
        }
    });
    problems
}

fn unknown_reference(row: &Row<'_>, reference: &[u8]) -> Problem {
    let value = shown(reference);
    let message = format!("no data row has the reference `{value}`");
    let spot = Spot {
        line: Some(row.lines.start),
        row: Some(row.number),
        column: Some("Reference".to_owned()),
        value: Some(value),
    };
    Problem::new(Kind::UnknownReference, spot, message, "the reference of a data row")
}
