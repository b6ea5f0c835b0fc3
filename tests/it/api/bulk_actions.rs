//! Actions on all submissions that match: planned, pinned, batch after batch, each recorded on its own.

use std::collections::BTreeSet;
use std::time::Duration;

use ferry_client::Client;
use ferry_types::clock::{Clock, SystemClock};
use ferry_types::contract::{
    BulkActionRequest, BulkActionView, OperatorAction, ProblemKind, SubmissionRequest,
};
use ferry_types::domain::later;
use ferry_types::domain::submission::State;
use reqwest::Method;
use serde_json::{Value, json};

use super::harness::Served;
use super::keys::Keyed;
use crate::support::dataset;

const PATH: &str = "/v1/bulk-actions";

fn labeled(name: usize) -> SubmissionRequest {
    let labels = [("batch".to_owned(), "7".to_owned())].into();
    SubmissionRequest { labels, ..dataset(&format!("dataset-{name}")) }
}

fn cancel() -> BulkActionRequest {
    let labels = [("batch".to_owned(), "7".to_owned())].into();
    BulkActionRequest { labels, ..BulkActionRequest::new(OperatorAction::Cancel) }
}

/// Sends batches until nothing is left.
async fn all_batches(
    client: &Client,
    request: BulkActionRequest,
    plan: BulkActionView,
) -> Vec<BulkActionView> {
    let (mut batches, mut request) = (Vec::new(), request);
    request.pinned = plan.pinned;
    let wait = ferry_testing::Wait::begin("the last batch");
    while request.pinned.is_some() {
        wait.check();
        let batch = client.bulk_action(&request).await.unwrap();
        assert!(!batch.dry_run && batch.changed <= 100, "{batch:?}");
        request.pinned.clone_from(&batch.pinned);
        batches.push(batch);
    }
    batches
}

#[tokio::test]
async fn a_bulk_action_changes_what_was_there_in_batches_and_nothing_that_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.jsonl");
    let served = Served::idle(&[("AUDIT_LOG", &log.display().to_string())]).await;
    let client = Client::new(&format!("http://{}", served.address)).unwrap();
    let other = served.world.submit(dataset("other")).await;
    let ids = served.world.submit_all((0..120).map(labeled)).await;
    let plan = client.bulk_action(&cancel()).await.unwrap();
    assert!(plan.dry_run && !plan.has_more && plan.unchanged.is_empty(), "{plan:?}");
    assert_eq!((plan.changed, plan.examples.len()), (120, 3));
    assert_eq!(served.world.stats().await.count(State::Queued), 121, "a dry run changes nothing");
    let newer = served.world.submit(labeled(1000)).await;
    let batches = all_batches(&client, cancel(), plan).await;
    let changed: Vec<u64> = batches.iter().map(|batch| batch.changed).collect();
    assert_eq!(changed, [100, 20]);
    for id in &ids {
        assert_eq!(served.world.look(*id).await.state, State::Cancelled);
    }
    for id in [other, newer] {
        assert_eq!(served.world.look(id).await.state, State::Queued, "{id} was touched");
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let actions = records.filter(|record| record["outcome"] == "200");
    let actions: BTreeSet<String> =
        actions.map(|record| record["action"].as_str().unwrap().to_owned()).collect();
    let expected = ids.iter().map(|id| format!("POST /v1/submissions/{id}/cancel"));
    let expected: BTreeSet<String> = expected.chain([format!("POST {PATH}")]).collect();
    assert_eq!(actions, expected, "each is recorded as if it had been requested alone");
}

#[tokio::test]
async fn a_plan_names_what_would_stay_unchanged_and_the_action_leaves_the_same() {
    let served = Served::start(&[]).await;
    let client = Client::new(&format!("http://{}", served.address)).unwrap();
    served.world.app.store.pause("default", "test").await.unwrap();
    // They fail because their deadline passes before the upload.
    let deadline = Some(later(SystemClock.now(), Duration::from_millis(500)));
    let late = |name: &str| SubmissionRequest { deadline, ..dataset(name) };
    let failing = served.world.submit_all([late("a"), late("b")]).await;
    ferry_testing::until("the deadline", async || Some(SystemClock.now()) > deadline).await;
    served.world.app.store.resume("default").await.unwrap();
    for id in &failing {
        served.world.until(*id, |view| view.state == State::Failed).await;
    }
    served.world.app.store.pause("default", "test").await.unwrap();
    let newer = served.world.submit(dataset("a")).await;
    let request = BulkActionRequest::new(OperatorAction::Retry);
    let plan = client.bulk_action(&request).await.unwrap();
    assert_eq!((plan.changed, &plan.examples[..]), (1, &failing[1..]));
    let [group] = plan.unchanged.as_slice() else { panic!("one stays unchanged: {plan:?}") };
    assert_eq!((group.code.as_str(), group.count), ("newer_unfinished", 1));
    assert_eq!(group.examples, failing[..1]);
    assert!(group.message.contains(&newer.to_string()), "{group:?}");
    let expected = plan.unchanged.clone();
    let batches = all_batches(&client, request, plan).await;
    assert_eq!((batches.len(), batches[0].changed), (1, 1));
    assert_eq!(batches[0].unchanged, expected);
    assert_eq!(served.world.look(failing[1]).await.state, State::Queued);
    assert_eq!(served.world.look(failing[0]).await.state, State::Failed);
}

