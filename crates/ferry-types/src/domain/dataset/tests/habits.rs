//! The habits of spreadsheets: each is one line that names it, and says what to write instead.

use super::*;
use crate::domain::dataset::{MAX_PROBLEMS, canonical};

/// Rows of which every cell has the habit, with the one line that is expected.
#[track_caller]
fn one_line(text: impl AsRef<[u8]>, words: &[&str]) -> Report {
    let report = report(text);
    let lines = shown(&report);
    assert_eq!(report.problems.len(), 1, "{lines}");
    for word in words {
        assert!(lines.contains(word), "`{word}` is not in: {lines}");
    }
    report
}

fn with_dates(date: &str) -> String {
    format!("{HEADER}R1,{date},08:00,{date},09:00\nR2,{date},08:00,{date},09:00\n")
}

fn with_times(time: &str) -> String {
    format!(
        "{HEADER}R1,31/12/2025,{time},31/12/2025,{time}\nR2,31/12/2025,{time},31/12/2025,{time}\n"
    )
}

#[test]
fn dates_in_other_forms_are_named_once() {
    for (date, words) in [
        ("3/3/2025", ["no leading zeros", "here `03/03/2025`"]),
        ("14/3/2025", ["no leading zeros", "here `14/03/2025`"]),
        ("4/3/2025", ["day or the month first", "`04/03/2025` or `03/04/2025`"]),
        ("3/3/25", ["year of two digits", "here `03/03/2025`"]),
        ("03/04/25", ["year of two digits", "such as 31/12/2025"]),
        ("03.03.2025", ["dots", "here `03/03/2025`"]),
        ("4.3.2025", ["dots", "here `04/03/2025`"]),
        ("2025. 3. 4.", ["year first", "here `04/03/2025`"]),
        ("03-03-2025", ["other marks than slashes", "here `03/03/2025`"]),
        ("03-04-2025", ["day or the month first", "`03/04/2025` or `04/03/2025`"]),
        ("2025-03-04", ["year first", "here `04/03/2025`"]),
        ("2025/3/4", ["year first", "here `04/03/2025`"]),
        ("03/14/2025", ["month first, as in the US", "here `14/03/2025`"]),
        ("3/14/2025", ["month first, as in the US", "here `14/03/2025`"]),
        ("45719", ["serial number", "here `03/03/2025`"]),
        ("45719.375", ["serial number", "here `03/03/2025`"]),
        ("20250304", ["no slashes", "here `04/03/2025`"]),
        ("4-Mar-2025", ["month as a word", "here `04/03/2025`"]),
        ("\"March 4, 2025\"", ["month as a word", "here `04/03/2025`"]),
        ("Tue 4 March 2025", ["month as a word", "here `04/03/2025`"]),
        ("4-Mar-25", ["month as a word", "such as 31/12/2025"]),
        ("4. März 2025", ["month as a word", "such as 31/12/2025"]),
        ("04/03/2025 00:00", ["time behind the date", "here `04/03/2025`"]),
        ("2025-03-04T00:00:00.000", ["time behind the date", "here `04/03/2025`"]),
        ("2025-03-04 07:30:00", ["time behind the date", "here `04/03/2025`"]),
        ("########", ["too narrow", "such as 31/12/2025"]),
        ("#VALUE!", ["error value", "such as 31/12/2025"]),
        ("\u{201c}04/03/2025\u{201d}", ["quotes as text", "here `04/03/2025`"]),
        ("04/03/\u{200b}2025", [r"\u{200b}", "here `04/03/2025`"]),
        ("03/04/0025", ["year of two digits", "here `03/04/2025`"]),
        ("0025-03-04", ["year of two digits", "here `04/03/2025`"]),
        ("2025\u{2011}03\u{2011}04", ["year first", "here `04/03/2025`"]),
        ("03\u{2010}03\u{2010}2025", ["other marks than slashes", "here `03/03/2025`"]),
        ("04\u{2044}03\u{2044}2025", ["look like the plain ones", "here `04/03/2025`"]),
        ("04\u{2215}03\u{2215}2025", ["look like the plain ones", "here `04/03/2025`"]),
        ("０４/０３/２０２５", ["look like the plain ones", "here `04/03/2025`"]),
        ("٠٤/٠٣/٢٠٢٥", ["look like the plain ones", "here `04/03/2025`"]),
        ("=\"04/03/2025\"", ["formula", "here `04/03/2025`"]),
        ("=\"2025-03-04\"", ["year first", "here `04/03/2025`"]),
        ("=TODAY()", ["formula", "such as 31/12/2025"]),
        ("'04/03/2025", ["quotes as text", "here `04/03/2025`"]),
        ("2025-03-04T16:30:00Z", ["time behind the date", "here `04/03/2025`"]),
        ("2025-03-04T16:30:00.000+01:00", ["time behind the date", "here `04/03/2025`"]),
        ("Tue 04/03/2025", ["day of the week", "here `04/03/2025`"]),
        ("\"Di., 04.03.2025\"", ["day of the week", "here `04/03/2025`"]),
        ("Mon 03/14/2025", ["month first, as in the US", "here `14/03/2025`"]),
        ("04/ 03/2025", ["blanks between", "here `04/03/2025`"]),
        ("2025 - 03 - 04", ["year first", "here `04/03/2025`"]),
        ("03\\03\\2025", ["other marks than slashes", "here `03/03/2025`"]),
        ("O4/O3/2O25", ["letters in the place of digits", "here `04/03/2025`"]),
        ("N/A", ["missing value", "such as 31/12/2025"]),
        ("--", ["missing value", "such as 31/12/2025"]),
        ("dd/mm/yyyy", ["form of the column", "such as 31/12/2025"]),
    ] {
        let report = one_line(with_dates(date), &words);
        assert_eq!((report.error_count, report.problems[0].count), (4, 4), "{date}");
        assert_eq!(kinds(&report), [Kind::NotADate]);
    }
}

