//! Properties of every text: made of noise, made well, and made well with errors put in.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::domain::dataset::{Column, ColumnType, Severity, check_pair};

/// Bytes that a parser could stumble over.
pub(super) fn noise() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b",",
        b"\"",
        b"\"\"",
        b"\n",
        b"\r\n",
        b"\r",
        b";",
        b"\t",
        b"|",
        b" ",
        b"\0",
        b"\xff",
        b"\xe9",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        "é€".as_bytes(),
        b"Reference",
        b"StartDate",
        b"EventStartDate",
        b"01/01/2025",
        b"31/02/2025",
        b"10:00",
        b"3",
        b",,,,",
        b"sep=,\n",
        b"sep=;\r",
        b"\xc2\xa0",
        b"9:00",
        b"03/14/2025",
        b"\"R1,31/12/2025,08:00,31/12/2025,09:00\"\n",
        ROW.as_bytes(),
        HEADER.as_bytes(),
    ];
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(select(pieces), 0..40).prop_map(|pieces| pieces.concat()),
    ]
}

pub(super) fn table() -> impl Strategy<Value = Table> {
    select(vec![Table::Data, Table::Events])
}

/// A table as a spreadsheet could have saved it.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) table: Table,
    pub(super) rows: Vec<Vec<String>>,
    pub(super) header: Option<bool>,
    has_bom: bool,
    pub(super) line_break: &'static str,
    pub(super) ends_with_break: bool,
    /// True to quote a cell that needs no quotes; taken in turn.
    quoting: Vec<bool>,
}

pub(super) fn sheet() -> impl Strategy<Value = Sheet> {
    let rows = table().prop_flat_map(|table| {
        let rows = vec(row(table), 1..20);
        rows.prop_map(move |mut rows| {
            // Distinct rows: doubled ones are another matter.
            for (at, row) in rows.iter_mut().enumerate() {
                row[0].insert_str(0, &format!("R{at}"));
            }
            (table, rows)
        })
    });
    let style = (
        any::<Option<bool>>(),
        any::<bool>(),
        select(vec!["\n", "\r\n"]),
        any::<bool>(),
        vec(any::<bool>(), 1..9),
    );
    (rows, style).prop_map(
        |((table, rows), (header, has_bom, line_break, ends_with_break, quoting))| Sheet {
            table,
            rows,
            header,
            has_bom,
            line_break,
            ends_with_break,
            quoting,
        },
    )
}

fn row(table: Table) -> impl Strategy<Value = Vec<String>> {
    table.columns().iter().map(cell).collect::<Vec<_>>()
}

/// Every start is in 2024 and every end later, so that no end is before its start.
fn cell(column: &Column) -> BoxedStrategy<String> {
    let first_year = if column.name.contains("Start") { 2024 } else { 2025 };
    match column.holds {
        ColumnType::Text => "[a-zA-Z0-9 ,;|\"\r\n\té€]{0,12}x".boxed(),
        ColumnType::Date => (1..=28_u8, 1..=12_u8)
            .prop_map(move |(day, month)| format!("{day:02}/{month:02}/{first_year}"))
            .boxed(),
        ColumnType::Time => {
            (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("{hour:02}:{minute:02}")).boxed()
        }
        ColumnType::TimeReference => (0..3_u8).prop_map(|reference| reference.to_string()).boxed(),
    }
}

impl Sheet {
    /// The text, and the line on which each row starts.
    pub(super) fn save(&self) -> (String, Vec<u64>) {
        let mut text = if self.has_bom { "\u{feff}".to_owned() } else { String::new() };
        if let Some(is_upper) = self.header {
            let header = self.table.header();
            text += &if is_upper { header.to_uppercase() } else { header.replace(',', " , ") };
            text += self.line_break;
        }
        let mut quoting = self.quoting.iter().cycle();
        let mut lines = Vec::new();
        for row in &self.rows {
            lines.push(line_count(&text) + 1);
            let cells: Vec<_> =
                row.iter().zip(&mut quoting).map(|(cell, quote)| save(cell, *quote)).collect();
            text += &cells.join(",");
            text += self.line_break;
        }
        if !self.ends_with_break {
            text.truncate(text.len() - self.line_break.len());
        }
        (text, lines)
    }
}

