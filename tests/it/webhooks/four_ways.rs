//! The four ways to get an outcome agree, whatever happens to the server.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_types::contract::StateEvent;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::SECRET;
use super::python::Listener;
use crate::api::events::Listening;
use crate::api::harness::client;
use crate::api::serve::{serve, url};
use crate::cli::harness::{Ferry, GOOD, Platform, REJECTED, eventually};
use crate::support::of_environment;
use ferry_testing::shared_server;

/// The final state of each submission, by its id.
type Outcomes = BTreeMap<String, String>;

async fn requested(request: RequestBuilder) -> Value {
    let response = request.send().await.expect("it is answered").bytes().await.expect("all of it");
    serde_json::from_slice(&response).expect("JSON")
}

fn post(url: &str, body: &Value) -> RequestBuilder {
    client().post(url).header("content-type", "application/json").body(body.to_string())
}

/// Submits datasets that reach every final state, each with the webhook URL `hook`. Returns their ids,
/// and the ids of those that are to be cancelled.
async fn submit(url: &str, hook: &str, count: u64) -> (Vec<String>, Vec<String>) {
    let row = |n| format!("SITE-{n},03/03/2025,08:00,03/03/2025,16:30\n");
    let large: String = (0..200).map(row).collect();
    let (mut ids, mut cancelled) = (Vec::new(), Vec::new());
    for n in 0..count {
        let (name, data) = (format!("dataset {n}"), if n % 4 == 1 { REJECTED } else { GOOD });
        // What is uploaded while the server is killed need not wait for a person.
        let mut body =
            json!({ "name": name, "data": data, "overwrite": true, "webhook_url": hook });
        match n % 4 {
            // Its result is larger than the server takes.
            2 => body["data"] = json!(large),
            3 => body["not_before"] = json!("2999-01-01T00:00:00Z"),
            _ => {}
        }
        let view = requested(post(&format!("{url}/v1/submissions"), &body)).await;
        let id = view["id"].as_str().unwrap_or_else(|| panic!("{view}")).to_owned();
        if n % 4 == 3 {
            cancelled.push(id.clone());
        }
        ids.push(id);
    }
    (ids, cancelled)
}

/// Reads events until `outcomes` has `until` final states, each once.
async fn listen(stream: &mut Listening, outcomes: &mut Outcomes, until: usize) {
    let wait = ferry_testing::Wait::begin(format!("{until} outcomes"));
    while outcomes.len() < until {
        wait.check();
        let event: StateEvent = stream.next().await.expect("the stream has not ended");
        if event.data.state.is_final() {
            let before = outcomes.insert(event.data.id.to_string(), event.data.state.to_string());
            assert_eq!(before, None, "a second outcome: {event:?}");
        }
    }
}

/// `FOUR_WAYS=2000 cargo test --test it four_ways` takes more of them.
#[test]
fn the_four_ways_to_get_an_outcome_agree_across_a_killed_server() {
    let platform = Platform::start();
    the_four_ways_agree(Ferry::of(&platform));
}

#[test]
fn the_four_ways_to_get_an_outcome_agree_on_redis_across_a_killed_server() {
    let (platform, runtime) = (Platform::start(), Runtime::new().expect("a runtime"));
    let redis = runtime.block_on(shared_server());
    the_four_ways_agree(Ferry::of(&platform).stored_on(&redis));
}

fn the_four_ways_agree(ferry: Ferry) {
    let count = of_environment("FOUR_WAYS", 200);
    let ferry = ferry
        .set("FERRY_MAX_RESPONSE_BYTES", "2048")
        .set("FERRY_LEASE", "1s")
        .set("FERRY_RETENTION", "1d")
        .set("FERRY_WEBHOOK_SECRET", SECRET)
        .set("FERRY_WEBHOOK_ALLOW", "127.0.0.1")
        .set("FERRY_WEBHOOK_ALLOW_HTTP", "yes")
        .set("FERRY_WEBHOOK_BACKOFF_INITIAL", "20ms")
        .set("FERRY_LOG", "debug,hyper=info");
    let hook = Listener::start(SECRET);
    let to = format!("{}?token=hush", hook.url);
    let runtime = Runtime::new().expect("a runtime");
    let mut first = serve(&ferry, &[]);
    let at = url(&first);
    let mut streamed = Outcomes::new();
    let (ids, cancelled, last) = runtime.block_on(async {
        let mut stream = Listening::to(client().get(format!("{at}/v1/events"))).await;
        let (ids, cancelled) = submit(&at, &to, count).await;
        listen(&mut stream, &mut streamed, ids.len() / 10).await;
        (ids, cancelled, stream.last)
    });
    first.signal("KILL");
    first.end();
    let mut second = serve(&ferry, &[]);
    let at = url(&second);
    let (waited, got) = runtime.block_on(async {
        let request = client().get(format!("{at}/v1/events"));
        let mut stream = Listening::to(request.header("last-event-id", last.clone())).await;
        for id in &cancelled {
            let call = format!("{at}/v1/submissions/{id}/cancel");
            assert_eq!(requested(post(&call, &Value::Null)).await["state"], "cancelled");
        }
        let (mut waited, mut got) = (Outcomes::new(), Outcomes::new());
        for id in &ids {
            let view = requested(client().get(format!("{at}/v1/submissions/{id}?wait=60s"))).await;
            waited.insert(id.clone(), view["state"].as_str().unwrap().to_owned());
        }
        for id in &ids {
            let view = requested(client().get(format!("{at}/v1/submissions/{id}"))).await;
            got.insert(id.clone(), view["state"].as_str().unwrap().to_owned());
        }
        let listening = listen(&mut stream, &mut streamed, ids.len());
        tokio::time::timeout(Duration::from_mins(1), listening)
            .await
            .expect("an event for each outcome");
        (waited, got)
    });
    eventually("all webhooks", || hook.received().len() >= ids.len());
    let delivered: Outcomes = hook
        .received()
        .iter()
        .map(|notice| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            assert_eq!(notice["type"], format!("submission.{}", text(&notice["data"]["state"])));
            (text(&notice["data"]["id"]), text(&notice["data"]["state"]))
        })
        .collect();
    assert_eq!(waited.len(), ids.len());
    assert_eq!(got, waited, "get, and wait");
    assert_eq!(streamed, waited, "events, and wait");
    assert_eq!(delivered, waited, "webhooks, and wait");
    let outcomes: std::collections::BTreeSet<&str> = waited.values().map(String::as_str).collect();
    assert_eq!(
        outcomes.into_iter().collect::<Vec<_>>(),
        ["cancelled", "completed", "failed", "rejected"]
    );
    second.signal("TERM");
    second.end();
    for log in [first.stderr(), second.stderr()] {
        assert!(!log.contains("hush") && !log.contains(SECRET), "a secret is in the log");
    }
}
