//! The servers and workers that use a store, as the API and the console list them.

use ferry_testing::until;
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::{Heartbeat, ProcessRole, Slots};
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::Tab;
use crate::api::keys::Keyed;

async fn listed(keyed: &Keyed, key: &str) -> Vec<Value> {
    let response = keyed.of(key, Method::GET, "/v1/processes", &json!({})).await.json();
    response["processes"].as_array().expect("a list").clone()
}

/// A process of another machine, which sends no more heartbeats.
fn silent() -> Heartbeat {
    Heartbeat {
        id: "00000000000000aa".to_owned(),
        roles: vec![ProcessRole::Worker],
        version: "9.9.9".to_owned(),
        host: "ward-7<b>\u{202e}".to_owned(),
        pid: 77,
        uptime_seconds: 3600,
        interval_seconds: 1,
        slots: [(StepKind::Poll, Slots { slots: 8, running: 3 })].into(),
        accounts: vec!["default".to_owned(), "other".to_owned()],
        ..Heartbeat::default()
    }
}

#[tokio::test]
async fn a_process_is_listed_while_it_runs_with_its_place_its_version_and_its_slots() {
    let keyed = Keyed::start().await;
    assert!(listed(&keyed, "reader").await.is_empty());
    let app = &keyed.served.world.app;
    let heartbeats = app.reporting(&[ProcessRole::Server, ProcessRole::Worker]);
    until("a heartbeat", async || !listed(&keyed, "reader").await.is_empty()).await;
    let all = listed(&keyed, "reader").await;
    let [one] = &all[..] else { panic!("one: {all:?}") };
    assert_eq!((&one["roles"], &one["state"]), (&json!(["server", "worker"]), &json!("running")));
    assert_eq!(one["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&one["pid"], &one["accounts"]), (&json!(std::process::id()), &json!(["default"])));
    assert!(one["host"].as_str().is_some_and(|host| !host.is_empty()), "{one}");
    assert!(one["started_at"].as_str() <= one["heartbeat_at"].as_str(), "{one}");
    assert!(listed(&keyed, "bound").await.is_empty(), "it runs no steps of that account");
    heartbeats.end().await;
    assert!(listed(&keyed, "reader").await.is_empty(), "it ended by itself");
}

#[tokio::test]
async fn a_silent_process_is_marked_and_a_bound_key_sees_what_is_of_its_account() {
    let keyed = Keyed::start().await;
    keyed.served.world.app.store.beat(silent()).await.unwrap();
    let operator = Tab::of(&keyed, "operator").await;
    until("a silent process", async || listed(&keyed, "reader").await[0]["state"] == "silent")
        .await;
    let page = operator.get("/console/system").await;
    assert!(page.says("worker silent"), "{}", page.text);
    assert!(page.says("ward-7<b>\\u{202e}, process 77"), "{}", page.text);
    assert!(page.says("3 of 8") && page.says("default, other"), "{}", page.text);
    let seen = &listed(&keyed, "bound").await[0];
    assert_eq!(seen["accounts"], json!(["other"]), "{seen}");
    for hidden in ["host", "pid", "slots"] {
        assert!(seen[hidden].is_null(), "{seen}");
    }
    let bound = Tab::of(&keyed, "bound").await.get("/console/system").await;
    assert!(bound.says("worker silent") && bound.says("other"), "{}", bound.text);
    for hidden in ["ward-7", "3 of 8", "default, other"] {
        assert!(!bound.says(hidden), "{hidden}: {}", bound.text);
    }
}
