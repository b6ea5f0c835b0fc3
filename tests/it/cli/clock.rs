//! A step of the wall clock under a running process: a real one, as far as the process can know.

use std::path::{Path, PathBuf};

use ferry_testing::RedisServer;

use super::harness::{Ferry, GOOD, Platform, eventually};

/// The library that changes the time that a process reads.
fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("there are libraries").flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.exists()).expect(
        "libfaketime is needed: `scripts/test` installs it, or `apt-get install faketime` on Debian",
    )
}

fn polls(ferry: &Ferry, id: &str) -> u64 {
    ferry.object(&["status", "--json", id])["polls"].as_u64().expect("a number")
}

/// Environment of a process whose clock is moved by what the file `clock` says.
fn moved_by(clock: &Path) -> [(&'static str, String); 4] {
    [
        ("LD_PRELOAD", libfaketime().display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// A server that polls often.
fn polling(platform: &Platform) -> Ferry {
    Ferry::of(platform)
        .set("FERRY_POLL_INITIAL", "200ms")
        .set("FERRY_POLL_MAX", "1s")
        .set("FERRY_LEASE", "3s")
        .set("FERRY_LISTEN", "127.0.0.1:0")
        .file("good.csv", GOOD)
}

/// Steps the clock back and forward under `ferry serve`, whose polls continue, and which logs each
/// step once.
fn logs_each_step_and_delays_nothing(ferry: &Ferry, clock: &Path) {
    let mut serving = ferry.start(&["serve"]);
    let id = ferry.run(&["submit", "good.csv"]).ok().id();
    eventually("a first poll", || polls(ferry, &id) > 0);
    for (step, direction) in [("-3600", "back by 3600"), ("+3600", "forward by 7200")] {
        let before = polls(ferry, &id);
        std::fs::write(clock, step).unwrap();
        eventually("further polls", || polls(ferry, &id) > before + 5);
        let status = ferry.object(&["status", "--json", &id]);
        assert!(!status["upload_ambiguous"].as_bool().unwrap_or_default(), "{status}");
        let log = serving.stderr();
        let logged: Vec<_> = log.lines().filter(|line| line.contains("stepped")).collect();
        assert!(logged.last().is_some_and(|line| line.contains(direction)), "{direction}: {log}");
    }
    serving.signal("TERM");
    serving.end();
    let steps = serving.stderr().lines().filter(|line| line.contains("stepped")).count();
    assert_eq!(steps, 2, "{}", serving.stderr());
}

#[test]
fn a_step_of_the_clock_delays_no_poll_and_is_logged_once() {
    let platform = Platform::slow();
    let ferry = polling(&platform).file("clock", "+0");
    let clock = ferry.path("clock");
    let ferry =
        moved_by(&clock).into_iter().fold(ferry, |ferry, (name, value)| ferry.set(name, value));
    logs_each_step_and_delays_nothing(&ferry, &clock);
}

#[test]
fn a_step_of_the_clock_of_redis_delays_no_poll_and_is_logged_once() {
    let platform = Platform::slow();
    let ferry = polling(&platform).file("clock", "+0");
    let clock = ferry.path("clock");
    let mut env = moved_by(&clock);
    // The allocator of Redis reads the clock before the library is ready: that of C, which does not, comes
    // first.
    env[0].1 += " libc.so.6";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(RedisServer::start_with(&[], &env));
    logs_each_step_and_delays_nothing(&ferry.stored_on(&server), &clock);
}
