//! The text of every kind of problem, as people read it.

use super::*;
use crate::domain::dataset::{Problem, check_pair};

/// The first problem of `kind` in a text made to have it.
fn example(kind: Kind) -> Problem {
    let text = match kind {
        Kind::EmptyDataset => HEADER.into(),
        Kind::NotCsv => "PK\x03\x04\x14".into(),
        Kind::Utf16 => return first(kind, b"\xff\xfeR\0e\0"),
        Kind::Utf32 => return first(kind, b"\xff\xfe\0\0R\0\0\0"),
        Kind::Windows1252 => return first(kind, b"Caf\xe9 \x80,31/12/2025,08:00,31/12/2025,09:00"),
        Kind::NotUtf8 => return first(kind, b"\xc3\xa9\xff,31/12/2025,08:00,31/12/2025,09:00"),
        Kind::NulByte => row("R\0,31/12/2025,08:00,31/12/2025,09:00"),
        Kind::WrongDelimiter => ROW.replace(',', ";"),
        Kind::SepLine => ["sep=,\n", HEADER, ROW].concat(),
        Kind::LinesAboveHeader => ["Roster March 2025,,,,\n", HEADER, ROW].concat(),
        Kind::QuotedLine => format!("\"{}\"\n", ROW.trim_end()),
        Kind::CarriageReturn => ROW.replace('\n', "\r"),
        Kind::UnclosedQuote => row("\"R2,31/12/2025,08:00,31/12/2025,09:00\nR3"),
        Kind::TextAfterQuote => row("\"R\"2,31/12/2025,08:00,31/12/2025,09:00"),
        Kind::OtherTable => Table::Events.header(),
        Kind::MissingColumn => HEADER.replace(",EndTime", ""),
        Kind::UnknownColumn => HEADER.replace("EndDate", "End Date"),
        Kind::ColumnOrder => HEADER.replace("Reference,StartDate", "StartDate,Reference"),
        Kind::RepeatedHeader => row(HEADER),
        Kind::TooFewColumns => row("R2,31/12/2025,08:00"),
        Kind::BlankRow => row(",,,,"),
        Kind::EmptyCell => row("R2,31/12/2025,,31/12/2025,09:00"),
        Kind::NotADate => row("R2,31/02/2025,08:00,31/12/2025,09:00"),
        Kind::NotATime => row("R2,31/12/2025,8am,31/12/2025,09:00"),
        Kind::NotATimeReference => {
            let text = b"R1,31/12/2025,08:00,31/12/2025,09:00,Break,3";
            return find(kind, check(Table::Events, "", text).0.problems);
        }
        Kind::BlanksAround => row("R2,31/12/2025 ,08:00,31/12/2025,09:00"),
        Kind::InvisibleCharacter => row("R2\u{a0},31/12/2025,08:00,31/12/2025,09:00"),
        Kind::ChangedText => row("1.23457E+11,31/12/2025,08:00,31/12/2025,09:00"),
        Kind::EndBeforeStart => row("R2,31/12/2025,08:00,30/12/2025,09:00"),
        Kind::DoubledRow => row(ROW),
        Kind::ExtraColumns => row("R2,31/12/2025,08:00,31/12/2025,09:00,x,y"),
        Kind::UnknownReference => {
            let mut report = Report::new("");
            check_pair(HEADER, "R9", &mut report);
            return find(kind, report.problems);
        }
    };
    first(kind, text.as_bytes())
}

fn row(row: &str) -> String {
    [HEADER, ROW, row].concat()
}

fn first(kind: Kind, bytes: &[u8]) -> Problem {
    find(kind, report(bytes).problems)
}

fn find(kind: Kind, problems: Vec<Problem>) -> Problem {
    problems.into_iter().find(|problem| problem.kind == kind).expect("the text has the problem")
}

