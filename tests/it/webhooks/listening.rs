//! `ferry webhooks listen` and `ferry webhooks test`: webhooks received and sent by hand.

use serde_json::Value;

use super::{HERE, SECRET};
use crate::cli::harness::{Ferry, GOOD, Platform, eventually};
use crate::cli::running::Running;

/// The value of a line such as `NAME=value` on stderr.
fn setting(listening: &Running, name: &str) -> String {
    listening.await_stderr("listening on ");
    let stderr = listening.stderr();
    let value = stderr.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}: {stderr}")).to_owned()
}

fn address(listening: &Running) -> String {
    listening.await_stderr("listening on ");
    let stderr = listening.stderr();
    let (_, rest) = stderr.rsplit_once("listening on ").expect("it is printed");
    rest.lines().next().unwrap_or_default().to_owned()
}

const LISTEN: [&str; 4] = ["webhooks", "listen", "--listen", "127.0.0.1:0"];

#[test]
fn a_listener_draws_a_secret_and_shows_what_a_worker_delivers_with_it() {
    let platform = Platform::start();
    let mut listening = Ferry::new().start(&LISTEN);
    let names = ["WEBHOOK_SECRET", "WEBHOOK_URL", "WEBHOOK_ALLOW", "WEBHOOK_ALLOW_HTTP"];
    let ferry = names.into_iter().fold(Ferry::of(&platform), |ferry, name| {
        let name = format!("FERRY_{name}");
        let value = setting(&listening, &name);
        ferry.set(&name, value)
    });
    let ferry = ferry.file("march.csv", GOOD);
    let id = ferry.run(&["submit", "march.csv"]).ok().id();
    ferry.run(&["worker", "--until-idle"]).ok();
    let shown = format!("submission.completed  {id}  march  (verified)");
    eventually("the webhook on stdout", || listening.stdout().contains(&shown));
    ferry.run(&["webhooks", "redeliver", &id]).ok();
    ferry.run(&["worker", "--until-idle"]).ok();
    eventually("the same again", || listening.stdout().contains("march  (verified, again)"));
    listening.signal("INT");
    assert_eq!(listening.end().code(), Some(0), "{}", listening.stderr());
}

#[test]
fn an_example_is_verified_with_the_configured_secret_and_rejected_with_another() {
    let platform = Platform::start();
    let listening = Ferry::new().set("FERRY_WEBHOOK_SECRET", SECRET).start(&LISTEN);
    let url = address(&listening);
    let sender = HERE.iter().fold(Ferry::of(&platform), |ferry, (name, value)| {
        ferry.set(&format!("FERRY_{name}"), *value)
    });
    let ran = sender.run(&["webhooks", "test", &url]).ok();
    assert_eq!(ran.stdout, format!("{url}: delivered (204)\n"));
    eventually("the example", || listening.stdout().contains("webhook-test  (verified)"));
    let other = Ferry::new().start(&LISTEN);
    let denied = sender.run(&["webhooks", "test", "--json", &address(&other)]).exits(1).objects();
    assert_eq!((&denied[0]["result"], &denied[0]["status"]), (&"client_error".into(), &400.into()));
    other.await_stderr("no signature matches this secret");
    assert_eq!(other.stdout(), "");
    let nowhere = sender.run(&["webhooks", "test", "http://127.0.0.1:9/"]).exits(1);
    let connection_refused =
        "http://127.0.0.1:9: no_connection: Connection refused (os error 111)\n";
    assert_eq!(nowhere.stdout, connection_refused);
}

#[test]
fn a_receiver_that_the_rules_forbid_gets_no_example() {
    let platform = Platform::start();
    let ferry = Ferry::of(&platform).set("FERRY_WEBHOOK_SECRET", SECRET);
    let failed = ferry.run(&["webhooks", "test", "http://127.0.0.1:9/"]).exits(2);
    assert!(failed.stderr.contains("`webhook_allow_http`"), "{failed}");
    let unsigned = Ferry::of(&platform).run(&["webhooks", "test", "https://x.example"]).exits(2);
    assert!(unsigned.stderr.contains("FERRY_WEBHOOK_SECRET"), "{unsigned}");
}

#[test]
fn a_listener_writes_objects_for_programs() {
    let platform = Platform::start();
    let listen = [&LISTEN[..], &["--json"]].concat();
    let listening = Ferry::new().set("FERRY_WEBHOOK_SECRET", SECRET).start(&listen);
    listening.await_stderr("listening on ");
    let url = listening.stderr().split("listening on ").nth(1).unwrap_or_default().to_owned();
    let url = url.split('"').next().unwrap_or_default().to_owned();
    let sender = HERE.iter().fold(Ferry::of(&platform), |ferry, (name, value)| {
        ferry.set(&format!("FERRY_{name}"), *value)
    });
    sender.run(&["webhooks", "test", &url]).ok();
    eventually("an object", || listening.stdout().ends_with('\n'));
    let object: Value = serde_json::from_str(listening.stdout().trim()).unwrap();
    assert_eq!(object["body"]["data"]["state"], "completed", "{object}");
    assert_eq!(object["repeated"], false);
}
