//! Accounts over the API: their condition in words, and the outage that stops them.

use std::time::Duration;

use ferry_client::{Client, ListQuery};
use ferry_testing::until;
use ferry_types::contract::{ProblemKind, SubmissionRequest};
use ferry_types::domain::submission::State;
use serde_json::{Value, json};

use super::harness::{GOOD, Served};
use super::keys::Keyed;
use crate::support::dataset;

const ACCOUNT: &str = "/v1/accounts/default";

#[tokio::test]
async fn a_pause_names_its_operator_and_its_time_and_an_account_without_submissions_runs() {
    let served = Served::idle(&[]).await;
    let list = served.get("/v1/accounts").await.json();
    assert_eq!(list["accounts"][0]["account"], "default", "{list}");
    assert_eq!(list["accounts"][0]["condition"], "runs");
    served.submit(&json!({ "name": "march", "data": GOOD })).await;
    served.post(&format!("{ACCOUNT}/pause"), &json!({ "reason": "maintenance" })).await;
    let one = served.get(ACCOUNT).await.json();
    let condition = one["condition"].as_str().unwrap_or_default();
    let begin = "account `default` is paused: maintenance (paused by `local` over the API at 20";
    assert!(condition.starts_with(begin), "{condition}");
    assert_eq!(one["findings"][0]["sentence"], *condition);
    assert_eq!((&one["blocked_by"]["kind"], &one["outage"]), (&json!("paused"), &Value::Null));
    assert_eq!(one["states"]["queued"], 1);
    let list = served.get("/v1/accounts").await.json();
    assert_eq!(list["accounts"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["accounts"][0]["condition"], one["condition"]);
    served.get("/v1/accounts/other").await.is(ProblemKind::NotFound);
}

#[tokio::test]
async fn an_outage_says_since_when_how_many_failures_and_the_last_error() {
    let served = Served::start(&[("BREAKER_FAILURES", "3")]).await;
    served.world.sim.set_outage(true);
    let id = served.world.submit(dataset("march")).await;
    until("an open breaker", async || !served.get(ACCOUNT).await.json()["outage"].is_null()).await;
    let one = served.get(ACCOUNT).await.json();
    let (outage, condition) = (&one["outage"], one["condition"].as_str().unwrap_or_default());
    assert!(outage["failures"].as_u64() >= Some(3), "{one}");
    let view = served.world.look(id).await;
    let since = outage["since"].as_str().expect("a time");
    assert!(since.parse::<chrono::DateTime<chrono::Utc>>().unwrap() >= view.created_at, "{one}");
    let error = outage["last_error"].as_str().expect("an error");
    assert!(!error.is_empty() && condition.contains(&format!("last error: {error}")), "{one}");
    assert!(condition.starts_with("circuit breaker of account `default` is open, "), "{condition}");
    let stats = served.get("/v1/stats").await.json();
    assert_eq!(stats["accounts"][0]["outage"]["since"], *since);
    served.world.sim.set_outage(false);
    served.world.settled(id).await;
    until("a closed breaker", async || served.get(ACCOUNT).await.json()["outage"].is_null()).await;
}

#[tokio::test]
async fn a_bound_key_sees_its_own_account_alone() {
    let keyed = Keyed::start().await;
    keyed.served.world.submit(dataset("march")).await;
    let bound = Client::new(&format!("http://{}", keyed.served.address)).unwrap();
    let bound = bound.with_key(&keyed.keys["bound"]).with_max_attempts(1);
    assert_eq!(bound.accounts().await.unwrap().accounts, []);
    assert!(bound.account("default").await.unwrap_err().to_string().contains("unknown"));
    assert_eq!(bound.count(&ListQuery::default()).await.unwrap().count, 0);
}

#[tokio::test]
async fn matching_submissions_are_counted_up_to_a_thousand() {
    let served = Served::idle(&[]).await;
    let client = Client::new(&format!("http://{}", served.address)).unwrap();
    let labels = [("team".to_owned(), "north".to_owned())];
    let labeled =
        |n| SubmissionRequest { labels: labels.clone().into(), ..dataset(&format!("{n}")) };
    let many = (0..1003).map(labeled);
    served.world.submit_all(many).await;
    let north = labels.to_vec();
    let count = async |query: ListQuery| {
        let count = client.count(&query).await.unwrap();
        (count.count, count.has_more)
    };
    let query = ListQuery { labels: north, ..ListQuery::default() };
    assert_eq!(count(query).await, (1000, true));
    let query = ListQuery { states: vec![State::Queued], ..ListQuery::default() };
    assert_eq!(count(query).await, (1003, false), "the store counts by state");
    let query = ListQuery { name: Some("7".into()), ..ListQuery::default() };
    assert_eq!(count(query).await, (1, false));
    let account = client.account("default").await.unwrap();
    assert_eq!(account.states[&State::Queued], 1003);
}

#[tokio::test]
async fn the_client_gets_what_was_submitted() {
    let served = Served::idle(&[]).await;
    let client = Client::new(&format!("http://{}", served.address)).unwrap();
    let events = include_str!("../../../examples/with-events.events.csv").to_owned();
    let data = include_str!("../../../examples/with-events.csv").to_owned();
    let request = SubmissionRequest {
        data: data.clone(),
        event_data: Some(events.clone()),
        ..dataset("march")
    };
    let id = client.submit(&request).await.unwrap().submission.id;
    assert_eq!(client.data(id).await.unwrap().bytes, data.as_bytes());
    assert_eq!(client.event_data(id).await.unwrap().bytes, events.as_bytes());
    let view = client.wait(id, Duration::ZERO).await.unwrap();
    assert_eq!(view.state, State::Queued);
}