#[test]
fn every_kind_of_problem_has_a_message() {
    let messages = Kind::ALL.map(|kind| {
        let code = serde_json::to_value(kind).unwrap();
        format!("{}: {}\n", code.as_str().unwrap(), example(kind))
    });
    insta::assert_snapshot!(messages.concat(), @r"
    empty_dataset: there is only a header: expected at least one row
    not_csv: the file is a workbook or a zip archive: expected CSV text; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    utf16: the text is UTF-16, as a spreadsheet saves `Unicode Text`: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    utf32: the text is UTF-32: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    windows1252: line 1, row 1, column `Reference`: byte 0xE9 at offset 3 on line 1 is not UTF-8, and 1 more like it; as Windows-1252, it is `é`: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    not_utf8: line 1, row 1, column `Reference`: byte 0xFF at offset 2 on line 1 is not UTF-8: expected UTF-8; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    nul_byte: line 3, row 2, column `Reference`: byte 0x00 at offset 84 on line 3 is NUL: expected text without NUL bytes
    wrong_delimiter: line 1: the columns are separated by semicolons (`;`): expected commas; in a spreadsheet, save it as `CSV UTF-8 (comma delimited)`
    sep_line: line 1: `sep=,` is an instruction to a spreadsheet: expected no `sep=` line; it is left out of the upload
    lines_above_header: line 1: `Roster March 2025,,,,` stands above the header: expected the header or a row as the first line
    quoted_line: line 1: the line is quoted as a whole, so that its 5 columns are one: expected quotes around single cells only, or none
    carriage_return: line 1: the line ends in a carriage return (CR) alone, as on an old Mac: expected CRLF or LF; CRLF is uploaded
    unclosed_quote: line 3, row 2, column `Reference`: the quote that opens on line 3 is never closed: expected a closing quote; a quote inside a quoted cell is written twice
    text_after_quote: line 3, row 2, column `Reference`: the quote that opens on line 3 closes on line 3 before `2,31/12/2025,08:00,31/12/2025,09:00`: expected a comma behind a closing quote; a quote inside a quoted cell is written twice
    other_table: line 1: the header is that of events, not of data: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    missing_column: line 1, column `EndTime`: the column is missing from the header: expected `Reference,StartDate,StartTime,EndDate,EndTime`
    unknown_column: line 1, column `EndDate`: column 4 of the header is `End Date`: expected `EndDate`
    column_order: line 1: the header `StartDate,Reference,StartTime,EndDate,EndTime` has its columns in another order: expected it to begin with `Reference,StartDate,StartTime,EndDate,EndTime`
    repeated_header: line 3: the header stands among the rows: expected it as the first line only
    too_few_columns: line 3, row 2, column `EndDate`: the row has only 3 columns, without `EndDate`, `EndTime`: expected 5 columns
    blank_row: line 3: all cells of the row are empty: expected no such rows; they are left out of the upload
    empty_cell: line 3, row 2, column `StartTime`: the cell is empty: expected hh:mm from 00:00 to 23:59
    not_a_date: line 3, row 2, column `StartDate`: `31/02/2025` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    not_a_time: line 3, row 2, column `StartTime`: `8am` has AM or PM: expected hh:mm, here `08:00`
    not_a_time_reference: line 1, row 1, column `TimeReference`: `3` is not a time reference: expected 0, 1 or 2
    blanks_around: line 3, row 2, column `StartDate`: `31/12/2025 ` has blanks around it: expected `31/12/2025`, which is uploaded
    invisible_character: line 3, row 2, column `Reference`: `R2\u{a0}` holds a no-break space (U+00A0): expected the text without it; it is uploaded as it is
    changed_text: line 3, row 2, column `Reference`: `1.23457E+11` is a long number that a spreadsheet shortened: expected the text itself; it is uploaded as it is
    end_before_start: line 3, row 2, column `EndDate`: the end `30/12/2025 09:00` is before the start `31/12/2025 08:00`: expected an end not before the start
    doubled_row: line 3, row 2: the row is the same as row 1: expected every row once
    extra_columns: line 3, row 2: there are 7 columns: expected 5; those behind are taken as optional columns
    unknown_reference: line 1, row 1, column `Reference`: no data row has the reference `R9`: expected the reference of a data row
    ");
}
