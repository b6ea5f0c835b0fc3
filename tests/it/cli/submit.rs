//! `ferry submit` with files: what it accepts, what is invalid, and what is stored.

use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform, assert_is_submission};

const EVENTS: &str = include_str!("../../../examples/with-events.events.csv");
const WITH_EVENTS: &str = include_str!("../../../examples/with-events.csv");
const ODD: &str = "A1,04/03/2026,08:00,03/03/2026,16:30\n";

#[test]
fn without_an_account_a_dataset_is_stored_with_a_warning() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "march.csv"]), @"
    exit 0
    ---- stdout
    ID-1  queued      march                 waits for a worker
    ---- stderr
    warning: no account is configured here: stored until a worker with credentials uploads it
    ");
}

#[test]
fn every_file_becomes_a_submission_named_after_it() {
    let platform = Platform::start();
    let ferry =
        Ferry::of(&platform).file("march.csv", GOOD).file("april.csv", GOOD).file("odd.csv", ODD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "april.csv", "odd.csv"]), @"
    exit 0
    ---- stdout
    ID-1  queued      march                 waits for a worker
    ID-2  queued      april                 waits for a worker
    ID-3  queued      odd                   waits for a worker
    ---- stderr
    warning: odd.csv: line 1, row 1, column `EndDate`: the end `03/03/2026 16:30` is before the start `04/03/2026 08:00`: expected an end not before the start
    ");
    let objects = ferry.run(&["submit", "--json", "march.csv"]).ok().objects();
    assert_is_submission(&objects[0]);
    // The first of its name is not final.
    assert_eq!(objects[0]["waiting_for"]["for"], "predecessor");
}

#[test]
fn stdin_needs_a_name() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run_with(&["submit", "-"], GOOD), @"
    exit 2
    ---- stdout
    ---- stderr
    error: `stdin` has no name for the dataset: give --name
    ");
    let ran = ferry.run_with(&["submit", "-", "--name", "march"], GOOD).ok();
    assert!(ran.stdout.contains("queued      march"), "{}", ran.stdout);
    let faulty = ferry.run_with(&["submit", "-", "--name", "march"], "A1,03/03/2026\n").exits(3);
    assert!(faulty.stdout.starts_with("stdin: error: line 1"), "{}", faulty.stdout);
}

