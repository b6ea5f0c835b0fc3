//! A store that accepts no writes: everything that reads works, what writes says why, and work continues
//! when there is space again.

use std::time::{Duration, Instant};

use ferry_testing::RedisServer;
use reqwest::Method;
use tokio::runtime::Runtime;

use crate::api::harness::client;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, eventually};

/// Commands that only read.
fn read_everything(ferry: &Ferry, id: &str) {
    assert!(ferry.run(&["stats"]).ok().stdout.contains("default"));
    assert!(ferry.run(&["list"]).ok().stdout.contains(id));
    assert!(ferry.run(&["status", id]).ok().stdout.contains(id));
    assert!(!ferry.run(&["results", id]).ok().stdout.is_empty());
}

#[test]
fn a_redis_that_accepts_no_writes_can_be_read_and_doctor_reports_it_once() {
    for (forbid, allow, reason, way_out) in [
        ("CONFIG SET maxmemory 1mb", "CONFIG SET maxmemory 0", "is full", "maxmemory"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "CONFIG SET min-replicas-to-write 0",
            "too few replicas",
            "min-replicas-to-write",
        ),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "is read-only", "master"),
    ] {
        let (platform, runtime) = (Platform::start(), Runtime::new().unwrap());
        let server = runtime.block_on(RedisServer::start(&[]));
        let ferry = Ferry::of(&platform).stored_on(&server).file("march.csv", GOOD);
        let id = ferry.run(&["submit", "march.csv", "--wait", "--json"]).ok().objects()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        runtime.block_on(server.ask::<()>(forbid));
        read_everything(&ferry, &id);
        let failed = ferry.run(&["submit", "march.csv", "--name", "april"]).exits(1);
        assert!(failed.stderr.contains(reason), "{failed}");
        assert!(failed.stderr.contains("hint:") && failed.stderr.contains(way_out), "{failed}");
        let doctor = ferry.run(&["doctor", "--offline"]).exits(1);
        let about: Vec<_> = doctor.stdout.lines().filter(|line| line.contains(reason)).collect();
        assert_eq!(about.len(), 1, "{doctor}");
        assert!(about[0].starts_with("FAIL"), "{doctor}");
        assert!(doctor.stdout.contains("the records of 1 submission can be read"), "{doctor}");
        assert!(!doctor.stdout.contains("ferry doctor"), "{doctor}");
        runtime.block_on(server.ask::<()>(allow));
        ferry.run(&["submit", "march.csv", "--name", "april", "--wait"]).ok();
    }
}

#[test]
fn a_redis_that_pauses_writes_is_reported_once_in_bounded_time() {
    let (platform, runtime) = (Platform::start(), Runtime::new().unwrap());
    let server = runtime.block_on(RedisServer::start(&[]));
    let ferry = Ferry::of(&platform).stored_on(&server).file("march.csv", GOOD);
    ferry.run(&["submit", "march.csv"]).ok();
    runtime.block_on(server.ask::<()>("CLIENT PAUSE 1000000 WRITE"));
    let started = Instant::now();
    let doctor = ferry.run(&["doctor", "--offline"]).exits(1);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let failed: Vec<_> = doctor.stdout.lines().filter(|line| line.contains("FAIL")).collect();
    assert_eq!(failed.len(), 1, "{doctor}");
    assert!(failed[0].contains("pauses writes"), "{doctor}");
    assert!(doctor.stdout.contains("hint: wait for the end of the `CLIENT PAUSE`"), "{doctor}");
    for other in ["the server appends every change", "the records of 1 submission can be read"] {
        assert!(doctor.stdout.contains(other), "{doctor}");
    }
    runtime.block_on(server.ask::<()>("CLIENT UNPAUSE"));
    ferry.run(&["doctor", "--offline"]).ok();
}