#[tokio::test]
async fn a_bound_key_neither_counts_nor_changes_submissions_of_others() {
    let keyed = Keyed::start_with(&[]).await;
    let id = keyed.served.world.submit(labeled(1)).await;
    let run = async |name: &str, body: Value| keyed.of(name, Method::POST, PATH, &body).await;
    let all = json!({ "action": "cancel" });
    let plan = run("operator", all.clone()).await.json();
    assert_eq!((&plan["changed"], &plan["dry_run"]), (&json!(1), &json!(true)));
    let bound = run("bound", all).await.json();
    assert_eq!((&bound["changed"], &bound["pinned"]), (&json!(0), &Value::Null));
    // Neither with a position of another key, nor by the name of the account.
    let foreign = json!({ "action": "cancel", "pinned": plan["pinned"] });
    let failed = run("bound", foreign).await;
    assert!(failed.is(ProblemKind::StateConflict).detail.contains("`pinned`"));
    let named = run("bound", json!({ "action": "cancel", "accounts": ["default"] })).await.json();
    assert_eq!((&named["changed"], &named["pinned"]), (&json!(0), &Value::Null));
    assert_eq!(keyed.served.world.look(id).await.state, State::Queued);
}

#[tokio::test]
async fn more_labels_than_a_list_takes_are_an_invalid_request() {
    let served = Served::idle(&[]).await;
    let labels = |most: usize| (0..most).map(|n| (format!("k{n}"), json!("v"))).collect::<Value>();
    let all = json!({ "action": "cancel", "labels": labels(32) });
    assert_eq!(served.post(PATH, &all).await.status, 200);
    let all = json!({ "action": "cancel", "labels": labels(33) });
    let problem = served.post(PATH, &all).await.is(ProblemKind::InvalidField);
    assert!(problem.detail.contains("at most 32"), "{}", problem.detail);
}

#[tokio::test]
async fn chosen_submissions_are_acted_on_alone_and_others_of_them_are_named() {
    let keyed = Keyed::start_with(&[]).await;
    let world = &keyed.served.world;
    let ids = world.submit_all((0..4).map(labeled)).await;
    world.app.store.cancel(ids[1]).await.unwrap();
    let chosen = json!({ "action": "cancel", "ids": ids[..2] });
    let run = async |name: &str, body: &Value| keyed.of(name, Method::POST, PATH, body).await;
    let plan: BulkActionView =
        serde_json::from_slice(&run("operator", &chosen).await.body).unwrap();
    assert_eq!((plan.dry_run, plan.changed, &plan.examples[..]), (true, 1, &ids[..1]));
    let [group] = plan.unchanged.as_slice() else { panic!("one stays unchanged: {plan:?}") };
    assert_eq!((group.count, &group.examples[..]), (1, &ids[1..2]));
    let mut pinned = chosen.clone();
    pinned["pinned"] = json!(plan.pinned);
    let done: BulkActionView =
        serde_json::from_slice(&run("operator", &pinned).await.body).unwrap();
    assert_eq!((done.dry_run, done.changed, done.pinned), (false, 1, None));
    assert_eq!(world.stats().await.count(State::Queued), 2);
    let bound = run("bound", &json!({ "action": "cancel", "ids": ids })).await.json();
    assert_eq!((&bound["changed"], &bound["pinned"]), (&json!(0), &Value::Null));
    assert_eq!(bound["unchanged"][0]["code"], json!("not_found"));
    let many = vec![ids[0]; 101];
    run("operator", &json!({ "action": "cancel", "ids": many }))
        .await
        .is(ProblemKind::InvalidField);
}
