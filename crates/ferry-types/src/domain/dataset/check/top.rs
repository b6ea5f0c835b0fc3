//! Reports the lines that are no rows: those above the table, its header, and lines of other kinds.

use std::ops::Range;

use csv::ByteRecord;

use super::{Check, DatasetLine};
use crate::domain::dataset::blank;
use crate::domain::dataset::header;
use crate::domain::dataset::records::{Records, is_blank};
use crate::domain::dataset::report::{Kind, Location, Problem, excerpt};

const COMMAS: &str = "commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`";

impl Check<'_> {
    /// Reports the separator, a `sep=` line, titles and blank rows above the table.
    pub(super) fn check_top(&mut self) {
        let above = &self.text[..self.opening.start];
        let (mut records, mut record) = (Records::new(above, 0, b','), ByteRecord::new());
        loop {
            if let Some(span) = records.pass_blank() {
                self.check_line_end(&span);
                self.blank_row(&span);
                continue;
            }
            let Some(span) = records.read(&mut record) else { break };
            self.check_line_end(&span);
            if record.len() > 1 && is_blank(&record) {
                self.blank_row(&span);
            } else {
                self.check_bytes(&DatasetLine { row: None, span, record: &record });
            }
        }
        self.check_separator();
        if let Some((count, first)) = self.opening.titles.clone() {
            let title = excerpt(self.text[first.clone()].trim_ascii_end());
            let lines = if count == 1 { "stands" } else { "and more lines stand" };
            let message = format!("`{title}` {lines} above the header");
            let location = Location { value: Some(title), ..self.position(first.start) };
            let expected = "the header or a row as the first line";
            let problem = Problem::new(Kind::LinesAboveHeader, location, message, expected);
            self.listing.add(problem.fixable(self.opening.are_titles_short));
        }
        // In the order of the lines, although rows above the table were read first.
        self.listing.sort_by_line();
    }

    fn check_separator(&mut self) {
        let sep = self.opening.sep.clone();
        let line = sep.as_ref().map(|line| excerpt(&self.text[line.clone()]));
        let at = sep.map_or(self.opening.start, |line| line.start);
        let position = self.position(at);
        if self.opening.is_unseparated {
            let message = "nothing separates the columns";
            self.listing.add(Problem::new(Kind::WrongDelimiter, position.clone(), message, COMMAS));
        }
        if self.opening.delimiter != b',' {
            let what = name(self.opening.delimiter);
            let (message, expected) = match line {
                Some(line) => (
                    format!("the columns are separated by {what}, and `{line}` says so"),
                    format!("no `sep=` line, and {COMMAS}"),
                ),
                None => (format!("the columns are separated by {what}"), COMMAS.to_owned()),
            };
            let problem = Problem::new(Kind::WrongDelimiter, position, message, expected);
            self.listing.add(problem.fixable(true));
        } else if let Some(line) = line {
            let message = format!("`{line}` is an instruction to a spreadsheet");
            let expected = "no `sep=` line; it is left out of the upload";
            let problem = Problem::new(Kind::SepLine, position, message, expected);
            self.listing.add(problem.fixable(true));
        }
    }

    pub(super) fn check_header(&mut self, line: &DatasetLine<'_>) {
        self.check_bytes(line);
        if self.check_quotes(line) {
            return;
        }
        let (layout, faults) = header::read(self.table, line.record);
        for error in faults {
            let location = Location {
                column: error.column.map(str::to_owned),
                value: error.value,
                ..self.location(line)
            };
            self.listing.add(Problem::new(error.kind, location, error.message, error.expected));
        }
        self.layout = layout;
        self.check_blanks_around_names(line);
        self.check_width(line);
    }

    /// Warns of blanks around names of columns that are no plain ones, once for each character.
    fn check_blanks_around_names(&mut self, line: &DatasetLine<'_>) {
        let known = line.record.iter().filter(|cell| header::is_known(cell));
        let mut blanks: Vec<(char, Vec<&[u8]>)> = Vec::new();
        for (char, cell) in known.filter_map(|cell| Some((blank::around(cell)?, cell))) {
            match blanks.iter_mut().find(|(other, _)| *other == char) {
                Some((_, cells)) => cells.push(cell),
                None => blanks.push((char, vec![cell])),
            }
        }
        for (char, cells) in blanks {
            let names: Vec<_> = cells.iter().map(|cell| excerpt(blank::trim(cell))).collect();
            let location = Location {
                column: names.first().cloned(),
                value: cells.first().map(|cell| excerpt(cell)),
                ..self.location(line)
            };
            let (names, char) = (names.join("`, `"), blank::name(char));
            let message = match cells.len() {
                1 => format!("the name of the column has {char} around it"),
                _ => format!("the names `{names}` have {char} around them"),
            };
            let expected = format!("`{names}`, which is uploaded");
            let problem = Problem::new(Kind::InvisibleCharacter, location, message, expected);
            self.listing.add(problem.fixable(true));
        }
    }

    pub(super) fn repeated_header(&mut self, span: &Range<usize>) {
        self.add_form(Kind::RepeatedHeader, ("", true), |check| {
            let location = check.position(span.start);
            let message = "the header stands among the rows";
            Problem::new(Kind::RepeatedHeader, location, message, "it as the first line only")
                .fixable(true)
        });
    }

    pub(super) fn quoted_line(&mut self, span: &Range<usize>, record: &ByteRecord) {
        self.add_form(Kind::QuotedLine, ("", true), |check| {
            let location = check.position(span.start);
            let message = format!(
                "the line is quoted as a whole, so that its {} are one",
                super::line::columns(record.len())
            );
            let expected = "quotes around single cells only, or none";
            Problem::new(Kind::QuotedLine, location, message, expected).fixable(true)
        });
    }

    pub(super) fn blank_row(&mut self, span: &Range<usize>) {
        self.add_form(Kind::BlankRow, ("", true), |check| {
            let message = "all cells of the row are empty";
            let expected = "no such rows; they are left out of the upload";
            Problem::new(Kind::BlankRow, check.position(span.start), message, expected)
                .fixable(true)
        });
    }

    pub(super) fn end_mark(&mut self) {
        let message = "the file ends in Ctrl-Z (U+001A), which old programs put there";
        let expected = "nothing behind the last row; it is left out of the upload";
        let location = self.position(self.text.len());
        let problem = Problem::new(Kind::InvisibleCharacter, location, message, expected);
        self.listing.add(problem.fixable(true));
    }

    /// Warns of line ends that many programs do not take for one.
    pub(super) fn check_line_end(&mut self, span: &Range<usize>) {
        if !self.text[span.end..].starts_with(b"\r") || self.text[span.end..].starts_with(b"\r\n") {
            return;
        }
        self.add_form(Kind::CarriageReturn, ("", true), |check| {
            let message = "the line ends in a carriage return (CR) alone, as on an old Mac";
            let expected = "CRLF or LF; CRLF is uploaded";
            Problem::new(Kind::CarriageReturn, check.position(span.start), message, expected)
                .fixable(true)
        });
    }
}

fn name(delimiter: u8) -> String {
    match delimiter {
        b';' => "semicolons (`;`)".to_owned(),
        b'\t' => "tabs (`\\t`)".to_owned(),
        b'|' => "pipes (`|`)".to_owned(),
        b' ' => "blanks".to_owned(),
        other => format!("`{}`", excerpt(&[other])),
    }
}
