//! `ferry serve` as a process.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::harness::client;
use crate::cli::harness::{Ferry, GOOD, Platform, eventually};
use crate::cli::running::Running;

/// Returns the URL that a server printed.
pub(crate) fn url(server: &Running) -> String {
    eventually("the URL", || server.stdout().contains('\n'));
    let stdout = server.stdout();
    let said: Value = serde_json::from_str(stdout.trim()).expect("it prints its URL");
    said["url"].as_str().expect("a text").to_owned()
}

/// A client that is used from outside of any runtime.
struct Http(Runtime);

impl Http {
    fn new() -> Self {
        Self(Runtime::new().expect("a runtime"))
    }

    fn get(&self, url: &str) -> Value {
        self.0.block_on(response(client().get(url))).1
    }

    fn post(&self, url: &str, body: &Value) -> (u16, Value) {
        self.0.block_on(response(post(url, body)))
    }
}

fn post(url: &str, body: &Value) -> RequestBuilder {
    client().post(url).header("content-type", "application/json").body(body.to_string())
}

async fn response(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("it is answered");
    let status = response.status().as_u16();
    let body = response.bytes().await.expect("the response is whole");
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) fn serve(ferry: &Ferry, more: &[&str]) -> Running {
    let mut args = vec!["serve", "--json", "--set", "listen=127.0.0.1:0"];
    args.extend_from_slice(more);
    ferry.start(&args)
}

#[test]
fn serve_accepts_uploads_and_stops_gracefully() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let mut server = serve(&ferry, &[]);
    let (url, http) = (url(&server), Http::new());
    let body = json!({ "name": "march", "data": GOOD });
    let (status, view) = http.post(&format!("{url}/v1/submissions?wait=60s"), &body);
    assert_eq!((status, &view["state"]), (201, &"completed".into()), "{view}");
    let id = view["id"].as_str().expect("it has an id");
    assert_eq!(ferry.object(&["status", "--json", id])["state"], "completed");
    let (status, _) = http.post(&format!("{url}/v1/submissions/{id}/cancel"), &Value::Null);
    assert_eq!(status, 409);
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0), "{}", server.stderr());
    let log = server.stderr();
    assert!(log.contains(&format!("`local` called `POST /v1/submissions/{id}/cancel`: 409")));
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains("SITE-001"), "a row is in the log: {log}");
}

#[test]
fn running_requests_finish_while_the_server_stops() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let mut server = serve(&ferry, &["--no-workers"]);
    let (url, http) = (url(&server), Http::new());
    let body = json!({ "name": "march", "data": GOOD });
    let waiting = http.0.spawn(response(post(&format!("{url}/v1/submissions?wait=5m"), &body)));
    let list = format!("{url}/v1/submissions");
    eventually("it is kept", || http.get(&list)["submissions"][0]["state"] == "queued");
    server.signal("TERM");
    let (status, view) = http.0.block_on(waiting).expect("nothing panics here");
    assert_eq!((status, &view["state"]), (201, &"queued".into()));
    assert_eq!(server.end().code(), Some(0), "{}", server.stderr());
    // What it took in is there for the next.
    ferry.run(&["worker", "--until-idle"]).ok();
    assert_eq!(ferry.run(&["list", "--state", "completed"]).ok().ids().len(), 1);
}

#[test]
fn a_port_that_is_taken_is_said_clearly() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ran = ferry.run(&["serve", "--set", &format!("listen={address}")]);
    insta::assert_snapshot!(ran, @"
    exit 1
    ---- stdout
    ---- stderr
    error: cannot listen on 127.0.0.1:PORT (`listen`)
    caused by: Address already in use (os error 98)
    hint: choose another address: `--set listen=ADDRESS`
    ");
}

#[test]
fn an_address_that_others_reach_requires_keys() {
    let platform = Platform::start();
    let ran = Ferry::of(&platform).run(&["serve", "--set", "listen=0.0.0.0:0"]).exits(2);
    assert!(ran.stderr.contains("is not a loopback address"), "{}", ran.stderr);
}

#[test]
fn secrets_of_an_account_are_needed_only_where_its_steps_run() {
    let ferry = || Ferry::new().set("FERRY_TOKEN_URL", "https://identity.example.com/token");
    let ferry = || ferry().set("FERRY_API_URL", "https://api.example.com/upload");
    let ferry = || ferry().set("FERRY_CLIENT_ID", "acme");
    for args in [&["serve"][..], &["worker"], &["submit", "-", "--name", "march", "--wait"]] {
        let ran = ferry().run_with(args, GOOD).exits(2);
        for missing in ["account `default` has no `client_secret`", "has no `api_key`"] {
            assert!(ran.stderr.contains(missing), "{args:?}: {}", ran.stderr);
        }
    }
    // One of the two is wrong everywhere.
    let ran = ferry().set("FERRY_API_KEY", "demo-key").run(&["list"]).exits(2);
    assert!(ran.stderr.contains("has no `client_secret`"), "{}", ran.stderr);
    let ferry = ferry();
    ferry.run_with(&["submit", "-", "--name", "march"], GOOD).ok();
    let ran = ferry.run(&["doctor", "--offline"]).exits(1);
    assert!(ran.stdout.contains("account `default` has no secrets here"), "{}", ran.stdout);
    let mut server = serve(&ferry, &["--no-workers"]);
    server.await_stderr("the HTTP API is at ");
    // The server knows its accounts nevertheless.
    let ran = ferry.run_with(&["submit", "-", "--name", "march", "--account", "south"], GOOD);
    assert!(ran.exits(2).stderr.contains("`south`"));
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn workers_without_an_account_fail_before_anything_listens() {
    let ran = Ferry::new().run(&["serve"]).exits(2);
    assert!(ran.stderr.contains("no account is configured"), "{}", ran.stderr);
    let ferry = Ferry::new();
    let mut server = serve(&ferry, &["--no-workers"]);
    server.await_stderr("the HTTP API is at ");
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0));
}
