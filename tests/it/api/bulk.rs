//! Many submissions in one request.

use std::collections::{BTreeMap, BTreeSet};

use ferry_types::contract::{BulkResponse, ProblemKind};
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde_json::json;
use tokio::sync::mpsc;

use super::harness::{GOOD, Served, client};
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, eventually};
use ferry_testing::{Wait, shared_server, within};

fn line(n: usize) -> String {
    let body = json!({ "name": format!("n{n}"), "data": GOOD, "idempotency_key": format!("k{n}") });
    format!("{body}\n")
}

fn ndjson(request: RequestBuilder, body: impl Into<Body>) -> RequestBuilder {
    request.header("content-type", "application/x-ndjson").body(body)
}

/// The responses as they arrive, and an error where they break off.
struct Answers {
    response: Response,
    rest: Vec<u8>,
}

impl Answers {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("it is answered");
        assert_eq!(response.status(), 200);
        Self { response, rest: Vec::new() }
    }

    async fn next(&mut self) -> Option<BulkResponse> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a response is JSON"));
            }
            let chunk = within("a response to a line", self.response.chunk()).await;
            self.rest.extend(chunk.ok()??);
        }
    }

    async fn all(mut self) -> Vec<BulkResponse> {
        let mut all = Vec::new();
        let wait = Wait::begin("the last response");
        while let Some(response) = self.next().await {
            wait.check();
            all.push(response);
        }
        assert!(self.rest.is_empty());
        all
    }
}

#[tokio::test]
async fn every_line_gets_its_own_answer() {
    let served = Served::idle(&[("MAX_DATASET_BYTES", "4096")]).await;
    let invalid = json!({ "name": "x", "data": "a,b\n" }).to_string();
    let other = json!({ "name": "y", "data": GOOD, "idempotency_key": "k1" }).to_string();
    let (long, last) = ("x".repeat(200_000), line(2));
    let lines = [
        "\u{feff}",
        &line(1),
        "\u{feff}\n",
        "{broken\n",
        &invalid,
        "\n",
        &line(1),
        &other,
        "\n",
        &long,
        "\n",
        // The last one has no end.
        last.trim_end(),
    ];
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    let responses = Answers::of(ndjson(request, lines.concat())).await.all().await;
    let results: Vec<(u64, bool, Option<ProblemKind>)> = responses
        .iter()
        .map(|response| {
            let error = response.error.as_ref().map(|error| error.kind().expect("it is known"));
            assert_eq!(response.id.is_some(), error.is_none(), "{response:?}");
            (response.line, response.duplicate, error)
        })
        .collect();
    let expected = [
        (1, false, None),
        (3, false, Some(ProblemKind::InvalidRequest)),
        (4, false, Some(ProblemKind::InvalidDataset)),
        (5, true, None),
        (6, false, Some(ProblemKind::IdempotencyConflict)),
        (7, false, Some(ProblemKind::TooLarge)),
        (8, false, None),
    ];
    assert_eq!(results, expected, "{responses:?}");
    assert_eq!(responses[0].id, responses[3].id);
    assert!(!responses[2].error.as_ref().unwrap().problems.is_empty());
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 2);
}

#[tokio::test]
async fn a_line_is_answered_before_the_next_one_is_sent() {
    let served = Served::idle(&[]).await;
    let (send, lines) = mpsc::channel::<String>(1);
    let lines = stream::unfold(lines, |mut lines| async move {
        lines.recv().await.map(|line| (Ok::<_, std::io::Error>(line), lines))
    });
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    let mut responses = Answers::of(ndjson(request, Body::wrap_stream(lines))).await;
    for n in 0..20 {
        send.send(line(n)).await.unwrap();
        let response = responses.next().await.expect("it is answered");
        let id = response.id.expect("it is kept");
        assert!(served.world.app.store.get(id).await.unwrap().is_some());
    }
    drop(send);
    assert!(responses.next().await.is_none());
}

