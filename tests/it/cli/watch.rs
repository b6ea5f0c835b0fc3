//! `ferry watch`: follows what others carry.

use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform, REJECTED, assert_is_submission};

#[test]
fn ids_are_followed_to_their_end_which_makes_the_exit_code() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("good.csv", GOOD).file("bad.csv", REJECTED);
    let ids = ferry.run(&["submit", "good.csv", "bad.csv"]).ok().ids();
    let mut watch = ferry.start(&["watch", "--json", &ids[0], &ids[1]]);
    watch.await_stderr("queued");
    assert!(watch.is_alive());
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(watch.end().code(), Some(4));
    let objects: Vec<serde_json::Value> = watch
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    objects.iter().for_each(assert_is_submission);
    let states: Vec<&str> = objects.iter().filter_map(|object| object["state"].as_str()).collect();
    assert_eq!(states, ["completed", "rejected"]);
    assert_snapshot!(ferry.run(&["watch", &ids[0]]), @"
    exit 0
    ---- stdout
    ID-1  completed   good                  after SPAN, 1 poll
    ---- stderr
    ID-1  completed   good                  after SPAN, 1 poll
    ");
}

#[test]
fn a_limit_ends_it() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    assert_snapshot!(ferry.run(&["watch", &id, "--timeout", "50ms"]), @"
    exit 5
    ---- stdout
    ID-1  queued      march                 waits for a worker
    ---- stderr
    ID-1  queued      march                 waits for a worker
    ");
    assert_snapshot!(ferry.run(&["watch", "--timeout", "50ms"]), @"
    exit 0
    ---- stdout
    ---- stderr
    ID-1  queued      march                 waits for a worker
    ");
    assert_snapshot!(ferry.run(&["watch", &id, "--timeout", "soon"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: invalid value 'soon' for '--timeout <DURATION>': expected a duration such as 50ms, 2s, 5m, 24h or 30d

    For more information, try '--help'.
    ");
}

#[test]
fn without_ids_all_that_is_unfinished_is_shown_until_a_signal() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let mut watch = ferry.start(&["watch", "--json"]);
    watch.await_stderr("queued");
    ferry.run(&["worker", "--until-idle"]).ok();
    watch.await_stderr("completed");
    watch.signal("INT");
    assert_eq!(watch.end().code(), Some(0));
    let last: serde_json::Value =
        serde_json::from_str(watch.stdout().lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&last["id"], &last["state"]), (&id.as_str().into(), &"completed".into()));
}

#[test]
fn it_says_that_it_waits_and_keeps_its_columns() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    ferry.run(&["pause", "default", "--create"]).ok();
    let mut watch = ferry.start(&["watch"]);
    watch.await_stderr("nothing is unfinished: waiting for submissions");
    let long = "a-name-of-more-characters-than-its-column";
    let ids = [long, "short"].map(|name| {
        let id = ferry.run(&["submit", "march.csv", "--name", name]).ok().id();
        watch.await_stderr(&id);
        id
    });
    watch.signal("INT");
    assert_eq!(watch.end().code(), Some(0));
    let text = watch.stderr();
    let remarks: Vec<Option<usize>> = ids
        .iter()
        .map(|id| {
            let line = text.lines().find(|line| line.starts_with(id.as_str())).expect("its line");
            let at = line.find("account `default` is paused")?;
            Some(line[..at].chars().count())
        })
        .collect();
    assert_eq!(remarks[0], remarks[1], "{text}");
    assert!(remarks[0].is_some(), "{text}");
}