#[test]
fn times_in_other_forms_are_named_once() {
    for (time, words) in [
        ("9:00", ["no leading zero", "here `09:00`"]),
        ("9:00 AM", ["AM or PM", "here `09:00`"]),
        ("9:00\u{202f}AM", [r"\u{202f}AM", "here `09:00`"]),
        ("12:15 a.m.", ["AM or PM", "here `00:15`"]),
        ("12:15:00 p. m.", ["AM or PM", "here `12:15`"]),
        ("11PM", ["AM or PM", "here `23:00`"]),
        ("15:00 PM", ["AM or PM", "such as 09:00"]),
        ("24:00", ["end of a day", "`00:00` of the next day"]),
        ("24:00:00", ["end of a day", "`00:00` of the next day"]),
        ("09:00:00", ["seconds", "here `09:00`"]),
        ("9:00:30", ["seconds", "here `09:00`"]),
        ("0.375", ["serial number", "here `09:00`"]),
        ("\"0,375\"", ["serial number", "here `09:00`"]),
        ("45719.375", ["serial number", "here `09:00`"]),
        ("\"09,30\"", ["comma instead of a colon", "here `09:30`"]),
        ("09.30", ["dot instead of a colon", "here `09:30`"]),
        ("9h30", ["`h` between", "here `09:30`"]),
        ("9 Uhr", ["a unit", "here `09:00`"]),
        ("0930", ["no colon", "here `09:30`"]),
        ("1899-12-30 09:00:00", ["a date before the time", "here `09:00`"]),
        ("####", ["too narrow", "such as 09:00"]),
        ("09：00", ["look like the plain ones", "here `09:00`"]),
        ("٩:٠٠", ["no leading zero", "here `09:00`"]),
        ("=\"09:00\"", ["formula", "here `09:00`"]),
        ("'09:00", ["quotes as text", "here `09:00`"]),
        ("09:00Z", ["time zone", "here `09:00`"]),
        ("9:00:00 -05:00", ["time zone", "here `09:00`"]),
        ("09:00+01", ["time zone", "here `09:00`"]),
        ("9:00 am EST", ["time zone", "here `09:00`"]),
        ("09:00 UTC", ["time zone", "here `09:00`"]),
        ("T09:00:00Z", ["time zone", "here `09:00`"]),
        ("T9:00", ["`T` before it", "here `09:00`"]),
        ("9:0", ["minute of one digit", "here `09:00`"]),
        ("09:3", ["minute of one digit", "here `09:03` or `09:30`"]),
        ("09:7", ["minute of one digit", "here `09:07`"]),
        ("09 : 00", ["blanks between", "here `09:00`"]),
        ("9 :00", ["no leading zero", "here `09:00`"]),
        ("O9:OO", ["letters in the place of digits", "here `09:00`"]),
        ("9.5", ["a number of hours", "`09:30` or `09:05`"]),
        ("noon", ["in words", "here `12:00`"]),
        ("Midnight", ["in words", "`00:00` of the next day"]),
        ("?", ["missing value", "such as 09:00"]),
        ("hh:mm", ["form of the column", "such as 09:00"]),
    ] {
        let report = one_line(with_times(time), &words);
        assert_eq!((report.error_count, report.problems[0].count), (4, 4), "{time}");
        assert_eq!(kinds(&report), [Kind::NotATime]);
    }
}