#[test]
fn a_file_that_may_not_be_written_can_be_read_and_each_change_fails() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("store/march.csv", GOOD);
    let ferry = ferry.set("FERRY_STORE", "sqlite:store/ferry.db");
    let submit = ["submit", "store/march.csv", "--wait", "--json"];
    let id = ferry.run(&submit).ok().objects()[0]["id"].as_str().unwrap().to_owned();
    // A process that ended may have left its log, which the next one merges.
    eventually("the log is in the file", || {
        ferry.run(&["list"]).ok();
        !ferry.path("store/ferry.db-wal").exists()
    });
    let allow = |folder: u32, file: u32| {
        let mode = |path, mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(ferry.path(path), mode).unwrap();
        };
        mode("store/ferry.db", file);
        mode("store", folder);
    };
    let names = || std::fs::read_dir(ferry.path("store")).unwrap().count();
    for (folder, file) in [(0o500, 0o400), (0o500, 0o600), (0o700, 0o400)] {
        let before = names();
        allow(folder, file);
        let run = |args: &[&str]| ferry.run_without_privileges(args);
        assert!(run(&["list"]).ok().stdout.contains(&id));
        assert!(run(&["stats"]).ok().stdout.contains("default"));
        assert!(run(&["status", &id]).ok().stdout.contains("completed"));
        assert!(run(&["data", &id]).ok().stdout.contains("Reference"));
        assert!(!run(&["results", &id]).ok().stdout.is_empty());
        let failed = run(&["refetch", &id]).exits(1);
        assert!(failed.stderr.contains("is read-only: `store"), "{failed}");
        assert!(failed.stderr.contains("Permission denied"), "{failed}");
        assert!(failed.stderr.contains("hint: make the file and its folder writable"), "{failed}");
        let failed = run(&["submit", "store/march.csv", "--name", "april"]).exits(1);
        assert!(failed.stderr.contains("must be writable for this user"), "{failed}");
        let doctor = run(&["doctor", "--offline"]).exits(1);
        let failed: Vec<_> = doctor.stdout.lines().filter(|line| line.contains("FAIL")).collect();
        assert_eq!(failed.len(), 1, "{doctor}");
        assert!(failed[0].contains("is read-only"), "{doctor}");
        assert_eq!(names(), before, "nothing is created beside it");
    }
    allow(0o700, 0o600);
    ferry.run(&["submit", "store/march.csv", "--name", "april", "--wait"]).ok();
}

#[test]
fn a_server_on_a_full_store_responds_507_logs_once_and_continues() {
    let (platform, runtime) = (Platform::start(), Runtime::new().unwrap());
    let redis = runtime.block_on(RedisServer::start(&[]));
    let ferry = Ferry::of(&platform).stored_on(&redis);
    ferry.write("march.csv", GOOD);
    let first = ferry.run(&["submit", "march.csv", "--wait", "--json"]).ok().objects()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let waiting = ferry.run(&["submit", "march.csv", "--name", "april", "--json"]).ok().objects()
        [0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    runtime.block_on(redis.ask::<()>("CONFIG SET maxmemory 1mb"));
    let server = serve(&ferry, &[]);
    let base = url(&server);
    let ask = |method: Method, path: &str, body: &'static str| {
        let request = client().request(method, format!("{base}{path}"));
        let request = request.header("content-type", "application/json").body(body);
        runtime.block_on(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    };
    for path in ["/v1/stats", "/v1/submissions", &format!("/v1/submissions/{first}")] {
        let (status, body) = ask(Method::GET, path, "");
        assert_eq!(status, 200, "{path}: {body}");
    }
    let body = r#"{"name": "may", "data": "SITE-001,03/03/2025,08:00,03/03/2025,16:30\n"}"#;
    let (status, problem) = ask(Method::POST, "/v1/submissions", body);
    assert_eq!(status, 507, "{problem}");
    assert!(problem.contains("/docs#store-full"), "{problem}");
    server.await_stderr("the store fails, retrying");
    runtime.block_on(redis.ask::<()>("CONFIG SET maxmemory 0"));
    ferry.await_state(&waiting, "completed");
    server.await_stderr("the store works again after ");
    let log = server.stderr();
    let begun: Vec<_> = log.lines().filter(|line| line.contains("the store fails")).collect();
    let [begun] = begun[..] else { panic!("one line, although all its parts met it: {log}") };
    assert!(begun.contains(" is full: ") && begun.contains("`maxmemory` of Redis"), "{begun}");
    assert!(!log.contains("cannot claim"), "{log}");
}
