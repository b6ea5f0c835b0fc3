//! Answers that are held back until there is something to say.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::harness::{Answer, GOOD, Served};

#[tokio::test]
async fn a_wait_ends_with_the_final_state() {
    let served = Served::start(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let response = served.get(&format!("/v1/submissions/{id}?wait=60s")).await;
    assert_eq!(response.json()["state"], "completed", "{}", response.text());
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_over() {
    let served = Served::idle(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let started = Instant::now();
    let response = served.get(&format!("/v1/submissions/{id}?wait=300ms")).await;
    assert_eq!(response.json()["state"], "queued");
    let took = started.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_wait_ends_when_the_server_stops() {
    let served = Served::idle(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let waiting = Answer::of(served.request(Method::GET, &format!("/v1/submissions/{id}?wait=5m")));
    let shutdown = served.world.app.shutdown.clone();
    let stopping = async {
        // The server has the request by then, or responds that it stops.
        for _ in 0..20 {
            crate::support::pause().await;
        }
        shutdown.drain();
    };
    let (response, ()) = tokio::join!(waiting, stopping);
    assert_eq!(response.json()["state"], "queued");
    served.serving.await.unwrap();
}