#[test]
fn blanks_around_names_of_columns_are_named_with_the_column_and_the_character() {
    for (blank, name) in [
        ("\u{b}", "a vertical tab (U+000B)"),
        ("\u{c}", "a form feed (U+000C)"),
        ("\u{a0}", "a no-break space (U+00A0)"),
        ("\u{200b}", "a zero-width space (U+200B)"),
        (" \u{200b} ", "a zero-width space (U+200B)"),
        ("\u{feff}", "a byte order mark (U+FEFF)"),
    ] {
        let wrongs = ["StartTime", "EndTime"].map(|name| [blank, name, blank].concat());
        for wrong in [&wrongs[0], &wrongs[0].trim_end().to_owned()] {
            let text = [&HEADER.replace("StartTime", wrong), ROW].concat();
            let words = ["line 1, column `StartTime`", name, "`StartTime`, which is uploaded"];
            let report = one_line(text, &words);
            assert_eq!(
                (kinds(&report), report.is_valid()),
                (vec![Kind::InvisibleCharacter], true),
                "{blank:?}"
            );
            assert!(report.problems[0].fixable);
        }
        let text = HEADER.replace("StartTime", &wrongs[0]).replace("EndTime", &wrongs[1]);
        one_line([&text, ROW].concat(), &["names `StartTime`, `EndTime` have", name]);
    }
    let both = HEADER.replace("StartTime", "\u{b}StartTime").replace("EndTime", "\u{a0}EndTime");
    assert_eq!(kinds(&report([&both, ROW].concat())), [Kind::InvisibleCharacter; 2]);
    assert!(
        report([&HEADER.replace("StartTime", " StartTime\t"), ROW].concat()).problems.is_empty()
    );
}

#[test]
fn an_end_mark_of_old_programs_is_left_out_with_a_warning() {
    for end in ["\u{1a}", "\u{1a}\r\n", "\u{1a}\u{1a} \u{1a}\n"] {
        for text in [[HEADER, ROW, end].concat(), [HEADER, ROW.trim_end(), end].concat()] {
            let report = one_line(&text, &["ends in Ctrl-Z (U+001A)", "left out of the upload"]);
            assert!(report.is_valid() && report.rows == 1, "{text:?}");
            let whole = [HEADER, ROW].concat().replace('\n', "\r\n");
            assert_eq!(canonical(Table::Data, &text), whole);
        }
    }
    assert!(!report([HEADER, "R\u{1a},x\n"].concat()).is_valid());
    // It is no end mark before a row of commas, whether that is left out or not.
    let once = canonical(Table::Data, &[HEADER, "R,x\u{1a}\n,,\n,,\n"].concat());
    assert_eq!(canonical(Table::Data, &once), once);
}