#[tokio::test]
async fn a_full_account_accepts_no_lines_beyond_its_limit() {
    let served = Served::idle(&[("MAX_UNFINISHED", "700")]).await;
    let lines: String = (0..1000).map(line).collect();
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    let responses = Answers::of(ndjson(request, lines)).await.all().await;
    assert_eq!(responses.iter().filter(|response| response.id.is_some()).count(), 700);
    let error = responses[700].error.as_ref().unwrap();
    assert_eq!(error.kind(), Some(ProblemKind::TooManyUnfinished));
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 700);
}

#[tokio::test]
async fn a_bulk_that_breaks_off_keeps_what_it_answered() {
    let served = Served::idle(&[]).await;
    let lines = stream::iter((0..50).map(|n| Ok(line(n))))
        .chain(stream::once(async { Err(std::io::Error::other("the client is gone")) }));
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    // The client gives up by itself, so it may or may not get to see answers.
    if let Ok(response) = ndjson(request, Body::wrap_stream(lines)).send().await {
        let _ = Answers { response, rest: Vec::new() }.all().await;
    }
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    let all: String = (0..50).map(line).collect();
    let again = Answers::of(ndjson(request, all)).await.all().await;
    assert_eq!(again.iter().filter(|response| response.id.is_some()).count(), 50);
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 50);
}

/// Returns the submissions of `ferry list`: ids by name.
fn kept(ferry: &Ferry) -> BTreeMap<String, String> {
    let objects = ferry.run(&["list", "--all", "--json"]).ok().objects();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let count = objects.len();
    let kept: BTreeMap<_, _> =
        objects.iter().map(|one| (text(&one["name"]), text(&one["id"]))).collect();
    assert_eq!(kept.len(), count, "a submission is doubled");
    kept
}

#[test]
fn a_server_that_is_killed_in_a_bulk_loses_no_line_that_it_answered_and_doubles_none() {
    killed_in_a_bulk(&Ferry::new());
}

#[test]
fn a_server_that_is_killed_in_a_bulk_loses_no_line_that_it_answered_on_redis_either() {
    let redis = tokio::runtime::Runtime::new().unwrap().block_on(shared_server());
    killed_in_a_bulk(&Ferry::new().stored_on(&redis));
}

fn killed_in_a_bulk(ferry: &Ferry) {
    const LINES: usize = 10_000;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut server = serve(ferry, &["--no-workers"]);
    let target = format!("{}/v1/submissions/bulk", url(&server));
    let answered = runtime.block_on(async {
        let lines = stream::iter((0..LINES).map(|n| Ok::<_, std::io::Error>(line(n))));
        let mut responses =
            Answers::of(ndjson(client().post(&target), Body::wrap_stream(lines))).await;
        let mut answered = BTreeSet::new();
        let wait = Wait::begin("the end of the server");
        while let Some(response) = responses.next().await {
            wait.check();
            answered.insert(response.id.expect("every line is valid").to_string());
            if answered.len() == 3000 {
                server.signal("KILL");
            }
        }
        answered
    });
    assert!((3000..LINES).contains(&answered.len()), "{}", answered.len());
    eventually("its end", || !server.is_alive());
    let after_the_kill = kept(ferry);
    let ids: BTreeSet<&String> = after_the_kill.values().collect();
    assert!(answered.iter().all(|id| ids.contains(id)), "an answered line is not in the store");
    // The client got no response for the batch in flight, and lost the responses in flight.
    assert!(
        ids.len() - answered.len() <= 1000,
        "{} are kept, {} answered",
        ids.len(),
        answered.len()
    );
    let server = serve(ferry, &["--no-workers"]);
    let target = format!("{}/v1/submissions/bulk", url(&server));
    let lines: String = (0..LINES).map(line).collect();
    let again = runtime
        .block_on(async { Answers::of(ndjson(client().post(&target), lines)).await.all().await });
    assert_eq!(again.iter().filter(|response| response.id.is_some()).count(), LINES);
    assert_eq!(again.iter().filter(|response| response.duplicate).count(), after_the_kill.len());
    let all = kept(ferry);
    assert_eq!(all.len(), LINES);
    assert!(after_the_kill.iter().all(|(name, id)| all.get(name) == Some(id)));
    println!("{} answered, {} kept at the kill", answered.len(), after_the_kill.len());
}
