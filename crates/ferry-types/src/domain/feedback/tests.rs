//! Tests of reading, tying and showing feedback together.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime,Note\n\
                    R1,01/03/2025,08:00,01/03/2025,09:00,a|b\n\
                    \"R\n2\",31/02/2025,99:00,02/03/2025,09:00,\n\
                    R3,03/03/2025,98:00,31/02/2025,09:00,same\n\
                    R4,04/03/2025,08:00,same,09:00,same\n";
const EVENTS: &str = "R1,01/03/2025,08:00,01/03/2025,08:10,Break,0\n\
                      R1,01/03/2025,08:30,01/03/2025,08:40,Break,7\n";

fn findings(body: &str) -> Vec<FeedbackItem> {
    locate(&read(body), Some(DATA), Some(EVENTS))
}

fn shown(body: &str) -> String {
    findings(body).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn item(row: u64, rest: &str) -> RawItem {
    RawItem::Row { row, rest: rest.to_owned() }
}

fn said(text: &str) -> RawItem {
    RawItem::Message(text.to_owned())
}

#[test]
fn every_form_of_a_body_is_read_alike() {
    let expected = [item(2, "x|not a date"), item(13, "|empty | or so")];
    for body in [
        "2|x|not a date\n13||empty | or so\n",
        "\u{feff}\r\n 2|x|not a date\r\n\r\n13||empty | or so",
        r#"["2|x|not a date","13||empty | or so"]"#,
        r#")]}',["2|x|not a date","13||empty | or so"]"#,
        r#"cb(["2|x|not a date","13||empty | or so"]);"#,
        r#"["2|x|not a date\n13||empty | or so", null, " "]"#,
        r#""2|x|not a date\r\n13||empty | or so""#,
        r#""[\"2|x|not a date\",\"13||empty | or so\"]""#,
        "\"2|x|not a date\"\r\n\"13||empty | or so\"",
        r#"["2|x|not a date","13||empty | or so",]"#,
        "{'errors': ['2|x|not a date', '13||empty | or so']}",
        r#"{"count":2,"errors":["2|x|not a date","13||empty | or so"],"ok":false}"#,
        r#"[{"row":2,"value":"x","message":"not a date"},{"Row_Number":"13","error":"empty | or so"}]"#,
        r#"{"feedback":"2|x|not a date\n13||empty | or so","count":2}"#,
        r#"[[2,"x","not a date"],[13,"","empty | or so"]]"#,
        "{\"RowNumber\":2,\"ErrorValue\":\"x\",\"ErrorMessage\":\"not a date\"}\n\
         {\"row\":13,\"message\":\"empty | or so\"}",
        r#"{"errors":[{"line":2,"column":"b","cell":"x","reason":"not a date"},"13||empty | or so"]}"#,
        "\"2|x|not a date\r\n13||empty | or so\"",
        "2|x|not a date\u{2028}13||empty | or so",
        "<string xmlns=\"http://a/\">2|x|not a date&#xD;\n13||empty | or so</string>",
        "<?xml version=\"1.0\"?><ArrayOfstring><string>2|x|not a date</string><string/>\
         <string>13||empty | or so</string></ArrayOfstring>",
    ] {
        assert_eq!(read(body), expected, "{body}");
    }
}

#[test]
fn entities_of_xml_are_replaced_and_others_stay() {
    let body = "<string>2|&lt;a&gt; &amp;amp; &#252;&#xFC;|&quot;&apos;&b; &#x110000; & c</string>";
    let rest = "<a> &amp; \u{fc}\u{fc}|\"'&b; &#x110000; & c";
    assert_eq!(read(body), [item(2, rest)]);
    assert_eq!(read("<string>2|x|y"), [said("<string>2|x|y")]);
}

#[test]
fn a_string_with_line_breaks_inside_its_value_is_one_item() {
    assert_eq!(read(r#"["3|R\n2|unknown"]"#), [item(3, "R\n2|unknown")]);
}

#[test]
fn what_is_no_item_about_a_row_is_a_message() {
    for line in ["The file is late", "3|x", "x|3|y", "-1|x|y", "1.5|x|y", "|x|y"] {
        assert_eq!(read(line), [said(line)]);
    }
    assert_eq!(read("Late\n2|x|y"), [said("Late"), item(2, "x|y")]);
    assert_eq!(read("[1,{\"a\":2}]"), [said("1"), said("{\"a\":2}")]);
    for object in [
        r#"{"row":2,"line":3,"message":"late"}"#,
        r#"{"row":"second","message":"late"}"#,
        r#"{"row":2,"message":["late"]}"#,
    ] {
        assert_eq!(read(&format!("[{object}]")), [said(object)]);
    }
    let titled = r#"{"title":"3 errors","rows":5,"errors":["2|x|y"]}"#;
    assert_eq!(read(titled), [said("title: 3 errors"), item(2, "x|y")]);
    let several = r#"{"errors":["2|x|y"],"warnings":[]}"#;
    assert_eq!(read(several), [said(several)]);
}

#[test]
fn what_cannot_be_read_is_one_short_message() {
    let page = format!("<html>\n{}\n</html>", "x\n".repeat(5000));
    for body in [page.as_str(), "{\n\"error\": 1\n}", "[\"2|x|y\",\n"] {
        let items = read(body);
        assert!(matches!(&items[..], [RawItem::Message(text)] if text.len() < 2100));
    }
    assert_eq!(read("\u{fffd}\n"), [said("\u{fffd}")]);
    assert_eq!(read(""), []);
    assert_eq!(read("null"), []);
}

#[test]
fn feedback_items_beyond_the_limit_are_counted() {
    for body in
        ["2|x|y\n".repeat(MAX_ITEMS + 7), format!("[{}]", vec!["\"a\""; MAX_ITEMS + 7].join(","))]
    {
        let items = read(&body);
        assert_eq!(items.len(), MAX_ITEMS + 1);
        assert_eq!(items.last(), Some(&said("and 7 more lines, which are not shown")));
    }
}

#[test]
fn thousands_of_items_about_one_large_row_show_some_megabytes_of_it() {
    let wide = format!(",{}", "\u{200b}".repeat(100)).repeat(60);
    let data = format!("Reference,StartDate,StartTime,EndDate,EndTime{wide}\nv,,,,{wide}\n");
    let items = locate(&read(&"1|v|x\n".repeat(MAX_ITEMS)), Some(&data), None);
    assert!(items.iter().all(|item| item.locations[0].row == 1), "each is located all the same");
    assert!(!items[0].locations[0].cells.is_empty() && items[0].to_string().contains('>'));
    let last = items.last().unwrap();
    assert_eq!(last.locations[0].matching_cells, [CellRef { cell: 0, column: None }]);
    assert_eq!(last.to_string(), "data row 1 (line 2), column 1: x");
    let shown = serde_json::to_string(&items).unwrap().len();
    assert!(shown < 8 << 20, "{shown} bytes");
}

#[test]
fn a_row_is_found_however_the_platform_counts() {
    // The second data row, on lines 3 and 4.
    for row in [1, 2, 3, 4] {
        let finding = &findings(&format!("{row}|99:00|not a time"))[0];
        let location = &finding.locations[0];
        assert_eq!((finding.locations.len(), location.row, location.line), (1, 2, 3));
        assert_eq!(
            location.matching_cells,
            [CellRef { cell: 2, column: Some("StartTime".into()) }]
        );
    }
    for row in [0, 5] {
        assert_eq!(findings(&format!("{row}|99:00|not a time"))[0].locations, []);
    }
}

#[test]
fn rows_are_counted_as_they_were_uploaded_and_shown_as_they_were_submitted() {
    let submitted = "sep=,\r\nReference,StartDate,StartTime,EndDate,EndTime\n,,,,\n\n\
                     R1,01/03/2025,08:00,01/03/2025,09:00\n,,,,\n\
                     R2,02/03/2025,08:00,02/03/2025,09:00\n,,,,\n\
                     R2,03/03/2025,07:00\u{a0},03/03/2025,09:00\n";
    let location = |body: &str| {
        let findings = locate(&read(body), Some(submitted), None);
        let found = findings[0].locations.iter();
        found.map(|location| (location.row, location.line)).collect::<Vec<_>>()
    };
    // The header is row 1 of the upload, and R2 stands in its rows 3 and 4: on lines 7 and 9.
    assert_eq!(location("2|R1|unknown\n3|02/03/2025|late\n"), [(1, 5)]);
    assert_eq!(location("3|R2|unknown\n2|R1|unknown\n"), [(2, 7)]);
    assert_eq!(location("4|07:00|early"), [(3, 9)]);
    assert_eq!(location("9|07:00|early"), []);
}

#[test]
fn a_message_is_shown_beside_its_row() {
    insta::assert_snapshot!(shown("3|99:00|not a time\n"), @r"
    data row 2 (line 3), column `StartTime`: not a time
        R\n2, 31/02/2025, >99:00<, 02/03/2025, 09:00,
    ");
}

#[test]
fn a_value_that_two_rows_hold_is_not_guessed() {
    insta::assert_snapshot!(shown("3|31/02/2025|not a date\n"), @r"
    row 3, which may be any of these: not a date
        data row 2 (line 3), column `StartDate`: R\n2, >31/02/2025<, 99:00, 02/03/2025, 09:00, 
        data row 3 (line 5), column `EndDate`: R3, 03/03/2025, 98:00, >31/02/2025<, 09:00, same
    ");
}

#[test]
fn the_row_numbering_that_explains_all_items_locates_rows() {
    // The reference is only in row 3, so that the header counts; what is found nowhere says nothing.
    let findings =
        findings("4|R3|unknown\n9|R9|unknown\n3|31/02/2025|not a date\n4|31/02/2025|not a date\n");
    let rows: Vec<Vec<u64>> = findings
        .iter()
        .map(|f| f.locations.iter().map(|location| location.row).collect())
        .collect();
    assert_eq!(rows, [vec![3], vec![], vec![2], vec![3]]);
}

#[test]
fn items_that_contradict_each_other_settle_nothing() {
    // The first counts from zero, the second counts the header.
    let findings = findings("0|R1|unknown\n5|R4|unknown\n3|31/02/2025|not a date");
    assert_eq!(findings[2].locations.len(), 2);
}

#[test]
fn two_cells_of_one_row_may_hold_the_value() {
    insta::assert_snapshot!(shown("5|same|odd\n"), @"
    row 5, which may be any of these: odd
        data row 3 (line 5), column `Note`: R3, 03/03/2025, 98:00, 31/02/2025, 09:00, >same<
        data row 4 (line 6), column `EndDate` or `Note`: R4, 04/03/2025, 08:00, >same<, 09:00, >same<
    ");
}

#[test]
fn bars_in_values_and_messages_are_distinguished_by_the_row() {
    let finding = &findings("2|a|b|too | short")[0];
    assert_eq!((finding.value.as_deref(), finding.message.as_str()), (Some("a|b"), "too | short"));
    assert_eq!(
        finding.locations[0].matching_cells,
        [CellRef { cell: 5, column: Some("Note".into()) }]
    );
    let data = "R1|b,01/03/2025,08:00,01/03/2025,09:00,R1\n";
    let longest = &locate(&read("1|R1|b|odd"), Some(data), None)[0];
    assert_eq!((longest.value.as_deref(), longest.message.as_str()), (Some("R1|b"), "odd"));
    let finding = &findings("2|R1|b|too short")[0];
    assert_eq!((finding.value.as_deref(), finding.message.as_str()), (Some("R1"), "b|too short"));
}

#[test]
fn events_are_searched_after_the_data() {
    insta::assert_snapshot!(shown("2|7|must be 0, 1 or 2\n1|Break|too long\n1|R1|late"), @"
    event row 2 (line 2), column `TimeReference`: must be 0, 1 or 2
        R1, 01/03/2025, 08:30, 01/03/2025, 08:40, Break, >7<
    event row 1 (line 1), column `Description`: too long
        R1, 01/03/2025, 08:00, 01/03/2025, 08:10, >Break<, 0
    data row 1 (line 2), column `Reference`: late
        >R1<, 01/03/2025, 08:00, 01/03/2025, 09:00, a|b
    ");
}

#[test]
fn what_has_no_row_is_shown_as_the_platform_said_it() {
    insta::assert_snapshot!(shown("Late \u{1b}[31m!\n77|x|not a date"), @r"
    Late \u{1b}[31m!
    row 77, value `x`: not a date (no row near it has it)
    ");
}

#[test]
fn without_the_texts_nothing_is_tied() {
    let findings = locate(&read("2|R1|unknown"), None, None);
    assert_eq!((findings[0].row, findings[0].locations.len()), (Some(2), 0));
}

#[test]
fn a_finding_survives_json() {
    let findings = findings("3|R\n2|x\n4|98:00|not a time");
    let json = serde_json::to_string_pretty(&findings).unwrap();
    assert_eq!(serde_json::from_str::<Vec<FeedbackItem>>(&json).unwrap(), findings);
    insta::assert_snapshot!(serde_json::to_string_pretty(&findings[2]).unwrap(), @r#"
    {
      "row": 4,
      "value": "98:00",
      "message": "not a time",
      "locations": [
        {
          "table": "data",
          "row": 3,
          "line": 5,
          "matching_cells": [
            {
              "cell": 2,
              "column": "StartTime"
            }
          ],
          "cells": [
            "R3",
            "03/03/2025",
            "98:00",
            "31/02/2025",
            "09:00",
            "same"
          ]
        }
      ]
    }
    "#);
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"|",
        b"\n",
        b"\r\n",
        b"\"",
        b"[",
        b"]",
        b",",
        b"{",
        b"<",
        b"\\n",
        b" ",
        b"\xff",
        b"\0",
        b"0|",
        b"1|",
        b"2|",
        b"18446744073709551615|",
        b"99:00|",
        b"same|",
        b"R1|",
        b"\xc3\xa9",
    ];
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(select(pieces), 0..60).prop_map(|pieces| pieces.concat()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let pieces = vec![DATA, EVENTS, "\"", ",", "\n", "\r", "x", "\u{feff}", "é", "same", "\n\n"];
    vec(select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_reading_or_tying_panic(
        body in noise(),
        data in proptest::option::of(text()),
        events in proptest::option::of(text()),
    ) {
        let items = read(&String::from_utf8_lossy(&body));
        let findings = locate(&items, data.as_deref(), events.as_deref());
        prop_assert_eq!(findings.len(), items.len());
        for finding in &findings {
            prop_assert!(!finding.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
    }

    #[test]
    fn a_item_finds_the_row_that_it_is_about(
        row in 0..50_usize,
        shift in 0..3_u64,
        has_header in any::<bool>(),
    ) {
        // Counted from zero or one, the header or not.
        let shift = if has_header { shift } else { shift.min(1) };
        let mut data = if has_header { crate::domain::dataset::Table::Data.header() + "\n" } else { String::new() };
        for at in 0..50 {
            data += &format!("R{at},01/01/2025,08:00,01/01/2025,09:00\n");
        }
        let body = format!("{}|R{row}|unknown", row as u64 + shift);
        let findings = locate(&read(&body), Some(&data), None);
        prop_assert_eq!(findings[0].locations.len(), 1);
        let location = &findings[0].locations[0];
        prop_assert_eq!(location.row, row as u64 + 1);
        prop_assert_eq!(location.line, row as u64 + 1 + u64::from(has_header));
    }
}

#[test]
fn no_cell_of_the_feedback_as_csv_is_a_formula() {
    let data = "=cmd|calc!A0,03/03/2025,08:00,03/03/2025,16:30\n";
    for start in ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"] {
        let said = format!("1|{start}cmd|calc!A0\n1|{start}1|{start}SUM(A1)\n{start}x");
        let csv = as_csv(&locate(&read(&said), Some(data), None));
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        for row in reader.records() {
            let row = row.unwrap();
            assert!(row.iter().all(|cell| !cell.starts_with(start)), "{row:?}");
        }
        let shown = format!("'{start}SUM(A1)");
        assert!(start == "\t" || csv.contains(&shown), "{csv}");
    }
}