#[test]
fn rows_without_a_header_are_no_header_whatever_their_digits() {
    for row in
        ["R1,٠٤/٠٣/٢٠٢٥,٠٩:٠٠,٠٤/٠٣/٢٠٢٥,١٠:٠٠", "R1,=\"04/03/2025\",'09:00,'04/03/2025,'10:00"]
    {
        let found = report(row);
        assert!(kinds(&found).iter().all(|kind| matches!(kind, Kind::NotADate | Kind::NotATime)));
        assert!(found.is_fixable() && found.rows == 1, "{}", shown(&found));
    }
}

#[test]
fn separators_are_named_once() {
    let text = [HEADER, ROW, ROW.replace("R1", "R2").as_str()].concat();
    for (delimiter, words) in [
        (";", "semicolons (`;`)"),
        ("\t", "tabs (`\\t`)"),
        ("|", "pipes (`|`)"),
        ("^", "`^`"),
        ("~", "`~`"),
        ("\u{1f}", r"`\u{1f}`"),
        (" ", "blanks"),
    ] {
        let text = text.replace(',', delimiter);
        for text in
            [text.clone(), text.replace('\n', "\r\n"), text.split_once('\n').unwrap().1.into()]
        {
            let report = one_line(text, &[words, "expected commas"]);
            assert_eq!((kinds(&report), report.rows), (vec![Kind::WrongDelimiter], 2));
        }
        let sep = format!("\u{feff}SEP={delimiter}\r\n{text}", text = text.replace(',', delimiter));
        one_line(sep, &["line 1:", words, "no `sep=` line, and commas"]);
    }
    one_line("one\ntwo\nthree\n", &["nothing separates the columns"]);
}

#[test]
fn a_sep_line_for_commas_is_left_out_with_a_warning() {
    for sep in ["sep=,\n", "\u{feff}sep=,\r\n", "\"sep=,\"\r\n", "sep=,,,,,\r\n", "\n sep=,\n"] {
        let report =
            one_line([sep, HEADER, ROW].concat(), &["sep=,", "instruction to a spreadsheet"]);
        assert!(report.is_valid() && report.rows == 1, "{sep}");
    }
    let old_mac = ["sep=,\r", HEADER, ROW].concat().replace('\n', "\r");
    assert_eq!(kinds(&report(old_mac)), [Kind::CarriageReturn, Kind::SepLine]);
}

#[test]
fn lines_above_the_header_are_named_once() {
    let dates = ROW.replace("31/12/2025", "2025-12-31");
    for (above, words) in [
        ("Roster March 2025\n", "`Roster March 2025` stands"),
        ("Roster March 2025,,,,\n", "`Roster March 2025,,,,` stands"),
        ("Roster,March\n,,,,\n\nprinted on 1 March,,,,\n", "`Roster,March` and more lines stand"),
    ] {
        for table in [[HEADER, ROW].concat(), ROW.to_owned(), [HEADER, &dates].concat()] {
            let report = report([above, &table].concat());
            let titles: Vec<_> =
                report.problems.iter().filter(|p| p.kind == Kind::LinesAboveHeader).collect();
            assert!(titles.len() == 1 && titles[0].message.contains(words), "{}", shown(&report));
            assert!(titles[0].expected.contains("header") && titles[0].fixable && report.rows == 1);
        }
    }
    for count in [19, 20, 300] {
        let above: Vec<String> = (0..count).map(|n| format!("note {n},,,,\n")).collect();
        let report = report(above.concat() + ROW);
        assert_eq!(kinds(&report), [Kind::LinesAboveHeader], "{count}: {}", shown(&report));
    }
    // A row is not a title, whatever is wrong with it.
    assert_eq!(kinds(&report(["R0,31/12/2025\n", ROW].concat())), [Kind::TooFewColumns]);
}

