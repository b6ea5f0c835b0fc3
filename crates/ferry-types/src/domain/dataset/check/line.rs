//! Checks one row: its bytes, quotes, width and cells.

use super::{Check, DatasetLine};
use crate::domain::dataset::report::{Kind, Location, Problem, excerpt};
use crate::domain::dataset::{cells, forms, quotes};

impl Check<'_> {
    pub(super) fn check_row(&mut self, line: &DatasetLine<'_>) {
        let blamed = self.check_bytes(line);
        if self.check_quotes(line) {
            return;
        }
        if line.record.len() < self.layout.width {
            self.too_few_columns(line);
            return;
        }
        self.check_width(line);
        self.check_cells(line, blamed);
        self.check_doubled(line);
    }

    /// Reports bad bytes of this record, and returns the last cell that has one.
    pub(super) fn check_bytes(&mut self, line: &DatasetLine<'_>) -> Option<usize> {
        let mut blamed = None;
        while let Some(bad) = self.bad_bytes.as_slice().first().copied() {
            if bad.offset >= line.span.end {
                break;
            }
            self.bad_bytes.next();
            blamed = line.record.iter().position(|cell| bad.is_in(cell));
            let location = match blamed {
                Some(cell) => self.cell_spot(line, cell),
                None => self.location(line),
            };
            let at = self.lines.at(bad.offset);
            self.listing.add(bad.problem(location, self.bom + bad.offset, at));
        }
        blamed
    }

    /// Reports quotes that do not pair: the cells of such a record mean nothing.
    pub(super) fn check_quotes(&mut self, line: &DatasetLine<'_>) -> bool {
        if !self.has_quotes {
            return false;
        }
        let raw = &self.text[line.span.clone()];
        let Some(error) = quotes::error(raw, self.opening.delimiter) else {
            return false;
        };
        let kind = error.kind();
        self.add(kind, |check| {
            let location = check.cell_spot(line, error.cell);
            let opens = check.lines.at(line.span.start + error.opens);
            let closes = check.lines.at(line.span.start + error.closes);
            error.problem(location, (opens, closes), &raw[error.closes..])
        });
        true
    }

    fn too_few_columns(&mut self, line: &DatasetLine<'_>) {
        if self.opening.is_unseparated {
            // One error says so for all rows.
            return;
        }
        self.add(Kind::TooFewColumns, |check| {
            let cells = line.record.len();
            let is_missing = |cell: &Option<usize>| cell.is_some_and(|cell| cell >= cells);
            let columns_with_cells = check.layout.columns.iter().zip(&check.layout.cells);
            let missing: Vec<_> = columns_with_cells
                .filter(|(_, cell)| is_missing(cell))
                .map(|(column, _)| column.name)
                .collect();
            let location = Location {
                value: line.record.get(0).map(excerpt),
                column: missing.first().map(|name| (*name).to_owned()),
                ..check.location(line)
            };
            let missing = missing.join("`, `");
            let message = format!("the row has only {}, without `{missing}`", columns(cells));
            Problem::new(Kind::TooFewColumns, location, message, columns(check.layout.width))
        });
    }

    /// More columns are allowed, so that one warning stands for the whole file.
    pub(super) fn check_width(&mut self, line: &DatasetLine<'_>) {
        let width = self.layout.width;
        if self.has_extra || line.record.len() <= width {
            return;
        }
        self.has_extra = true;
        let location = self.location(line);
        let are_empty = line.record.iter().skip(width).all(crate::domain::dataset::blank::is_empty);
        let what = if are_empty { ", and those at the end are empty" } else { "" };
        let message = format!("there are {}{what}", columns(line.record.len()));
        let expected = format!("{width}; those behind are taken as optional columns");
        self.listing.add(Problem::new(Kind::ExtraColumns, location, message, expected));
    }

    fn check_cells(&mut self, line: &DatasetLine<'_>, blamed: Option<usize>) {
        let read = cells::read(&self.layout, line.record, blamed);
        self.is_ambiguous |= read.is_ambiguous;
        for error in read.faults {
            self.cell_fault(line, &error);
        }
        for (cell, kind, name) in read.remarks {
            self.add_form(kind, (name, true), |check| {
                let location = check.cell_spot(line, cell);
                cells::remark_problem(kind, name, &line.record[cell], location)
            });
        }
        if let Some((cell, message)) = read.end_before_start {
            self.add(Kind::EndBeforeStart, |check| {
                let location = check.cell_spot(line, cell);
                Problem::new(Kind::EndBeforeStart, location, message, "an end not before the start")
            });
        }
    }

    fn cell_fault(&mut self, line: &DatasetLine<'_>, error: &cells::CellError) {
        let (holds, cell) = (error.column.holds, &line.record[error.cell]);
        if let Some(form) = self.known_forms.of(holds, cell) {
            self.add_form(error.kind, form, |check| {
                let location = check.cell_spot(line, error.cell);
                match forms::recognize(holds, cell) {
                    Some(form) => error.in_form(&form, location),
                    None => error.problem(location),
                }
            });
        } else {
            self.unknown += 1;
            self.add(error.kind, |check| error.problem(check.cell_spot(line, error.cell)));
        }
    }

    fn check_doubled(&mut self, line: &DatasetLine<'_>) {
        let row = line.row.unwrap_or_default();
        if let Some(first) = self.seen.same_as(line.record, row) {
            self.add(Kind::DoubledRow, |check| {
                let message = format!("the row is the same as row {first}");
                Problem::new(Kind::DoubledRow, check.location(line), message, "every row once")
            });
        }
    }
}

pub(super) fn columns(count: usize) -> String {
    format!("{count} column{}", if count == 1 { "" } else { "s" })
}
