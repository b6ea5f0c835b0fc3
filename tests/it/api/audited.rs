//! The audit log of the API: every action of an operator is in it, whatever becomes of its connection.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use ferry_testing::until;
use ferry_types::contract::ProblemKind;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{Answer, GOOD, Served};
use super::keys::{Keyed, routes};
use crate::support::dataset;
use ferry::api::Role;
use ferry::audit::verify;

fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The outcome of each action that has an intent before it.
fn outcomes(path: &Path) -> BTreeMap<String, String> {
    let records = records(path);
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let intents: BTreeMap<u64, String> = records
        .iter()
        .filter(|record| record["phase"] == "intent")
        .map(|record| (record["n"].as_u64().unwrap(), text(record, "action")))
        .collect();
    let outcomes = records.iter().filter_map(|record| {
        let action = intents.get(&record["intent"].as_u64()?)?;
        assert_eq!(*action, text(record, "action"));
        Some((action.clone(), text(record, "outcome")))
    });
    outcomes.collect()
}

async fn audited() -> (Served, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let served = Served::idle(&[("AUDIT_LOG", &log.display().to_string())]).await;
    (served, log, folder)
}

/// Sends a request and resets the connection, before there can be a response.
async fn send_and_reset(served: &Served, path: &str) {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.set_zero_linger().unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cancellation_is_recorded_although_its_client_is_gone() {
    const COUNT: usize = 55;
    let (served, log, _folder) = audited().await;
    let mut expected = BTreeMap::new();
    for n in 0..COUNT {
        let id = served.world.submit(dataset(&format!("dataset-{n}"))).await;
        let path = format!("/v1/submissions/{id}/cancel");
        send_and_reset(&served, &path).await;
        expected.insert(format!("POST {path}"), "200".to_owned());
    }
    until("the record of each action", async || outcomes(&log).len() == COUNT).await;
    assert_eq!(outcomes(&log), expected);
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 0);
    let found = verify(&[log], None).unwrap();
    assert_eq!((found.records, found.violations), (2 * COUNT as u64, 0), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_when_its_actions_are_recorded() {
    let (served, log, folder) = audited().await;
    let id = served.world.submit(dataset("march")).await;
    // The record of the intent has to wait, and the action waits for it.
    let chain = File::create(folder.path().join("audit.jsonl.chain")).unwrap();
    chain.lock().unwrap();
    send_and_reset(&served, &format!("/v1/submissions/{id}/cancel")).await;
    let metrics = || served.world.app.metrics.render();
    until("the action to begin", async || metrics().contains("ferry_http_requests_in_flight 1"))
        .await;
    served.world.app.shutdown.drain();
    assert!(records(&log).is_empty());
    chain.unlock().unwrap();
    ferry_testing::within("the end of the server", served.serving).await.unwrap();
    let outcomes: Vec<String> = outcomes(&log).into_values().collect();
    assert_eq!(outcomes, ["200"]);
}

#[tokio::test]
async fn each_route_of_operators_records_intent_outcome_and_canonical_id() {
    let (served, log, _folder) = audited().await;
    let id = served.world.submit(dataset("march")).await.to_string();
    // Who only looks is not recorded, and this server has no keys.
    let is_action = |(method, path, role): &(Method, String, Role)| {
        let is_here = !path.starts_with("/v1/keys") && path != "/v1/rehearsal";
        *role == Role::Operate && *method == Method::POST && is_here
    };
    let operate = routes(&id).into_iter().filter(is_action);
    let mut expected = BTreeMap::new();
    for (method, path, _) in operate {
        let body = match path.rsplit('/').next() {
            Some("resolve") => json!({ "resolution": "retry" }),
            Some("bulk-actions") => json!({ "action": "cancel" }),
            _ => json!({}),
        };
        // Ids are read in any case.
        let response = served.post(&path.replace(&id, &id.to_lowercase()), &body).await;
        expected.insert(format!("{method} {path}"), response.status.to_string());
    }
    assert_eq!(expected.len(), 8);
    assert_eq!(outcomes(&log), expected);
    let resolved = records(&log).into_iter().filter(|record| record["details"] == "retry");
    assert_eq!(resolved.count(), 2, "the decision is in intent and outcome");
    let reason = json!({ "reason": "a\u{202e}b" });
    served.post("/v1/accounts/default/pause", &reason).await;
    assert_eq!(records(&log).last().unwrap()["details"], "a\u{202e}b");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains(r"a\u202eb") && !text.contains('\u{202e}'), "{text}");
}

#[tokio::test]
async fn an_action_that_did_not_begin_is_recorded_with_its_outcome() {
    let (served, log, _folder) = audited().await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    for (path, body) in [
        (format!("/v1/submissions/{id}/resolve"), json!({ "resolution": "perhaps" })),
        ("/v1/submissions/01KDXB8W4S9ZT2M3Q5R7V1C6HY/cancel".to_owned(), json!({})),
        ("/v1/submissions/nonsense/cancel".to_owned(), json!({})),
    ] {
        let response = served.post(&path, &body).await;
        let last = records(&log).pop().unwrap();
        assert_eq!(last["action"], format!("POST {path}"), "{last}");
        assert_eq!(last["outcome"], response.status.to_string(), "{last}");
        assert_eq!(last["intent"], Value::Null, "{last}");
    }
}

#[tokio::test]
async fn a_key_without_the_role_is_recorded_on_every_route() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", &log.display().to_string())]).await;
    let id = keyed.served.world.submit(dataset("march")).await.to_string();
    for (method, path, role) in routes(&id) {
        for (name, has) in [("reader", Role::Read), ("producer", Role::Submit)] {
            if has >= role {
                continue;
            }
            keyed.of(name, method.clone(), &path, &json!({})).await.is(ProblemKind::Forbidden);
            let last = records(&log).pop().unwrap();
            let action = format!("{method} {path}");
            let expected = json!([name, action, "403", "outcome"]);
            let found = ["actor", "action", "outcome", "phase"].map(|field| last[field].clone());
            assert_eq!(json!(found), expected);
        }
    }
    let found = verify(&[log], None).unwrap();
    assert_eq!((found.records, found.violations), (35, 0), "{found:?}");
}