#[test]
fn a_header_in_other_names_is_one_error() {
    one_line(
        ["Referenz,Startdatum,Startzeit,Enddatum,Endzeit\n", ROW].concat(),
        &[
            "has other column names",
            "expected `Reference,StartDate,StartTime,EndDate,EndTime`, or no header",
        ],
    );
    one_line(
        "Reference\nR1\nR2\n",
        &["`StartDate`, `StartTime`, `EndDate`, `EndTime` are missing"],
    );
    let sorted = [ROW, HEADER, &ROW.replace("R1", "S1")].concat();
    assert_eq!(one_line(sorted, &["line 2: the header stands among the rows"]).rows, 2);
}

#[test]
fn lines_that_are_quoted_as_a_whole_are_named_once() {
    let quoted = |text: &str| {
        let lines = text.trim_end().replace('\n', "\"\r\n\"");
        format!("\"{lines}\"\r\n")
    };
    let text = [HEADER, ROW, &ROW.replace("R1", "\"\"R,2\"\"")].concat();
    let report = one_line(quoted(&text), &["line 1: the line is quoted as a whole", "(3 in all)"]);
    assert_eq!((report.rows, report.error_count), (2, 3));
    one_line(quoted(&text).replace("\"\r\n", "\",,,,\r\n"), &["quoted as a whole"]);
    // A long reference with commas is a reference.
    assert_eq!(kinds(&super::report("\"R,a,b,c,d,e\",31/12/2025,08:00,31/12/2025,09:00\n")), []);
}

#[test]
fn rows_of_commas_are_ignored_with_one_warning() {
    let text = [HEADER, ",,,,\n", ROW, &",,,,\r\n".repeat(20_000), "\u{a0},,\"\",,\n"].concat();
    let report = one_line(text, &["line 2: all cells of the row are empty", "(20,002 in all)"]);
    assert!(report.is_valid());
    assert_eq!((report.rows, report.warning_count), (1, 20_002));
}

#[test]
fn invisible_characters_are_made_visible() {
    for char in ['\u{a0}', '\u{202f}', '\u{200b}', '\u{feff}', '\u{2060}', '\u{3000}', '\u{ad}'] {
        let shown_char = format!("\\u{{{:x}}}", u32::from(char));
        let code = format!("(U+{:04X})", u32::from(char));
        let around = one_line(
            ROW.replace("08:00", &format!("08:00{char}")),
            &[&format!("`08:00{shown_char}`"), &code, "expected `08:00`"],
        );
        let inside = one_line(
            ROW.replace("R1", &format!("R{char}1")),
            &[&format!("`R{shown_char}1`"), &code],
        );
        assert!(around.is_valid() && inside.is_valid());
        let empty = one_line(
            [HEADER, &ROW.replace("R1", &char.to_string())].concat(),
            &["empty but for", &shown_char],
        );
        assert_eq!(kinds(&empty), [Kind::EmptyCell]);
    }
}

#[test]
fn texts_that_a_program_changed_are_a_warning() {
    for (text, words) in [
        ("1.23457E+11", "spreadsheet shortened"),
        ("#N/A", "error value"),
        ("=\"\"00123\"\"", "formula"),
        ("'00123", "apostrophe"),
        ("'SITE-001", "apostrophe"),
        ("\u{201c}R1\u{201d}", "typographic quotes"),
    ] {
        assert!(one_line(ROW.replace("R1", text), &[words]).is_valid(), "{text}");
    }
    assert_eq!(kinds(&report(ROW.replace("R1", "#12A"))), []);
    assert_eq!(kinds(&report(ROW.replace("R1", "'t Hart"))), []);
}

