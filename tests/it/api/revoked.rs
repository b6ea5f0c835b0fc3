//! A key that is revoked while its requests run: what arrives later, or is answered later, is not for it.

use std::time::Duration;

use ferry::api::revoke_key;
use ferry_testing::{make_old, until};
use ferry_types::contract::ProblemKind;
use futures_util::stream;
use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::harness::{Answer, GOOD};
use super::keys::Keyed;

/// A body whose pieces are sent one by one.
fn pieces() -> (mpsc::Sender<String>, Body) {
    let (send, pieces) = mpsc::channel::<String>(1);
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), pieces))
    });
    (send, Body::wrap_stream(pieces))
}

impl Keyed {
    /// Revokes a key, and waits until the server has noticed.
    async fn revoke(&self, name: &str) {
        assert!(revoke_key(&self.file, name).unwrap());
        make_old(&self.file);
        until("the end of the key", async || {
            self.of(name, Method::GET, "/v1/whoami", &json!({})).await.status == 401
        })
        .await;
    }
}

fn line(name: &str) -> String {
    json!({ "name": name, "data": GOOD }).to_string() + "\n"
}

#[tokio::test]
async fn a_bulk_of_a_revoked_key_stores_no_further_line() {
    let keyed = Keyed::start().await;
    let (send, body) = pieces();
    let request = keyed.served.request(Method::POST, "/v1/submissions/bulk");
    let request = request.bearer_auth(&keyed.keys["producer"]);
    send.send(line("before")).await.unwrap();
    let request = request.header("content-type", "application/x-ndjson").body(body);
    let mut response = request.send().await.unwrap();
    let mut next = async || {
        let piece = response.chunk().await.unwrap()?;
        Some(serde_json::from_slice::<Value>(&piece).unwrap())
    };
    assert!(next().await.unwrap()["id"].is_string());
    keyed.revoke("producer").await;
    send.send(line("after")).await.unwrap();
    let failed = next().await.unwrap();
    assert_eq!((&failed["line"], &failed["error"]["status"]), (&json!(2), &json!(401)));
    assert_eq!(next().await, None, "it ends");
    assert_eq!(keyed.served.world.stats().await.unfinished(), 1);
}

#[tokio::test]
async fn an_action_whose_body_arrives_after_its_key_was_revoked_is_not_done() {
    let keyed = Keyed::start().await;
    for (path, kind, text) in [
        ("/v1/accounts/default/pause", "application/json", "{}".to_owned()),
        ("/v1/submissions", "application/json", line("late")),
        ("/v1/submissions?name=late", "text/csv", GOOD.to_owned()),
    ] {
        let (send, body) = pieces();
        let (begin, end) = text.split_at(text.len() / 2);
        send.send(begin.to_owned()).await.unwrap();
        let request = keyed.served.request(Method::POST, path);
        let request = request.bearer_auth(&keyed.keys["operator"]).header("content-type", kind);
        let answer = tokio::spawn(Answer::of(request.body(body)));
        // The next piece is taken when the connection has the first one.
        send.send(String::new()).await.unwrap();
        send.reserve().await.unwrap();
        let keys = std::fs::read(&keyed.file).unwrap();
        keyed.revoke("operator").await;
        send.send(end.to_owned()).await.unwrap();
        drop(send);
        answer.await.unwrap().is(ProblemKind::Unauthenticated);
        std::fs::write(&keyed.file, keys).unwrap();
        make_old(&keyed.file);
        until("the key again", async || {
            keyed.of("operator", Method::GET, "/v1/whoami", &json!({})).await.status == 200
        })
        .await;
    }
    let stats = keyed.served.world.stats().await;
    assert_eq!(stats.unfinished(), 0);
    let accounts = keyed.of("operator", Method::GET, "/v1/accounts/default", &json!({})).await;
    assert_eq!(accounts.json()["pause_reason"], Value::Null, "{}", accounts.text());
}

#[tokio::test]
async fn a_response_that_is_held_back_is_not_for_a_key_that_was_revoked_meanwhile() {
    let keyed = Keyed::start().await;
    let body = json!({ "name": "march", "data": GOOD });
    let id = keyed.of("producer", Method::POST, "/v1/submissions", &body).await.id();
    let path = format!("/v1/submissions/{id}?wait=5m");
    let request = keyed.served.request(Method::GET, &path).bearer_auth(&keyed.keys["reader"]);
    let waiting = tokio::spawn(Answer::of(request));
    keyed.revoke("reader").await;
    let answer = tokio::time::timeout(Duration::from_mins(1), waiting).await;
    answer.expect("it does not wait any longer").unwrap().is(ProblemKind::Unauthenticated);
}
