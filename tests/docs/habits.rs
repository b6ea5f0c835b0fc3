//! The habits of spreadsheets that a check recognizes in cells, with examples of each.

use std::collections::BTreeSet;

use ferry_types::domain::dataset::{Severity, Table, check};

use super::none;
use super::pages::root;
use super::render::table;

/// Cells of these columns, by the row of the table: `Reference`, `StartDate` and `StartTime`.
const EXAMPLES: &[(usize, &[&str])] = &[
    (1, &["2025-03-14", "2025/3/14"]),
    (1, &["14/3/2025"]),
    (1, &["14.03.2025", "14.3.2025"]),
    (1, &["14-03-2025", "14\\03\\2025"]),
    (1, &["03/14/2025"]),
    (1, &["4/3/2025"]),
    (1, &["14/03/25"]),
    (1, &["14/03/0025"]),
    (1, &["20250314"]),
    (1, &["45730"]),
    (1, &["14-Mar-2025", "March 14, 2025"]),
    (1, &["14. März 2025", "14-Mar-25"]),
    (1, &["Fri 14/03/2025"]),
    (1, &["14/03/2025 00:00"]),
    (1, &["14/03/2025 07:30", "2025-03-14T16:30:00Z"]),
    (2, &["9:00"]),
    (2, &["9:5"]),
    (2, &["T09:00"]),
    (2, &["09:00:00"]),
    (2, &["09:00:30"]),
    (2, &["9:00 AM", "9 a.m."]),
    (2, &["15:00 PM"]),
    (2, &["24:00"]),
    (2, &["noon"]),
    (2, &["0930"]),
    (2, &["09.30"]),
    (2, &["09,30"]),
    (2, &["9.5"]),
    (2, &["9h30"]),
    (2, &["9 Uhr"]),
    (2, &["0.375", "45730.375"]),
    (2, &["09:00Z", "09:00:00+01:00", "09:00 GMT"]),
    (2, &["1899-12-30 09:00:00"]),
    (1, &["14 / 03 / 2025"]),
    (1, &["14/03/\u{200b}2025"]),
    (1, &["'14/03/2025", "“14/03/2025”"]),
    (1, &["=\"14/03/2025\""]),
    (1, &["=TODAY()"]),
    (1, &["１４/０３/２０２５", "١٤/٠٣/٢٠٢٥"]),
    (1, &["14/O3/2O25"]),
    (1, &["####"]),
    (1, &["#VALUE!", "#N/A"]),
    (1, &["N/A", "TBC", "-"]),
    (1, &["dd/mm/yyyy"]),
    (0, &["1.23457E+11"]),
    (0, &["#REF!"]),
    (0, &["=\"00123\""]),
    (0, &["'00123"]),
    (0, &["“R1”"]),
];

/// A cell as a check reports it.
struct Habit {
    shown: String,
    name: String,
    instead: String,
    corrected: &'static str,
}

fn habit(column: usize, cell: &str) -> Habit {
    let quoted = format!("\"{}\"", cell.replace('"', "\"\""));
    let mut row = ["R1", "14/03/2025", "08:00", "15/03/2025", "17:00"];
    row[column] = if cell.contains([',', '"']) { &quoted } else { cell };
    let header = Table::Data.columns().iter().map(|column| column.name).collect::<Vec<_>>();
    let text = format!("{}\n{}\n", header.join(","), row.join(","));
    let (report, _) = check(Table::Data, "example", text.as_bytes());
    let [problem] = &report.problems[..] else { panic!("`{cell}`: {:?}", report.problems) };
    let (shown, name) = problem.message.split_once("` ").expect("the cell, and its habit");
    let instead = problem.expected.split_once("here ").map_or("", |(_, instead)| instead);
    Habit {
        shown: format!("{shown}`"),
        name: name.to_owned(),
        instead: instead.to_owned(),
        corrected: match (problem.severity, problem.fixable) {
            (Severity::Warning, _) => "no: a warning, uploaded as it is",
            (Severity::Error, true) => "yes",
            (Severity::Error, false) => "no",
        },
    }
}

/// The habits with examples, what to write instead, and whether `--fix` does.
pub(crate) fn cells() -> String {
    let rows = EXAMPLES.iter().map(|(column, cells)| {
        let all: Vec<Habit> = cells.iter().map(|cell| habit(*column, cell)).collect();
        let first = &all[0];
        for other in &all {
            let pair = [first, other].map(|one| (&one.name, &one.instead, one.corrected));
            assert_eq!(pair[0], pair[1], "{} is of another row", other.shown);
        }
        let shown: Vec<&str> = all.iter().map(|habit| &*habit.shown).collect();
        vec![
            first.name.clone(),
            shown.join(", "),
            first.instead.clone(),
            first.corrected.to_owned(),
        ]
    });
    table(&["the cell", "such as", "write", "`--fix` corrects it"], rows)
}

#[test]
fn every_form_of_a_cell_has_an_example_on_the_page() {
    let of_rows = EXAMPLES
        .iter()
        .flat_map(|(column, cells)| cells.iter().map(|cell| habit(*column, cell).name));
    let shown: BTreeSet<String> = of_rows.collect();
    let folder = root("crates/ferry-types/src/domain/dataset");
    let mut files = vec![folder.join("forms.rs")];
    let entries = std::fs::read_dir(folder.join("forms")).expect("the recognizers");
    files.extend(entries.map(|entry| entry.expect("a file").path()));
    let mut names = BTreeSet::new();
    for file in files {
        let code = std::fs::read_to_string(&file).expect("it is a text");
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            // The text of a literal is every second part.
            names.extend(line.split('"').skip(1).step_by(2).filter(is_name).map(str::to_owned));
        }
    }
    assert!(names.len() > 30, "{names:?}");
    none(&names.difference(&shown).cloned().collect::<Vec<_>>());
}

/// True for the name of a form: it says what the cell is or has.
fn is_name(text: &&str) -> bool {
    let verbs = ["has ", "is ", "may ", "stands ", "describes ", "begins "];
    verbs.iter().any(|verb| text.starts_with(verb))
}