fn save(cell: &str, quote: bool) -> String {
    if quote || cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn line_count(text: &str) -> u64 {
    text.replace("\r\n", "\n").matches(['\r', '\n']).count() as u64
}

/// A value that is wrong in the column, yet does not make the row look like a header.
fn faulty(column: &Column, pick: usize) -> (&'static str, Kind) {
    let pick = |choices: &[&'static str]| choices[pick % choices.len()];
    match column.holds {
        ColumnType::Text => (pick(&["", "  "]), Kind::EmptyCell),
        ColumnType::Date => (pick(&["31/02/2025", "32/01/2025", "tomorrow"]), Kind::NotADate),
        ColumnType::Time => (pick(&["25:00", "10:60", "soon"]), Kind::NotATime),
        ColumnType::TimeReference => (pick(&["3", "00", "-1"]), Kind::NotATimeReference),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_check_panic(table in table(), bytes in noise()) {
        let (report, text) = check(table, "noise", &bytes);
        prop_assert_eq!(
            text.is_some(),
            report.is_valid() && std::str::from_utf8(&bytes).is_ok()
        );
        prop_assert!(report.is_valid() || !report.problems.is_empty());
        let lines = line_count(&String::from_utf8_lossy(&bytes)) + 1;
        for problem in &report.problems {
            prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{}", problem);
            prop_assert!(problem.row.is_none_or(|row| (1..=report.rows).contains(&row)));
        }
        let locations: Vec<_> = report.problems.iter().filter_map(|problem| problem.line).collect();
        prop_assert!(locations.is_sorted());
        let text = String::from_utf8_lossy(&bytes);
        check_pair(&text, &text, &mut Report::new("noise"));
    }

    #[test]
    fn a_well_made_dataset_is_valid(sheet in sheet()) {
        let (text, _) = sheet.save();
        let (report, kept) = check(sheet.table, "sheet", text.as_bytes());
        prop_assert_eq!(shown(&report), "");
        prop_assert_eq!(report.rows as usize, sheet.rows.len());
        prop_assert_eq!(kept.as_deref(), Some(&*text));
    }

    #[test]
    fn every_fault_is_found_where_it_is_and_nothing_else(
        mut sheet in sheet(),
        faults in vec((any::<Index>(), any::<Index>(), any::<usize>()), 0..12),
        short in proptest::option::of((any::<Index>(), 1..5_usize)),
    ) {
        let columns = sheet.table.columns();
        let mut expected = BTreeMap::new();
        let short = short.map(|(row, width)| (row.index(sheet.rows.len()), width));
        for (row, position, pick) in faults {
            let (row, position) = (row.index(sheet.rows.len()), position.index(columns.len()));
            if short.is_some_and(|(short, _)| short == row) {
                continue;
            }
            let (value, kind) = faulty(&columns[position], pick);
            value.clone_into(&mut sheet.rows[row][position]);
            expected.insert((row, position), kind);
        }
        if let Some((row, width)) = short {
            sheet.rows[row].truncate(width);
            expected.insert((row, width), Kind::TooFewColumns);
        }
        let (text, lines) = sheet.save();
        // A row of one cell makes the first line look like anything.
        prop_assume!(short.is_none_or(|(row, width)| row > 0 || width > 1 || sheet.header.is_some()));
        // So does one in which almost nothing is right.
        let in_first = expected.keys().filter(|(row, _)| *row == 0).count();
        prop_assume!(sheet.header.is_some() || in_first < 3);
        let report = check(sheet.table, "sheet", text.as_bytes()).0;
        let found: Vec<_> = report
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|p| (p.line.unwrap(), p.row.unwrap(), p.column.clone().unwrap(), p.kind))
            .collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|((row, position), kind)| {
                (lines[row], row as u64 + 1, columns[position].name.to_owned(), kind)
            })
            .collect();
        prop_assert_eq!(found, expected);
    }
}