#[test]
fn events_travel_with_their_dataset() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("trips.csv", WITH_EVENTS).file("events.csv", EVENTS);
    ferry.run(&["submit", "trips.csv", "--events", "events.csv", "--wait"]).ok();
    // Its references are unknown there.
    ferry.write("trips.csv", GOOD);
    let ran = ferry.run(&["submit", "trips.csv", "--events", "events.csv", "--name", "odd"]).ok();
    assert_snapshot!(ran, @"
    exit 0
    ---- stdout
    ID-1  queued      odd                   waits for a worker
    ---- stderr
    warning: events.csv: line 2, row 1, column `Reference`: no data row has the reference `TRIP-1`: expected the reference of a data row
    warning: events.csv: line 3, row 2, column `Reference`: no data row has the reference `TRIP-1`: expected the reference of a data row
    warning: events.csv: line 4, row 3, column `Reference`: no data row has the reference `TRIP-2`: expected the reference of a data row
    warning: events.csv: line 5, row 4, column `Reference`: no data row has the reference `TRIP-3`: expected the reference of a data row
    ");
    let ran = ferry.run(&["submit", "trips.csv", "--events", "nowhere.csv"]);
    assert_snapshot!(ran, @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `nowhere.csv`
    caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn what_is_said_of_a_submission_can_be_read_again() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let call = [
        "submit",
        "march.csv",
        "--name",
        "2026-03",
        "--label",
        "team=north",
        "--label",
        "run=7",
        "--priority",
        "high",
        "--overwrite",
        "--result-key",
        "summary",
        "--account",
        "elsewhere",
        "--not-before",
        "2100-01-01T00:00:00+01:00",
        "--deadline",
        "2h",
        "--json",
    ];
    let object = ferry.object(&call);
    assert_is_submission(&object);
    assert_eq!(object["name"], "2026-03");
    assert_eq!(object["labels"], serde_json::json!({ "run": "7", "team": "north" }));
    assert_eq!(object["priority"], "high");
    assert_eq!(object["overwrite"], true);
    assert_eq!(object["result_keys"], serde_json::json!(["summary"]));
    assert_eq!(object["account"], "elsewhere");
    assert_eq!(object["deadline"], "2100-01-01T01:00:00Z");
    assert_eq!(object["waiting_for"]["at"], "2099-12-31T23:00:00Z");
}

#[test]
fn the_same_idempotency_key_with_the_same_content_is_the_same_submission() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let first = ferry.run(&["submit", "march.csv", "--idempotency-key", "k1"]).ok();
    let second = ferry.run(&["submit", "march.csv", "--idempotency-key", "k1"]);
    assert_eq!(first.id(), second.id());
    assert_snapshot!(second, @"
    exit 0
    ---- stdout
    ID-1  queued      march                 waits for a worker
    ---- stderr
    idempotency key `k1`: the same was accepted before, as ID-1
    warning: no account is configured here: stored until a worker with credentials uploads it
    ");
    ferry.write("march.csv", ODD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--idempotency-key", "k1"]), @"
    exit 2
    ---- stdout
    ---- stderr
    warning: march.csv: line 1, row 1, column `EndDate`: the end `03/03/2026 16:30` is before the start `04/03/2026 08:00`: expected an end not before the start
    error: `march` was not submitted: its idempotency key `k1` belongs to ID-1, which has other content
    hint: use another key for other content
    ");
    assert_eq!(ferry.run(&["list"]).ids().len(), 1);
}

#[test]
fn what_cannot_be_read_is_a_usage_error_and_stores_nothing() {
    let ferry = Ferry::new().file("march.csv", GOOD).file("folder/march.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "april.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `april.csv`
    caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(ferry.run(&["submit", "march.csv", "folder"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: cannot read `folder`
    caused by: Is a directory (os error 21)
    ");
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 0
    ---- stdout
    ---- stderr
    the store sqlite:ferry.db is empty
    ");
}

#[test]
fn a_dataset_over_the_limit_is_not_taken() {
    let ferry = Ferry::new().file("march.csv", GOOD.repeat(10)).file("events.csv", EVENTS);
    assert_snapshot!(ferry.run(&["--set", "max_dataset_bytes=1024", "submit", "march.csv"]), @"
    exit 3
    ---- stdout
    ---- stderr
    error: `march.csv` is larger than 1024 bytes
    hint: split it, or raise the setting `max_dataset_bytes`
    ");
    let big = "--set=max_dataset_bytes=1024";
    // Each of them is small enough.
    let ferry = ferry.file("march.csv", GOOD).file("events.csv", EVENTS.repeat(2));
    let ran = ferry.run(&[big, "submit", "march.csv", "--events", "events.csv"]);
    assert_snapshot!(ran, @"
    exit 3
    ---- stdout
    ---- stderr
    error: march.csv: the dataset has 1111 bytes, more than the limit of 1024 (`max_dataset_bytes`)
    hint: split it, or raise the setting `max_dataset_bytes`
    ");
}

#[test]
fn flags_that_belong_to_one_file_are_invalid_with_several() {
    let ferry = Ferry::new().file("march.csv", GOOD).file("april.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "april.csv", "--name", "x"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: --name belongs to one FILE, and there are several
    ");
    assert_snapshot!(ferry.run(&["submit", "-", "--events", "-", "--name", "x"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: only one FILE can be `-`, because stdin is read once
    ");
}

#[test]
fn two_files_of_one_name_are_invalid() {
    let ferry = Ferry::new().file("north/march.csv", GOOD).file("south/march.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "north/march.csv", "south/march.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: `north/march.csv` and `south/march.csv` would be datasets of the same name
    hint: submit them one by one, each with its own --name; or --overwrite
    ");
    let both = ["submit", "north/march.csv", "south/march.csv", "--overwrite"];
    assert_eq!(ferry.run(&both).ok().ids().len(), 2);
}

#[test]
fn fields_that_cannot_be_are_named() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    for (args, message) in [
        (["--name", " march"], "`name`: it must not begin or end with a blank"),
        (["--name", ""], "`name`: it must not be empty"),
        (["--name", "a\u{7}b"], "`name`: it holds a control character"),
        (["--result-key", "status"], "`result_keys`: `status` is not a result"),
        (["--label", "team="], "`labels`: it must not be empty"),
        (["--label", "team"], "expected KEY=VALUE"),
        (["--deadline", "soon"], "expected a duration such as 50ms"),
        (["--not-before", "tomorrow"], "expected a time such as 2026-01-31T18:00:00Z"),
        (["--priority", "urgent"], "`urgent` is not a priority: expected high, normal, low"),
    ] {
        let ran = ferry.run(&[&["submit", "march.csv"], &args[..]].concat()).exits(2);
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}

#[test]
fn an_account_that_is_not_configured_is_invalid() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    assert_snapshot!(ferry.run(&["submit", "march.csv", "--account", "north"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: account `north` is not configured: there is `default`
    hint: name one with --account (in NDJSON: `account`)
    ");
}

#[test]
fn a_json_call_with_an_invalid_dataset_prints_reports() {
    let ferry = Ferry::new().file("march.csv", "A1,03/03/2026,08:00,31/02/2026,16:30\n");
    let ran = ferry.run(&["submit", "march.csv", "--json"]).exits(3);
    let reports = ran.objects();
    assert_eq!(reports[0]["file"], "march.csv");
    assert_eq!(reports[0]["problems"][0]["value"], "31/02/2026");
    assert!(ran.stderr.ends_with("{\"note\":\"nothing was submitted\"}\n"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_seen_enough_is_not_a_failure() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let line = |n| serde_json::json!({ "name": format!("n{n}"), "data": GOOD }).to_string();
    ferry.write("many.ndjson", (0..200).map(line).collect::<Vec<_>>().join("\n"));
    let script =
        "ferry submit --ndjson many.ndjson --json | head -1 | wc -l; echo ${PIPESTATUS[0]}";
    let ran = ferry.shell(script).ok();
    assert_eq!(ran.stdout, "1\n0\n");
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
    for command in ["list --all", "list --all --json", "completions bash", "doctor --settings"] {
        let ran = ferry.shell(&format!("ferry {command} | true; echo ${{PIPESTATUS[0]}}")).ok();
        assert_eq!((&*ran.stdout, &*ran.stderr), ("0\n", ""), "{command}");
    }
}
