//! `ferry worker`: runs the steps of submissions from other processes.

use ferry_sim::{Endpoint, Fault};
use insta::assert_snapshot;

use super::harness::{Ferry, GOOD, Platform, eventually};

fn many(count: usize) -> String {
    let line = |n| format!("{}\n", serde_json::json!({ "name": format!("n{n}"), "data": GOOD }));
    (0..count).map(line).collect()
}

#[test]
fn until_idle_uploads_everything_and_ends() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("many.ndjson", many(50));
    ferry.run(&["submit", "--ndjson", "many.ndjson"]).ok();
    let ran = ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(ran.stdout, "");
    assert_snapshot!(ran.stderr.lines().last().unwrap_or_default(), @"idle: 50 completed");
    assert_eq!(platform.sim.ledger().accepted(), 50);
    let object = ferry.object(&["worker", "--until-idle", "--json"]);
    assert_eq!(
        object,
        serde_json::json!({ "idle": true, "states": { "completed": 50 }, "undelivered_webhooks": 0 })
    );
    let again = ferry.run(&["worker", "--until-idle", "--set", "log=error"]).ok();
    assert_snapshot!(again, @"
    exit 0
    ---- stdout
    ---- stderr
    idle: 50 completed
    ");
}

#[test]
fn until_idle_runs_a_refetch_that_was_requested() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv", "--wait"]).ok().id();
    // The first try fails, so that the refetch waits when the worker looks for work.
    for _ in 0..3 {
        let headers = Vec::new();
        let missing = Fault::Respond { status: 404, headers, body: String::new() };
        platform.sim.script(Endpoint::Results, missing);
    }
    ferry.run(&["refetch", &id]).ok();
    ferry
        .run(&[
            "worker",
            "--until-idle",
            "--set",
            "retry_initial=400ms",
            "--set",
            "retry_max=400ms",
        ])
        .ok();
    assert!(platform.sim.is_script_done(), "the refetch was left undone");
    assert_eq!(ferry.object(&["status", "--json", &id])["reason"], serde_json::Value::Null);
}

#[test]
fn until_idle_says_when_it_was_stopped_before() {
    let platform = Platform::slow();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    let mut worker = ferry.start(&["worker", "--until-idle"]);
    ferry.await_state(&id, "processing");
    worker.signal("TERM");
    assert_eq!(worker.end().code(), Some(0));
    worker.await_stderr("stopped before all was done: 1 processing");
}

#[test]
fn until_idle_says_which_webhooks_are_left() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform)
        .file("march.csv", GOOD)
        .set("FERRY_WEBHOOK_ALLOW", "127.0.0.1")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "yes")
        .set("FERRY_WEBHOOK_BACKOFF_INITIAL", "1h")
        .set("FERRY_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    // Nothing listens on that port.
    ferry.run(&["submit", "march.csv", "--webhook-url", "http://127.0.0.1:9/hook"]).ok();
    let ran = ferry.run(&["worker", "--until-idle"]).ok();
    assert!(ran.stderr.contains("\nidle: 1 completed\n1 webhook is not delivered yet: "), "{ran}");
    let object = ferry.object(&["worker", "--until-idle", "--json"]);
    assert_eq!(object["undelivered_webhooks"], 1);
}

#[test]
fn without_an_account_nothing_can_be_uploaded() {
    assert_snapshot!(Ferry::new().run(&["worker"]), @"
    exit 2
    ---- stdout
    ---- stderr
    error: no account is configured: nothing can be uploaded
    hint: export FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and FERRY_API_KEY; or rehearse with `ferry simulate`, which prints such lines
    ");
}

#[test]
fn two_workers_share_a_store() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("many.ndjson", many(60));
    ferry.run(&["submit", "--ndjson", "many.ndjson"]).ok();
    let mut workers = [(); 2].map(|()| ferry.start(&["worker", "--until-idle"]));
    for worker in &mut workers {
        assert!(worker.end().success());
    }
    let stats = ferry.object(&["stats", "--json"]);
    assert_eq!(stats["states"], serde_json::json!({ "completed": 60 }));
    let ledger = platform.sim.ledger();
    assert_eq!((ledger.accepted(), ledger.doubled()), (60, vec![]));
}

#[test]
fn a_worker_notices_what_another_process_submits() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let mut worker = ferry.start(&["worker"]);
    worker.await_stderr("worker started");
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    ferry.await_state(&id, "completed");
    worker.signal("TERM");
    assert!(worker.end().success());
    assert_eq!(worker.stdout(), "");
}

#[test]
fn probes_and_metrics_are_served() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).file("march.csv", GOOD);
    let mut worker = ferry.start(&["worker", "--set", "metrics_listen=127.0.0.1:0"]);
    worker.await_stderr("/metrics");
    let log = worker.stderr();
    let address = log.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.expect("it logs the address");
    let get = |path: &str| get(address, path);
    assert_eq!(get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get("/readyz"), (200, "ready\n".to_owned()));
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    ferry.await_state(&id, "completed");
    eventually("the metric of a completed submission", || {
        let (status, metrics) = get("/metrics");
        status == 200
            && metrics.lines().any(|line| line.contains("completed") && line.ends_with(" 1"))
    });
    assert_eq!(get("/nothing").0, 404);
    let taken = format!("metrics_listen={address}");
    assert_snapshot!(ferry.run(&["worker", "--set", &taken]), @"
    exit 1
    ---- stdout
    ---- stderr
    error: cannot listen on 127.0.0.1:PORT (`metrics_listen`)
    caused by: Address already in use (os error 98)
    hint: choose another address: `--set metrics_listen=ADDRESS`
    ");
    worker.signal("TERM");
    assert!(worker.end().success());
}

fn get(address: &str, path: &str) -> (u16, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}
