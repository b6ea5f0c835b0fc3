//! The log of a night: what happened to the Platform and to accounts, from its warnings alone.

use std::time::Duration;

use ferry_sim::{Endpoint, Fault, RetryAfter};
use ferry_testing::RedisServer;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::harness::{Ferry, GOOD, Platform, eventually};
use super::running::Running;

/// The messages of these levels, so far.
fn messages(worker: &Running, levels: &[&str]) -> Vec<String> {
    let log = worker.stderr();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| levels.iter().any(|level| line["level"] == *level));
    lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

fn await_message(worker: &Running, part: &str) {
    eventually(part, || messages(worker, &["INFO", "WARN"]).iter().any(|m| m.contains(part)));
}

#[test]
fn the_warnings_of_a_worker_sum_up_a_night() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("good.csv", GOOD)
        .set("FERRY_BREAKER_FAILURES", "3")
        .set("FERRY_BREAKER_OPEN_MAX", "1s")
        .set("FERRY_LOG_FORMAT", "json");
    let submit = |name: &str| ferry.run(&["submit", "good.csv", "--name", name]).ok().id();
    let mut worker = ferry.start(&["worker"]);
    // The Platform is out, for several probes.
    platform.sim.set_outage(true);
    let ids: Vec<String> = (0..5).map(|n| submit(&format!("out {n}"))).collect();
    await_message(&worker, "opened");
    let before = platform.sim.ledger().requests;
    eventually("several probes", || platform.sim.ledger().requests > before + 3);
    platform.sim.set_outage(false);
    await_message(&worker, "closed");
    for id in &ids {
        ferry.await_state(id, "completed");
    }
    // An operator pauses the account, and the Platform throttles it for long.
    ferry.run(&["pause", "default", "--reason", "the auditors are here"]).ok();
    await_message(&worker, "is paused");
    ferry.run(&["resume", "default"]).ok();
    await_message(&worker, "was resumed");
    platform.sim.script(Endpoint::Upload, Fault::Throttle(RetryAfter::Seconds(600.0)));
    let throttled = submit("throttled");
    await_message(&worker, "throttles account `default` until ");
    ferry.run(&["resume", "default"]).ok();
    await_message(&worker, "is not throttled any more");
    ferry.await_state(&throttled, "completed");
    worker.signal("TERM");
    worker.end();
    let warnings = messages(&worker, &["WARN", "ERROR"]);
    let [outage, paused, held] = warnings.as_slice() else {
        panic!("each is one warning: {warnings:#?}");
    };
    for part in [
        "circuit breaker of account `default` opened after 3 failures",
        "next probe in 1s",
        "; last error: ",
        "`ferry doctor` probes from here",
    ] {
        assert!(outage.contains(part), "{part} is missing in {outage}");
    }
    assert!(paused.starts_with("account `default` is paused: the auditors are here"), "{paused}");
    assert!(paused.ends_with("; `ferry resume default` resumes it"), "{paused}");
    assert!(held.starts_with("the Platform throttles account `default` until 20"), "{held}");
    let ends = messages(&worker, &["INFO"]);
    let ends = ends.iter().filter(|message| message.contains(" after ")).count();
    assert_eq!(ends, 3, "each end is one line: {}", worker.stderr());
}

#[test]
fn a_platform_that_hangs_is_a_warning_before_the_breaker_opens() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("good.csv", GOOD)
        .set("FERRY_REQUEST_TIMEOUT", "1s")
        .set("FERRY_LOG_FORMAT", "json");
    // Each upload may have arrived: it is tried once more, and then held.
    for _ in 0..4 {
        platform.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_hours(1)));
    }
    let submit = |name: &str| ferry.run(&["submit", "good.csv", "--name", name]).ok().id();
    let hung = [submit("hung 1"), submit("hung 2")];
    let mut worker = ferry.start(&["worker"]);
    for id in &hung {
        ferry.await_state(id, "held");
    }
    await_message(&worker, "no request of account `default` has succeeded for ");
    let stats = ferry.run(&["stats"]).ok().stdout;
    assert!(stats.contains("no request of account `default` has succeeded since "), "{stats}");
    let next = submit("next");
    await_message(&worker, "requests of account `default` succeed again after ");
    ferry.await_state(&next, "completed");
    worker.signal("TERM");
    worker.end();
    let mut held = messages(&worker, &["ERROR"]);
    held.sort();
    assert_eq!(held.len(), hung.len(), "{held:#?}");
    for (message, name) in held.iter().zip(["hung 1", "hung 2"]) {
        assert!(message.starts_with(&format!("`{name}` is held, was uploading: ")), "{message}");
    }
    let warnings = messages(&worker, &["WARN"]);
    let [failing] = warnings.as_slice() else { panic!("the hang is one warning: {warnings:#?}") };
    for part in [", 4 failures in a row, and its circuit breaker is closed", "; last error: "] {
        assert!(failing.contains(part), "{part} is missing in {failing}");
    }
}

#[test]
fn a_resumption_during_an_outage_does_not_make_all_fine() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("good.csv", GOOD)
        .set("FERRY_BREAKER_FAILURES", "3")
        .set("FERRY_LOG_FORMAT", "json");
    platform.sim.set_outage(true);
    for name in ["1", "2", "3"] {
        ferry.run(&["submit", "good.csv", "--name", name]).ok();
    }
    let mut worker = ferry.start(&["worker"]);
    await_message(&worker, "opened");
    worker.signal("TERM");
    worker.end();
    ferry.run(&["resume", "default"]).ok();
    let stats = || ferry.run(&["stats"]).ok().stdout;
    let failing = "no request of account `default` has succeeded since ";
    assert!(stats().contains(failing), "{}", stats());
    platform.sim.set_outage(false);
    ferry.run(&["worker", "--until-idle"]).ok();
    assert!(!stats().contains(failing), "{}", stats());
}

#[test]
fn a_restart_of_redis_is_one_warning_of_each_process() {
    let (platform, runtime) = (Platform::busy(), Runtime::new().unwrap());
    let redis = runtime.block_on(RedisServer::start(&[]));
    let ferry = Ferry::of(&platform)
        .stored_on(&redis)
        .file("good.csv", GOOD)
        .set("FERRY_LOG_FORMAT", "json");
    // With metrics, so that every part of a process uses the store.
    let args = ["worker", "--set", "metrics_listen=127.0.0.1:0", "--set", "lease=3s"];
    let mut worker = ferry.start(&args);
    let ids: Vec<String> = ["1", "2", "3"]
        .map(|name| ferry.run(&["submit", "good.csv", "--name", name]).ok().id())
        .into();
    for outage in 1..=2 {
        let lines = |part: &str| {
            let all = messages(&worker, &["INFO", "WARN"]);
            all.iter().filter(|message| message.contains(part)).count()
        };
        eventually("the restart before is over", || lines("works again") == outage - 1);
        redis.kill();
        eventually("the worker warns", || lines("the store fails") == outage);
        runtime.block_on(redis.resume());
        eventually("it ends", || lines("the store works again after ") == outage);
    }
    for id in &ids {
        ferry.await_state(id, "processing");
    }
    worker.signal("TERM");
    worker.end();
    let warnings = messages(&worker, &["WARN", "ERROR"]);
    assert_eq!(warnings.len(), 2, "one for each restart: {warnings:#?}");
    for warning in &warnings {
        assert!(warning.starts_with("the store fails, retrying; "), "{warning}");
        assert!(warning.contains("ferry doctor"), "{warning}");
    }
}
