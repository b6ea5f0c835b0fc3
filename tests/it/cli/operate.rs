//! Pause, resume, cancel, retry: an operator's commands and their output.

use insta::assert_snapshot;

use ferry_types::clock::{Clock, SystemClock};

use super::harness::{Ferry, GOOD, Platform, assert_is_submission, eventually};

#[test]
fn a_paused_account_waits_and_says_why_until_it_is_resumed() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    assert_snapshot!(ferry.run(&["pause", "--reason", "the Platform moves house"]), @"
    exit 0
    ---- stdout
    account `default` is paused: the Platform moves house (paused by user `USER` at TIME UTC); `ferry resume default` resumes it
    ---- stderr
    ");
    let ran = ferry.run(&["submit", "march.csv"]).ok();
    assert_snapshot!(ran, @"
    exit 0
    ---- stdout
    ID-1  queued      march                 account `default` is paused: the Platform moves house (paused by user `USER` at TIME UTC); `ferry resume default` resumes it
    ---- stderr
    ");
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(platform.sim.ledger().requests, 0);
    let object = ferry.object(&["status", "--json", &ran.id()]);
    let reason = object["waiting_for"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("the Platform moves house (paused by user `"), "{reason}");
    let stats = ferry.run(&["stats"]).ok();
    let said = stats.stdout.lines().find(|line| line.contains("is paused"));
    assert_snapshot!(super::redact::redact(said.unwrap_or_default()), @"  ! account `default` is paused: the Platform moves house (paused by user `USER` at TIME UTC); `ferry resume default` resumes it");
    assert_snapshot!(ferry.run(&["resume"]), @"
    exit 0
    ---- stdout
    account `default` resumed
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["resume"]), @"
    exit 0
    ---- stdout
    account `default` was not paused, throttled or blocked
    ---- stderr
    ");
    ferry.run(&["worker", "--until-idle"]).ok();
    ferry.await_state(&ran.id(), "completed");
}

#[test]
fn a_dataset_whose_deadline_passed_while_its_account_was_paused_is_never_uploaded() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    ferry.run(&["pause"]).ok();
    let id = ferry.run(&["submit", "march.csv", "--deadline", "200ms"]).ok().id();
    let behind = ferry.run(&["submit", "march.csv", "--deadline", "200ms"]).ok().id();
    eventually("the deadline passes", || {
        let object = ferry.object(&["status", "--json", &behind]);
        let deadline: chrono::DateTime<chrono::Utc> =
            object["deadline"].as_str().expect("a time").parse().expect("a time");
        SystemClock.now() > deadline
    });
    ferry.run(&["resume"]).ok();
    ferry.run(&["worker", "--until-idle"]).ok();
    for id in [id, behind] {
        let object = ferry.object(&["status", "--json", &id]);
        assert_eq!(object["state"], "failed", "{object}");
        assert_eq!(
            (&object["reason_code"], &object["upload_attempts"]),
            (&"deadline".into(), &0.into())
        );
        let reason = object["reason"].as_str().unwrap_or_default();
        let deadline = object["deadline"].as_str().unwrap_or_default().replace('T', " ");
        assert!(reason.contains("passed before the upload was sent"), "{reason}");
        assert!(reason.contains(&deadline[..19]), "{reason} names {deadline}");
    }
    assert_eq!(platform.sim.ledger().accepted(), 0);
}

#[test]
fn pause_and_resume_speak_json() {
    let ferry = Ferry::new();
    let object = ferry.object(&["pause", "north", "--create", "--reason", "r", "--json"]);
    let paused = object["pause_reason"].as_str().expect("a reason");
    assert_eq!(object["account"], "north");
    assert!(paused.starts_with("r (paused by user `") && paused.ends_with(" UTC)"), "{paused}");
    let object = ferry.object(&["resume", "north", "--json"]);
    let expected = serde_json::json!({ "account": "north", "pause_reason": null, "changed": true });
    assert_eq!(object, expected);
}

