//! Submissions are named by a beginning of their id, or by their name.

use super::harness::{Ferry, GOOD, Platform, REJECTED};

/// A store with two submissions of the name `march`, of which the second waits, and one named `april`.
fn three(platform: &Platform) -> (Ferry, [String; 3]) {
    let ferry = Ferry::of(platform).file("good.csv", GOOD).file("bad.csv", REJECTED);
    let first = ferry.run(&["submit", "good.csv", "-n", "march", "-w"]).ok().id();
    let april = ferry.run(&["submit", "bad.csv", "-n", "april", "-w"]).exits(4).id();
    let second = ferry.run(&["submit", "good.csv", "-n", "march", "--overwrite"]).ok().id();
    (ferry, [first, april, second])
}

#[test]
fn a_beginning_that_only_one_id_has_stands_for_it_in_every_command() {
    let platform = Platform::start();
    let (ferry, [first, april, second]) = three(&platform);
    // Times of the ids differ, so that without the last character of the time there may be two.
    let short = |id: &str| id[..22].to_lowercase();
    let (first_short, april_short, second_short) = (short(&first), short(&april), short(&second));
    for (args, code) in [
        (vec!["status", &first_short], 0),
        (vec!["results", &first_short], 0),
        (vec!["watch", &first_short], 0),
        (vec!["refetch", &first_short], 0),
        (vec!["webhooks", "list", &first_short], 0),
        (vec!["feedback", &april_short], 0),
        (vec!["resubmit", &april_short, "good.csv"], 0),
        (vec!["cancel", &second_short], 0),
    ] {
        ferry.run(&args).exits(code);
    }
    // The error of an operation that is not allowed names the submission that was meant.
    for (command, id) in [("retry", &first), ("resolve", &first), ("webhooks", &first)] {
        let short = short(id);
        let args = match command {
            "resolve" => vec!["resolve", &short, "--fail"],
            "webhooks" => vec!["webhooks", "redeliver", &short],
            command => vec![command, &short],
        };
        let ran = ferry.run(&args);
        assert!(ran.code != 0 && ran.stderr.contains(id.as_str()), "{args:?}: {ran}");
    }
    assert_eq!(ferry.object(&["status", "--json", &second_short])["state"], "cancelled");
}

#[test]
fn an_ambiguous_beginning_names_the_candidates_and_changes_nothing() {
    let platform = Platform::start();
    let (ferry, ids) = three(&platform);
    let ran = ferry.run(&["cancel", &ids[0][..4]]).exits(2);
    for id in &ids {
        assert!(ran.stderr.contains(id.as_str()), "{ran}");
    }
    assert!(ran.stderr.contains("several ids begin `") && ran.stderr.contains(" april"), "{ran}");
    assert!(ran.stderr.contains("hint: add characters"), "{ran}");
    assert_eq!(ferry.object(&["status", "--json", &ids[2]])["state"], "queued");
    let unknown = ferry.run(&["status", "01ARYZ6S"]).exits(2);
    assert!(unknown.stderr.contains("no submission has an id that begins `01ARYZ6S`"), "{unknown}");
    let short = ferry.run(&["status", "01K"]).exits(2);
    assert!(short.stderr.contains("at least 4"), "{short}");
}

#[test]
fn a_name_stands_for_its_newest_submission() {
    let platform = Platform::start();
    let (ferry, [_, april, second]) = three(&platform);
    assert_eq!(ferry.object(&["status", "--json", "-n", "march"])["id"], second.as_str());
    let other = ferry.run(&["status", "--name", "march", "--account", "other"]).exits(2);
    assert!(other.stderr.contains("no submission has the name `march`"), "{other}");
    ferry.run(&["status", "--name", "march", &april]).exits(2);
    ferry.run(&["status"]).exits(2);
    // It follows what others run.
    let mut follow = ferry.start(&["status", "-f", "--name", "march"]);
    follow.await_stderr("queued");
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(follow.end().code(), Some(0));
    assert!(follow.stdout().contains("completed"), "{}", follow.stdout());
    let revision = ferry.run(&["resubmit", "-n", "april", "good.csv", "-w"]).ok().id();
    let shown = ferry.object(&["status", "--json", &revision]);
    assert_eq!(
        (&shown["revision_of"], &shown["state"]),
        (&april.as_str().into(), &"completed".into())
    );
}

#[test]
fn a_command_without_a_submission_names_both_ways_to_name_one() {
    let ferry = Ferry::new();
    for command in ["data", "status", "results", "feedback"] {
        let ran = ferry.run(&[command]).exits(2);
        let missing = ran.stderr.lines().nth(1).unwrap_or_default();
        assert!(missing.contains("ID") && missing.contains("--name <NAME>"), "{command}: {ran}");
    }
    let both = ferry.run(&["status", "01KDXB8W4S9ZT2M3Q5R7V1C6HY", "--name", "march"]).exits(2);
    assert!(both.stderr.contains("cannot be used with"), "{both}");
}
