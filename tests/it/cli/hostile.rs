//! Foreign text that would control a terminal: no command writes it raw.

use std::collections::BTreeSet;

use serde_json::Value;

use super::harness::{Ferry, GOOD, Platform, REJECTED, Ran, hidden_in};

/// Text that the intake accepts: it turns the direction, and holds a blank and a letter that are invisible.
const ACCEPTED: &str = "n\u{202e}o\u{200b}p\u{e0041}q";
/// Text of an argument or a file name: it clears the screen, begins a line, and sets a color that Ferry uses.
const RAW: &str = "x\u{1b}[2J\r\n\u{9b}31m\u{1b}[32mcompleted\u{1b}[0m\u{2066}y";

/// A folder and a store with foreign text wherever there is room for it.
struct Hostile {
    ferry: Ferry,
    /// One that is completed, one that was rejected, and one that waits.
    completed: String,
    rejected: String,
    queued: String,
    file: String,
}

impl Hostile {
    fn new(platform: &Platform) -> Self {
        let file = format!("{RAW}.csv");
        let data = REJECTED.replace("UNKNOWN-7", &format!("UNKNOWN-{ACCEPTED}"));
        let ferry = Ferry::of(platform)
            .file("good.csv", GOOD)
            .file("rejected.csv", &data)
            .file(&file, "Reference,StartDate\n\u{1b}[2J\u{202e},x\n")
            .set("FERRY_AUDIT_LOG", "audit.jsonl")
            .set("FERRY_API_KEYS", "keys.jsonl");
        let label = format!("{ACCEPTED}={ACCEPTED}");
        let submit = |file: &str, more: &[&str], code: i32| {
            let args = ["submit", file, "--name", ACCEPTED, "--label", &label, "--overwrite"];
            ferry.run(&[&args[..], more].concat()).exits(code).id()
        };
        let completed = submit("good.csv", &["--wait"], 0);
        let rejected = submit("rejected.csv", &["--wait"], 4);
        ferry.run(&["pause", "default", "--reason", RAW]).ok();
        let queued = submit("good.csv", &[], 0);
        Self { ferry, completed, rejected, queued, file }
    }

    /// Calls of every command, with foreign text as far as it has a place for it.
    fn calls(&self) -> Vec<Vec<&str>> {
        let Self { completed, rejected, queued, file, .. } = self;
        let (file, completed) = (file.as_str(), completed.as_str());
        let store = [RAW, "--store", RAW];
        vec![
            vec!["demo", "--once", "--set", RAW],
            vec!["serve", "--set", RAW],
            vec!["keys", "create", "--name", RAW, "--role", "read"],
            vec!["keys", "create", "--name", "a", "--role", "read", "--account", RAW],
            vec!["keys", "list"],
            vec!["keys", "revoke", RAW],
            vec!["audit", "verify", RAW],
            vec!["audit", "verify", "--known", RAW],
            vec!["worker", "--config", RAW],
            vec!["submit", file],
            vec!["submit", RAW],
            vec!["submit", "good.csv", "--name", RAW],
            vec!["submit", "good.csv", "--account", RAW],
            vec!["submit", "--ndjson", file],
            vec!["validate", file],
            vec!["validate", "--fix", file],
            vec!["status", completed, rejected, queued],
            vec!["status", RAW],
            vec!["list", "--all"],
            vec!["list", "--name", ACCEPTED, "--state", RAW],
            vec!["watch", completed, rejected],
            vec!["watch", "--timeout", "1ms"],
            vec!["results", completed, "--key", RAW],
            vec!["results", rejected],
            vec!["results", completed, "-o", RAW],
            vec!["data", completed],
            vec!["data", rejected, "--events"],
            vec!["data", completed, "-o", RAW],
            vec!["feedback", rejected],
            vec!["resubmit", rejected, file],
            vec!["retry", rejected],
            vec!["refetch", rejected],
            vec!["retry", "--all", "--name", ACCEPTED, "--dry-run"],
            vec!["cancel", "--label", RAW, "--dry-run"],
            vec!["cancel", "--state", "rejected", "--yes"],
            vec!["cancel", completed, queued],
            vec!["resolve", queued, "--fail"],
            vec!["pause", RAW, "--reason", RAW],
            vec!["pause", RAW, "--create", "--reason", RAW],
            vec!["resume", RAW],
            vec!["webhooks", "list", completed],
            vec!["stats"],
            vec!["top", "--interval", RAW],
            vec!["top", "--store", RAW],
            vec!["intake", "drop", RAW],
            vec!["config", "show", "--set", RAW],
            vec!["config", "show", "--store", RAW],
            vec!["doctor", "--offline"],
            [&["doctor", "--offline", "--set"], &store[..]].concat(),
            vec!["simulate", "--listen", RAW],
            vec!["rehearse", "--seed", RAW],
            vec!["completions", RAW],
            vec!["man", "good.csv"],
            vec!["version", RAW],
            vec![RAW],
        ]
    }
}