#[test]
fn an_unknown_account_is_paused_on_request_alone_and_not_resumed() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    assert_snapshot!(ferry.run(&["pause", "defualt"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: account `defualt` is neither configured here nor in the store
    hint: list the accounts of the store: `ferry stats`; or add --create to pause one before its first submission
    ");
    assert_eq!(ferry.run(&["stats"]).ok().stdout, "");
    assert_snapshot!(ferry.run(&["pause", "defualt", "--create"]), @"
    exit 0
    ---- stdout
    account `defualt` is paused: paused by an operator (paused by user `USER` at TIME UTC); `ferry resume defualt` resumes it
    ---- stderr
    ");
    assert_snapshot!(ferry.run(&["resume", "north"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: there is no account `north`
    hint: list the accounts of the store: `ferry stats`
    ");
}

#[test]
fn what_is_cancelled_is_not_uploaded() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD).file("april.csv", GOOD);
    let ids = ferry.run(&["submit", "march.csv", "april.csv"]).ok().ids();
    let unknown = "01KDXB8W4S9ZT2M3Q5R7V1C6HY";
    assert_snapshot!(ferry.run(&["cancel", &ids[0], unknown, &ids[1]]), @"
    exit 2
    ---- stdout
    ID-1  cancelled   march                 cancelled (after SPAN, 0 polls)
    ID-2  cancelled   april                 cancelled (after SPAN, 0 polls)
    ---- stderr
    error: there is no submission ID-3
    hint: list what the store has: `ferry list`; or name another store: `--store`
    ");
    assert_snapshot!(ferry.run(&["cancel", &ids[0]]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 is cancelled and cannot be cancelled
    hint: submit its dataset again: `ferry submit FILE`, with `--overwrite` if an upload of it may have arrived
    ");
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(platform.sim.ledger().requests, 0);
    let again = ferry.run(&["submit", "march.csv", "--name", "other"]).ok().id();
    let object = ferry.object(&["cancel", "--json", &again]);
    assert_is_submission(&object);
    assert_eq!(
        (&object["state"], &object["reason_code"]),
        (&"cancelled".into(), &"operator".into())
    );
}

#[test]
fn a_failed_submission_resumes_where_it_stopped() {
    let platform = Platform::start();
    platform.sim.set_outage(true);
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["submit", "march.csv", "--deadline", "200ms", "--wait"]).exits(1);
    let id = ran.id();
    let status = ferry.run(&["status", &id]).ok();
    assert!(
        status.stdout.contains(&format!("next         `ferry retry {id}`")),
        "{}",
        status.stdout
    );
    platform.sim.set_outage(false);
    let object = ferry.object(&["retry", "--json", &id]);
    assert_is_submission(&object);
    assert_eq!((&object["state"], &object["reason"]), (&"queued".into(), &"retried".into()));
    ferry.run(&["worker", "--until-idle"]).ok();
    ferry.await_state(&id, "completed");
    assert_snapshot!(ferry.run(&["retry", &id]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 is completed: only a failed one can be retried
    hint: overwrite it with a new submission of its name: `ferry submit --overwrite`
    ");
}

#[test]
fn a_retry_that_is_not_allowed_says_what_stands_in_its_way() {
    let platform = Platform::start();
    platform.sim.set_outage(true);
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let ran = ferry.run(&["submit", "march.csv", "--deadline", "200ms", "--wait"]).exits(1);
    let (id, newer) = (ran.id(), ferry.run(&["submit", "march.csv"]).ok().id());
    assert_snapshot!(ferry.run(&["retry", &id]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 cannot be retried: the newer submission ID-2 of its name is unfinished
    hint: wait until ID-2 is finished, or cancel it: `ferry cancel ID-2`
    ");
    ferry.run(&["cancel", &newer]).ok();
    ferry.run(&["retry", &id]).ok();
}

#[test]
fn a_running_step_ends_before_its_submission_is_cancelled() {
    let platform = Platform::start();
    let stall = ferry_sim::Fault::Stall(std::time::Duration::from_millis(1500));
    platform.sim.script(ferry_sim::Endpoint::Upload, stall);
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let mut worker = ferry.start(&["worker", "--until-idle"]);
    eventually("the upload", || platform.sim.ledger().accepted() == 1);
    assert_snapshot!(ferry.run(&["cancel", &id]), @"
    exit 0
    ---- stdout
    ID-1  uploading   march                 running
    ---- stderr
    ID-1 will be cancelled when its running step ends
    ");
    assert!(worker.end().success());
    ferry.await_state(&id, "cancelled");
}
