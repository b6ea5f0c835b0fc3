//! A submission that does not move says why, and what to do.

use ferry_sim::{Credentials, Endpoint, Fault, RetryAfter};
use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform, eventually};

fn remark(ferry: &Ferry, id: &str) -> String {
    let ran = ferry.run(&["status", id]).ok();
    ran.result().lines().nth(5).unwrap_or_default().trim().to_owned()
}

#[test]
fn for_another_of_its_name() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let first = ferry.run(&["submit", "march.csv"]).ok().id();
    let second = ferry.run(&["submit", "march.csv", "--overwrite"]).ok().id();
    assert_snapshot!(remark(&ferry, &first), @"waits for a worker");
    assert!(remark(&ferry, &second).starts_with("waits for ID-2 of the same name"));
    let object = ferry.object(&["status", "--json", &second]);
    assert_eq!(object["waiting_for"]["submission"], first.as_str());
}

#[test]
fn for_its_time() {
    let ferry = Ferry::new().file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv", "--not-before", "2100-01-01T00:00:00Z"]).ok().id();
    assert_snapshot!(remark(&ferry, &id), @"next upload at TIME UTC");
}

#[test]
fn for_better_credentials() {
    let platform = Platform::start();
    let wrong = Credentials { client_secret: "wrong".into(), ..Credentials::default() };
    let ferry = Ferry::of_account(&platform, &wrong).file("march.csv", GOOD);
    // Nothing more happens by itself, so this does not wait for ever.
    let ran = ferry.run(&["submit", "march.csv", "--wait"]);
    assert_snapshot!(ran.result(), @"
    exit 5
    ID-1  queued      march                 account `default` is paused: token endpoint: no token for this account (401): invalid_client (paused by a worker at TIME UTC); `ferry doctor` checks the credentials, `ferry resume default` after that resumes it
    ");
    assert_snapshot!(ran.stderr.lines().last().unwrap_or_default(), @"warning: no submission can progress without an operator: the submission is stored; `ferry worker` continues, `ferry watch ID` follows it");
    // The command waits until its time limit, because an operator may act until then.
    let ran = ferry.run(&["submit", "march.csv", "--name", "april", "--wait=100ms"]).exits(5);
    assert_snapshot!(ran.result(), @"
    exit 5
    ID-1  queued      april                 account `default` is paused: token endpoint: no token for this account (401): invalid_client (paused by a worker at TIME UTC); `ferry doctor` checks the credentials, `ferry resume default` after that resumes it
    ");
    let ferry = ferry.set("FERRY_CLIENT_SECRET", Credentials::default().client_secret);
    ferry.run(&["resume"]).ok();
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(ferry.run(&["list", "--state", "completed"]).ids().len(), 2);
}

#[test]
fn for_the_end_of_a_throttling() {
    let platform = Platform::start();
    platform.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(600.0)));
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let mut waiting = ferry.start(&["submit", "march.csv", "--wait"]);
    waiting.await_stderr("the Platform throttles account `default`");
    waiting.signal("INT");
    assert_eq!(waiting.end().code(), Some(5));
    let id = waiting.stdout().split(' ').next().unwrap_or_default().to_owned();
    let status = ferry.run(&["status", &id]).ok().stdout;
    let throttles = status.find("the Platform throttles account `default`").expect("a remark");
    let remark = status[throttles..].lines().next().unwrap_or_default();
    let stats = ferry.run(&["stats"]).ok();
    assert!(
        stats.stdout.contains(remark) && stats.stdout.contains(": throttled for 10m (429)"),
        "{}",
        stats.stdout
    );
}

#[test]
fn for_the_end_of_an_outage() {
    let platform = Platform::start();
    platform.sim.set_outage(true);
    let ferry = Ferry::of(&platform)
        .file("march.csv", GOOD)
        .set("FERRY_BREAKER_FAILURES", "2")
        .set("FERRY_BREAKER_OPEN_MAX", "10m");
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let _worker = ferry.start(&["worker"]);
    eventually("the outage", || {
        remark(&ferry, &id).contains("circuit breaker of account `default` is open, next probe at")
    });
}

#[test]
fn behind_a_held_one_of_its_name() {
    let platform = Platform::start();
    platform.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let held = ferry.run(&["submit", "march.csv", "--wait"]).exits(6).id();
    let ran = ferry.run(&["submit", "march.csv", "--overwrite", "--wait"]).exits(5);
    assert!(ran.stdout.contains(&format!("waits for {held} of the same name")), "{}", ran.stdout);
    // A worker has nothing to do, either.
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_snapshot!(ferry.run(&["resubmit", &held, "march.csv"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: submission ID-1 is held, and keeps its name
    hint: end it first: `ferry resolve ID-1 --fail`
    ");
}

#[test]
fn for_a_worker_that_knows_its_account() {
    let platform = Platform::start();
    let producer = Ferry::new().file("march.csv", GOOD);
    let id = producer.run(&["submit", "march.csv", "--account", "north"]).ok().id();
    let store = format!("sqlite:{}", producer.path("ferry.db").display());
    let worker = Ferry::of(&platform).set("FERRY_STORE", store);
    // It takes the step, finds that it cannot do it, and is idle all the same.
    let mut running = worker.start(&["worker", "--set", "lease=1s"]);
    eventually("the reason", || {
        worker.object(&["status", "--json", &id])["reason_code"] == "unknown_account"
    });
    running.signal("TERM");
    assert!(running.end().success());
    worker.run(&["worker", "--until-idle"]).ok();
    let remark = remark(&worker, &id);
    assert!(remark.starts_with("account `north` is not configured in the worker"), "{remark}");
    assert_eq!(platform.sim.ledger().requests, 0);
    let doctor = worker.run(&["doctor"]).exits(1);
    assert!(doctor.stdout.contains("unfinished submissions of account `north`"));
}