#[test]
fn blanks_and_old_line_ends_are_a_warning() {
    let blanks =
        one_line(ROW.replace("31/12/2025", " 31/12/2025\t"), &["blanks around it", "(2 in all)"]);
    let ends =
        one_line([HEADER, ROW].concat().replace('\n', "\r"), &["carriage return", "(2 in all)"]);
    assert!(blanks.is_valid() && ends.is_valid());
    assert_eq!(kinds(&report("\"R\r1\",31/12/2025,08:00,31/12/2025,09:00\r\n")), []);
}

#[test]
fn empty_columns_at_the_end_are_a_warning() {
    let text = [HEADER, ROW].concat().replace('\n', ",,,\r\n");
    assert!(one_line(text, &["8 columns, and those at the end are empty"]).is_valid());
}

#[test]
fn files_that_are_no_csv_are_named() {
    for (bytes, what) in [
        (&b"<html><table>"[..], "a web page"),
        (b"\xef\xbb\xbf\n<?xml version=\"1.0\"?>", "XML"),
        (b"[{\"Reference\": \"R1\"}]", "JSON"),
        (b"{\\rtf1\\ansi", "a word processor's document"),
    ] {
        assert_eq!(kinds(&one_line(bytes, &[what])), [Kind::NotCsv]);
    }
}

#[test]
fn the_work_does_not_grow_with_the_width_of_a_header() {
    let wide = [&",".repeat(30_000), HEADER, &"a\n".repeat(15_000)].concat();
    let report = report(wide);
    assert_eq!((report.rows, report.error_count), (15_000, 15_001));
    assert_eq!(report.problems.len(), MAX_PROBLEMS);
}

#[test]
fn counts_are_true_whatever_is_listed() {
    let rows = "R1,3/3/2025,9:00,03/03/2025,16:30\n".repeat(15_000);
    let found = report([HEADER, &rows].concat());
    assert_eq!((found.error_count, found.warning_count, found.rows), (30_000, 14_999, 15_000));
    let counted: u64 = found.problems.iter().map(|problem| problem.count).sum();
    assert_eq!(counted + found.omitted, 44_999);
}

#[test]
fn rows_after_a_million_cells_in_no_known_form_are_only_counted() {
    let found = report([HEADER, &"R1,x,y,z,w\n".repeat(300_000)].concat());
    assert_eq!((found.rows, found.unchecked_rows), (300_000, 50_000));
    assert_eq!((found.error_count, found.warning_count), (1_000_000, 249_999));
    // Forms that are known never end a check, however many cells have them.
    let dates = "R1,3/3/2025,9:00,3/3/2025,9:30\n".repeat(260_000);
    let found = report([HEADER, &dates].concat());
    assert_eq!((found.error_count, found.unchecked_rows), (1_040_000, 0));
    assert!(found.is_fixable());
}

#[test]
fn a_report_with_rows_that_were_not_checked_is_not_fixable() {
    let mut found = report([HEADER, "R1,3/3/2025,09:00,03/03/2025,09:30\n"].concat());
    assert!(found.is_fixable());
    found.unchecked_rows = 1;
    assert!(!found.is_fixable());
}

#[test]
fn blank_rows_are_found_whatever_they_are_made_of() {
    let blank = [",,,,\n", " , ,\r\n", "\"\",,\u{a0},,\n", ",,,,\r", "\t,\n"];
    for rows in [blank.concat(), blank.concat() + ROW, [HEADER, ROW, &blank.concat()].concat()] {
        let found = report(&rows);
        let problem = found.problems.iter().find(|problem| problem.kind == Kind::BlankRow);
        assert_eq!(problem.map(|problem| problem.count), Some(5), "{rows:?}: {found:?}");
        assert_eq!(found.rows, u64::from(rows.contains("R1")), "{rows:?}");
    }
}

#[test]
fn a_row_of_very_many_cells_keeps_its_bytes() {
    let row = [ROW.trim_end(), &",x".repeat(60_000)].concat();
    assert_eq!(kinds(&report(&row)), [Kind::ExtraColumns]);
    assert_eq!(canonical(Table::Data, &row).trim_end(), row);
}