#[test]
fn no_command_writes_foreign_text_raw() {
    let platform = Platform::start();
    let hostile = Hostile::new(&platform);
    let mut shown = 0;
    for call in hostile.calls() {
        let ran = hostile.ferry.run(&call);
        let clean = |text: &str| assert_eq!(hidden_in(text), None, "{call:?}: {text:?}");
        clean(&ran.stdout);
        clean(&ran.stderr);
        // No line that is not a line of Ferry.
        let lines = ran.stdout.lines().chain(ran.stderr.lines());
        assert!(!lines.clone().any(|line| line.contains("[32mcompleted") && !line.contains("\\r")));
        shown += lines.filter(|line| line.contains("\\u{")).count();
    }
    assert!(shown > 25, "only {shown} lines show foreign text");
}

#[test]
fn json_has_foreign_text_as_it_is_and_escaped() {
    let platform = Platform::start();
    let hostile = Hostile::new(&platform);
    for call in hostile.calls() {
        let ran = hostile.ferry.run(&[&call[..], &["--json"]].concat());
        assert_eq!(hidden_in(&ran.stdout), None, "{call:?}: {:?}", ran.stdout);
        assert_eq!(hidden_in(&ran.stderr), None, "{call:?}: {:?}", ran.stderr);
        for line in ran.stdout.lines() {
            let _: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
    }
    let object = hostile.ferry.object(&["status", "--json", &hostile.completed]);
    assert_eq!(
        (&object["name"], &object["labels"][ACCEPTED]),
        (&ACCEPTED.into(), &ACCEPTED.into())
    );
}

#[test]
fn the_calls_of_these_tests_are_of_every_command() {
    let platform = Platform::start();
    let hostile = Hostile::new(&platform);
    let help = hostile.ferry.run(&["--help"]).ok().stdout;
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let commands =
        commands.filter_map(|line| line.split(' ').next()).filter(|word| !word.is_empty());
    let all: BTreeSet<&str> = commands.filter(|command| *command != "help").collect();
    let calls = hostile.calls();
    let called: BTreeSet<&str> = calls.iter().map(|call| call[0]).collect();
    assert!(all.len() > 20, "{all:?}");
    assert_eq!(all.difference(&called).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn no_log_holds_foreign_text_raw() {
    let platform = Platform::start();
    for format in ["pretty", "json"] {
        let ferry = Ferry::of(&platform)
            .file("good.csv", GOOD)
            .set("FERRY_LOG", "debug")
            .set("FERRY_LOG_FORMAT", format);
        let ran =
            ferry.run(&["submit", "good.csv", "--name", ACCEPTED, "--overwrite", "--wait"]).ok();
        assert_eq!(hidden_in(&ran.stderr), None, "{}", ran.stderr);
        let escaped = if format == "json" { r"n\u202eo\u200bp" } else { r"n\u{202e}o\u{200b}p" };
        assert!(ran.stderr.contains(escaped), "{}", ran.stderr);
        let lines = ran.stderr.lines().filter(|line| format == "json" && line.starts_with('{'));
        for line in lines {
            let _: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        }
    }
}

#[test]
fn a_terminal_gets_only_colors_of_ferry() {
    let platform = Platform::start();
    let hostile = Hostile::new(&platform);
    let Hostile { ferry, completed, rejected, file, .. } = &hostile;
    let shown = |args: &str| -> Ran {
        ferry.write("line.sh", format!("{} {args}\n", env!("CARGO_BIN_EXE_ferry")));
        ferry.shell("TERM=xterm COLUMNS=120 script -qec 'bash line.sh' /dev/null < /dev/null")
    };
    for args in [
        format!("status {completed} {rejected}"),
        "list --all".to_owned(),
        format!("results {completed}"),
        format!("feedback {rejected}"),
        format!("feedback --raw {rejected}"),
        format!("validate '{file}'"),
        format!("status '{RAW}'"),
        format!("'{RAW}'"),
    ] {
        let ran = shown(&args);
        let text = ran.stdout.replace("\r\n", "\n");
        // Styles have numbers and end with `m`; the ones of foreign text are escaped.
        let mut parts = text.split('\u{1b}');
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (style, rest) = part.split_once('m').unwrap_or_else(|| panic!("{args}: {text:?}"));
            let is_style = style
                .strip_prefix('[')
                .is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit() || c == ';'));
            assert!(is_style, "{args}: {text:?}");
            plain += rest;
        }
        assert_eq!(hidden_in(&plain), None, "{args}: {text:?}");
        assert!(!text.contains("completed\u{1b}[0m\\u{2066}"), "{args}: {text:?}");
    }
}
