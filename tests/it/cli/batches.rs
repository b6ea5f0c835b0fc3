//! `ferry submit --ndjson`: many submissions from one file, a pipe or stdin, all or none.

use insta::assert_snapshot;
use serde_json::json;

use super::harness::{Ferry, GOOD, Platform, assert_is_submission};

fn line(name: &str) -> String {
    format!("{}\n", json!({ "name": name, "data": GOOD, "labels": { "run": "1" } }))
}

fn faulty() -> String {
    let lines = [
        json!({ "name": "good", "data": GOOD }).to_string(),
        json!({ "name": "faulty", "data": "A1,03/03/2026,08:00,31/02/2026,16:30\n" }).to_string(),
        json!({ "name": "events", "data": GOOD, "event_data": "A1\n" }).to_string(),
        "{\"name\": \"cut".to_owned(),
        String::new(),
        json!({ "data": GOOD }).to_string(),
        json!({ "name": "typo", "data": GOOD, "overwite": true }).to_string(),
        json!({ "name": "", "data": GOOD }).to_string(),
        json!({ "name": "late", "data": GOOD, "deadline": "2001-01-01T00:00:00Z" }).to_string(),
        json!({ "name": "kind", "data": 7, "labels": ["north"] }).to_string(),
        "[1, 2]".to_owned(),
    ];
    lines.join("\n") + "\n"
}

#[test]
fn a_byte_order_mark_before_a_line_is_accepted() {
    let text = ["\u{feff}", &line("one"), "\u{feff}\n", "\u{feff}", &line("two")].concat();
    let ferry = Ferry::new().file("many.ndjson", text);
    assert_eq!(ferry.run(&["submit", "--ndjson", "many.ndjson"]).ok().ids().len(), 2);
}

#[test]
fn every_invalid_line_is_reported_and_nothing_is_stored() {
    let ferry = Ferry::new().file("many.ndjson", faulty());
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "many.ndjson"]), @"
    exit 3
    ---- stdout
    many.ndjson, line 2: data: error: line 1, row 1, column `EndDate`: `31/02/2026` is not a calendar date: expected DD/MM/YYYY, such as 31/12/2025
    many.ndjson, line 2: data: invalid: 1 error in 1 row
    many.ndjson, line 3: data: valid, 10 rows
    many.ndjson, line 3: event_data: error: line 1, row 1, column `EventStartDate`: the row has only 1 column, without `EventStartDate`, `EventStartTime`, `EventEndDate`, `EventEndTime`, `Description`, `TimeReference`: expected 7 columns
    many.ndjson, line 3: event_data: invalid: 1 error in 1 row
    ---- stderr
    error: many.ndjson, line 4: not a submission: EOF while parsing a string at column 13
    error: many.ndjson, line 6: not a submission: missing field `name`
    error: many.ndjson, line 7: not a submission: unknown field `overwite`, expected one of `name`, `data`, `event_data`, `account`, `overwrite`, `result_keys`, `priority`, `not_before`, `deadline`, `idempotency_key`, `labels`, `traceparent`, `webhook_url`
    error: many.ndjson, line 8: `name`: it must not be empty
    error: many.ndjson, line 9: `deadline`: `TIME UTC` is in the past
    error: many.ndjson, line 10: not a submission: `data`: invalid type: integer `7`, expected a string; `labels`: invalid type: sequence, expected a map
    error: many.ndjson, line 11: not a submission: expected a JSON object
    9 of 10 lines are invalid: nothing was submitted
    ");
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 0
    ---- stdout
    ---- stderr
    the store sqlite:ferry.db is empty
    ");
}

#[test]
fn json_lists_invalid_datasets_on_stdout() {
    let ferry = Ferry::new().file("many.ndjson", faulty());
    let reports = ferry.run(&["submit", "--ndjson", "many.ndjson", "--json"]).exits(3).objects();
    let files: Vec<&str> = reports.iter().filter_map(|report| report["file"].as_str()).collect();
    assert!(files.contains(&"many.ndjson, line 2: data"), "{files:?}");
    assert!(files.contains(&"many.ndjson, line 3: event_data"), "{files:?}");
}