#[tokio::test]
async fn a_key_without_the_role_cannot_fill_the_audit_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let keyed = Keyed::start_with(&[("AUDIT_LOG", &log.display().to_string())]).await;
    let pause = "/v1/accounts/default/pause";
    for name in ["reader", "producer"] {
        for _ in 0..120 {
            let denied = keyed.of(name, Method::POST, pause, &json!({})).await;
            denied.is(ProblemKind::Forbidden);
        }
    }
    assert_eq!(records(&log).len(), 2 * 100);
    // What an operator does is recorded all the same.
    assert_eq!(keyed.of("operator", Method::POST, pause, &json!({})).await.status, 200);
    assert_eq!(records(&log).len(), 2 * 100 + 2);
}

#[tokio::test]
async fn nothing_is_done_over_http_that_cannot_be_recorded() {
    let (served, log, folder) = audited().await;
    let id = served.world.submit(dataset("march")).await;
    let cancel = format!("/v1/submissions/{id}/cancel");
    let elsewhere = folder.path().with_extension("moved");
    std::fs::rename(folder.path(), &elsewhere).unwrap();
    let response = Answer::of(served.request(Method::POST, &cancel)).await;
    std::fs::rename(&elsewhere, folder.path()).unwrap();
    let problem = response.is(ProblemKind::Internal);
    assert!(problem.detail.contains("so nothing was done"), "{}", problem.detail);
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 1);
    assert_eq!(Answer::of(served.request(Method::POST, &cancel)).await.status, 200);
    assert_eq!(outcomes(&log).len(), 1);
}
