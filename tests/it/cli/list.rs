//! `ferry list` and `ferry stats`: what is there, and how much.

use ferry_testing::Wait;
use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform, REJECTED, assert_is_submission};

/// Two completed, one rejected, two not carried.
fn five(platform: &Platform) -> Ferry {
    let ferry = Ferry::of(platform).file("good.csv", GOOD).file("bad.csv", REJECTED);
    ferry.run(&["submit", "good.csv", "--name", "one", "--label", "team=north", "--wait"]).ok();
    ferry.run(&["submit", "good.csv", "--name", "two", "--label", "team=south", "--wait"]).ok();
    ferry.run(&["submit", "bad.csv", "--name", "three", "--wait"]).exits(4);
    ferry.run(&["submit", "good.csv", "--name", "four", "--label", "team=north"]).ok();
    ferry.run(&["submit", "good.csv", "--name", "four", "--overwrite"]).ok();
    ferry
}

#[test]
fn the_newest_is_first_and_each_says_why() {
    let platform = Platform::start();
    let ferry = five(&platform);
    let list = ferry.run(&["list"]);
    let names: Vec<&str> =
        list.stdout.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(names, ["four", "four", "three", "two", "one"]);
    assert!(list.stdout.contains("of the same name"), "{}", list.stdout);
    assert!(list.stdout.contains("waits for a worker"), "{}", list.stdout);
    assert_eq!(list.stderr, "");
    let objects = ferry.run(&["list", "--json"]).ok().objects();
    assert_eq!(objects.len(), 5);
    objects.iter().for_each(assert_is_submission);
}