#[test]
fn lines_come_from_stdin_and_from_a_pipe() {
    let ferry = Ferry::new().file("many.ndjson", [line("one"), line("two")].concat());
    let ran =
        ferry.run_with(&["submit", "--ndjson", "-"], [line("three"), line("four")].join("\n"));
    assert_snapshot!(ran, @"
    exit 0
    ---- stdout
    ID-1  queued      three
    ID-2  queued      four
    ---- stderr
    warning: no account is configured here: stored until a worker with credentials uploads it
    ");
    let ran = ferry.shell("ferry submit --ndjson <(cat many.ndjson)").ok();
    assert_eq!(ran.ids().len(), 2);
    let ran = ferry.run_with(&["submit", "--ndjson", "-"], "nonsense\n").exits(3);
    assert!(ran.stderr.contains("stdin, line 1: not a submission: expected"), "{}", ran.stderr);
}

#[test]
fn a_file_without_any_line_is_reported() {
    let ferry = Ferry::new().file("none.ndjson", "\n\n");
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "none.ndjson"]), @"
    exit 3
    ---- stdout
    ---- stderr
    error: `none.ndjson` holds no submission
    ");
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "nowhere.ndjson"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `nowhere.ndjson`
    caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "none.ndjson", "--name", "x"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the argument '--ndjson <FILE>' cannot be used with '--name <NAME>'

    Usage: ferry submit --ndjson <FILE> [FILE]...

    For more information, try '--help'.
    ");
}

#[test]
fn bytes_that_are_not_utf_8_are_placed() {
    let mut bytes = line("one").into_bytes();
    bytes.extend(b"{\"name\": \"Z\xfcrich\"}\n");
    let ferry = Ferry::new().file("many.ndjson", bytes);
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "many.ndjson"]), @"
    exit 3
    ---- stdout
    ---- stderr
    error: many.ndjson, line 2: not UTF-8 from byte 11 of the line on
    ");
}

#[test]
fn two_thousand_lines_are_stored_in_their_order() {
    let names: Vec<String> = (0..2000).map(|number| format!("n{number:04}")).collect();
    let ferry = Ferry::new().file("many.ndjson", names.iter().map(|n| line(n)).collect::<String>());
    let objects = ferry.run(&["submit", "--ndjson", "many.ndjson", "--json"]).ok().objects();
    objects.iter().for_each(assert_is_submission);
    let kept: Vec<&str> = objects.iter().filter_map(|object| object["name"].as_str()).collect();
    assert_eq!(kept, names);
    assert_eq!(ferry.run(&["list", "--all", "--label", "run=1"]).ok().ids().len(), 2000);
}

#[test]
fn a_conflict_is_reported_beside_what_was_accepted() {
    let keyed = |name: &str, key: &str| {
        format!("{}\n", json!({ "name": name, "data": GOOD, "idempotency_key": key }))
    };
    let ferry = Ferry::new().file("one.ndjson", keyed("one", "k1"));
    ferry.run(&["submit", "--ndjson", "one.ndjson"]).ok();
    ferry.write(
        "two.ndjson",
        [keyed("other", "k1"), keyed("two", "k2"), keyed("one", "k1")].concat(),
    );
    assert_snapshot!(ferry.run(&["submit", "--ndjson", "two.ndjson"]), @"
    exit 2
    ---- stdout
    ID-1  queued      two
    ID-2  queued      one                   waits for a worker
    ---- stderr
    error: `other` was not submitted: its idempotency key `k1` belongs to ID-2, which has other content
    hint: use another key for other content
    idempotency key `k1`: the same was accepted before, as ID-2
    warning: no account is configured here: stored until a worker with credentials uploads it
    ");
}

#[test]
fn many_can_be_waited_for() {
    let platform = Platform::start();
    let lines: String = (0..40).map(|number| line(&format!("n{number}"))).collect();
    let ferry = Ferry::of(&platform).file("many.ndjson", lines);
    let ran = ferry.run(&["submit", "--ndjson", "many.ndjson", "--wait", "--json"]).ok();
    assert!(ran.objects().iter().all(|object| object["state"] == "completed"));
    assert_eq!(platform.sim.ledger().accepted(), 40);
}
