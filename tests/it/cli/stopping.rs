//! Signals: the first drains, the second does not wait.

use std::time::{Duration, Instant};

use ferry_sim::{Endpoint, Fault};

use super::harness::{Ferry, GOOD, Platform, eventually};

/// A worker in the middle of an upload that takes long.
fn uploading(platform: &Platform, takes: Duration) -> (Ferry, super::running::Running, String) {
    platform.sim.script(Endpoint::Upload, Fault::Stall(takes));
    let ferry = Ferry::of(platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let worker = ferry.start(&["worker", "--set", "shutdown_timeout=20s"]);
    eventually("the upload", || platform.sim.ledger().accepted() == 1);
    (ferry, worker, id)
}

#[test]
fn a_running_step_may_finish_within_the_grace_time() {
    let platform = Platform::start();
    let (ferry, mut worker, id) = uploading(&platform, Duration::from_millis(700));
    worker.signal("TERM");
    worker.await_stderr("stopping: running steps may finish; once more to abort them");
    assert_eq!(worker.end().code(), Some(0), "{}", worker.stderr());
    // Its outcome was recorded, and the next step is free for others at once.
    let object = ferry.object(&["status", "--json", &id]);
    assert_eq!((&object["state"], &object["upload_attempts"]), (&"processing".into(), &1.into()));
    let stats = ferry.object(&["stats", "--json"]);
    assert_eq!(stats["steps"]["poll"]["running"], 0);
    ferry.run(&["worker", "--until-idle"]).ok();
    ferry.await_state(&id, "completed");
}

#[test]
fn a_second_signal_leaves_the_running_step() {
    let platform = Platform::start();
    let (ferry, mut worker, id) = uploading(&platform, Duration::from_mins(1));
    let started = Instant::now();
    worker.signal("TERM");
    worker.await_stderr("stopping: ");
    worker.signal("TERM");
    assert_eq!(worker.end().code(), Some(0), "{}", worker.stderr());
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(worker.stderr().contains("stopping at once"));
    let object = ferry.object(&["status", "--json", &id]);
    assert_eq!(object["reason_code"], "ambiguous");
    let stats = ferry.object(&["stats", "--json"]);
    assert_eq!(stats["steps"]["upload"]["running"], 0);
}

#[test]
fn the_grace_time_ends_by_itself() {
    let platform = Platform::start();
    platform.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_mins(1)));
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv"]).ok();
    let mut worker = ferry.start(&["worker", "--set", "shutdown_timeout=200ms"]);
    eventually("the upload", || platform.sim.ledger().accepted() == 1);
    worker.signal("INT");
    assert_eq!(worker.end().code(), Some(0), "{}", worker.stderr());
}

#[test]
fn an_interrupted_wait_keeps_the_submission_and_exits_5() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let mut waiting = ferry.start(&["submit", "march.csv", "--wait"]);
    waiting.await_stderr("processing");
    waiting.signal("INT");
    assert_eq!(waiting.end().code(), Some(5));
    assert!(waiting.stderr().contains("interrupted: the submission is stored"));
    assert_eq!(ferry.run(&["list", "--state", "processing"]).ok().ids().len(), 1);
}