#[test]
fn filters_narrow_it_down() {
    let platform = Platform::start();
    let ferry = five(&platform);
    let count = |args: &[&str]| ferry.run(&[&["list"], args].concat()).ok().ids().len();
    assert_eq!(count(&["--state", "completed"]), 2);
    assert_eq!(count(&["--state", "completed", "--state", "rejected"]), 3);
    assert_eq!(count(&["--name", "four"]), 2);
    assert_eq!(count(&["--label", "team=north"]), 2);
    assert_eq!(count(&["--label", "team=north", "--state", "queued"]), 1);
    assert_eq!(count(&["--account", "default"]), 5);
    assert_eq!(count(&["--account", "other"]), 0);
    let third = ferry.run(&["list", "--name", "three", "--json"]).ok().objects().remove(0);
    let time = third["created_at"].as_str().unwrap();
    assert_eq!(count(&["--created-after", time]), 3);
    assert_eq!(count(&["--created-before", time, "--state", "completed"]), 2);
    assert_snapshot!(ferry.run(&["list", "--state", "held"]), @"
    exit 0
    ---- stdout
    ---- stderr
    nothing in the store sqlite:ferry.db matches
    ");
    assert_snapshot!(ferry.run(&["list", "--state", "done"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: invalid value 'done' for '--state <STATE>': `done` is not a state: expected queued, uploading, processing, collecting, completed, rejected, failed, cancelled, held

    For more information, try '--help'.
    ");
    assert_snapshot!(ferry.run(&["list", "--label", "north"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: invalid value 'north' for '--label <KEY=VALUE>': expected KEY=VALUE

    For more information, try '--help'.
    ");
}

#[test]
fn a_cursor_continues_where_a_list_ended() {
    let platform = Platform::start();
    let ferry = five(&platform);
    let all = ferry.run(&["list", "--all"]).ok();
    assert_eq!(all.stderr, "");
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    let wait = Wait::begin("the last page");
    loop {
        wait.check();
        let mut args = vec!["list", "--limit", "2"];
        if let Some(cursor) = &cursor {
            args.extend(["--cursor", cursor]);
        }
        let page = ferry.run(&args).ok();
        ids.extend(page.ids());
        let Some((_, behind)) = page.stderr.split_once("--cursor ") else { break };
        cursor = behind.split_whitespace().next().map(str::to_owned);
    }
    assert_eq!(ids, all.ids());
    assert_snapshot!(ferry.run(&["list", "--all", "--limit", "2"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: the argument '--all' cannot be used with '--limit <COUNT>'

    Usage: ferry list --all

    For more information, try '--help'.
    ");
}

#[test]
fn a_list_says_how_many_more_there_are() {
    let platform = Platform::start();
    let ferry = five(&platform);
    let more = |args: &[&str]| ferry.run(&[&["list", "--limit", "1"], args].concat()).ok().stderr;
    assert!(more(&[]).starts_with("4 more submissions match: add --cursor "), "{}", more(&[]));
    assert!(more(&["--state", "completed"]).starts_with("1 more submission matches: "));
    assert!(more(&["--name", "four"]).starts_with("1 more submission matches: "));
    assert_eq!(more(&["--name", "three"]), "");
    let after = more(&[]);
    let cursor = after.split("--cursor ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(more(&["--cursor", cursor]).starts_with("3 more submissions match: "));
}

#[test]
fn a_list_on_a_terminal_has_a_header_and_fits_its_width() {
    let ferry = Ferry::new().file("good.csv", GOOD);
    let long = "n".repeat(200);
    ferry.run(&["submit", "good.csv", "--name", &long, "--account", "default"]).ok();
    ferry.run(&["submit", "good.csv", "--name", "short"]).ok();
    let listed = |columns: usize| -> Vec<String> {
        let binary = env!("CARGO_BIN_EXE_ferry");
        ferry.write("line.sh", format!("stty rows 24 cols {columns}\n'{binary}' list\n"));
        let ran =
            ferry.shell("NO_COLOR=1 TERM=xterm script -qec 'bash line.sh' /dev/null < /dev/null");
        ran.stdout.lines().map(|line| line.trim_end().to_owned()).collect()
    };
    for columns in [60, 80, 120, 200] {
        let lines = listed(columns);
        let [header, short, long] = &lines[..] else { panic!("{lines:?}") };
        let titles: Vec<&str> = header.split_whitespace().collect();
        assert!(titles.starts_with(&["ID", "STATE", "NAME"]), "{header}");
        let widest = lines.iter().map(|line| line.chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {lines:#?}");
        // The columns stand below each other.
        let name = header.find("NAME").unwrap();
        assert!(
            short[name..].starts_with("short") && long[name..].starts_with("nnn"),
            "{lines:#?}"
        );
        assert!(long.contains('…'), "{long}");
    }
    // Elsewhere nothing is left out, and the first line is a submission.
    let piped = ferry.run(&["list"]).ok().stdout;
    assert!(piped.contains(&long) && !piped.contains("NAME"), "{piped}");
}

#[test]
fn stats_count_submissions_and_steps() {
    let platform = Platform::start();
    let ferry = five(&platform);
    let ran = ferry.run(&["stats"]).ok();
    assert!(ran.stdout.contains("account `default`: 2 queued, 2 completed, 1 rejected\n"));
    let object = ferry.object(&["stats", "--json"]);
    assert_eq!(object["account"], "default");
    assert_eq!(object["states"]["completed"], 2);
    assert_eq!(object["steps"]["upload"]["ready"], 2);
    assert_eq!(object["blocked_by"], serde_json::Value::Null);
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let ferry = Ferry::new();
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: there is no store at `ferry.db`
    hint: name the store with `--store` or FERRY_STORE; or make a new one: `ferry submit`
    ");
    for command in ["stats", "watch"] {
        assert_eq!(ferry.run(&[command]).exits(2).notes(), ferry.run(&["list"]).notes());
    }
    assert!(!ferry.path("ferry.db").exists());
    ferry.run(&["pause", "default", "--create"]).ok();
    ferry.run(&["resume", "default"]).ok();
    assert_snapshot!(ferry.run(&["list"]), @"
    exit 0
    ---- stdout
    ---- stderr
    the store sqlite:ferry.db is empty
    ");
}

/// The file with all of its log: a process may end before it has copied that.
fn whole_file(ferry: &Ferry) -> Vec<u8> {
    let path = ferry.path("ferry.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    connection.close().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn looking_writes_nothing_to_the_file() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv"]).ok();
    let before = whole_file(&ferry);
    for command in ["list", "stats"] {
        ferry.run(&[command]).ok();
    }
    assert!(before == whole_file(&ferry));
}

#[test]
fn a_limit_of_nothing_names_what_is_expected() {
    for limit in ["0", "-1", "many"] {
        let ran = Ferry::new().run(&["list", &format!("--limit={limit}")]).exits(2);
        assert!(ran.stderr.contains(": expected a whole number from 1; --all lists all"), "{ran}");
    }
}
