//! Operations on submissions and accounts.

use ferry_sim::{Endpoint, Fault};
use ferry_types::contract::ProblemKind;
use reqwest::Method;
use serde_json::json;

use super::harness::{Answer, GOOD, Served};

#[tokio::test]
async fn a_cancelled_submission_is_final() {
    let served = Served::idle(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let path = format!("/v1/submissions/{id}/cancel");
    // This call needs no body.
    let response = Answer::of(served.request(Method::POST, &path)).await;
    assert_eq!((response.status, &response.json()["state"]), (200, &"cancelled".into()));
    for action in ["retry", "cancel"] {
        let again = served.post(&format!("/v1/submissions/{id}/{action}"), &json!({})).await;
        assert_eq!(again.status, 409, "{action}: {}", again.text());
    }
}

#[tokio::test]
async fn a_held_submission_is_resolved_and_only_so() {
    let served = Served::start(&[]).await;
    served.world.sim.script(Endpoint::Upload, Fault::ResetAfter);
    let body = json!({ "name": "march", "data": GOOD });
    let held = served.post("/v1/submissions?wait=60s", &body).await;
    assert_eq!(held.json()["state"], "held", "{}", held.text());
    let id = held.id();
    let resubmitted =
        served.post(&format!("/v1/submissions/{id}/resubmit"), &json!({ "data": GOOD })).await;
    resubmitted.is(ProblemKind::StateConflict);
    let path = format!("/v1/submissions/{id}/resolve");
    served.post(&path, &json!({ "resolution": "perhaps" })).await.is(ProblemKind::InvalidRequest);
    Answer::of(served.request(Method::POST, &path)).await.is(ProblemKind::InvalidRequest);
    let resolved = served.post(&path, &json!({ "resolution": "overwrite" })).await;
    assert_eq!(resolved.status, 200, "{}", resolved.text());
    let done = served.get(&format!("/v1/submissions/{id}?wait=60s")).await;
    assert_eq!(done.json()["state"], "completed", "{}", done.text());
    served.post(&path, &json!({ "resolution": "fail" })).await.is(ProblemKind::StateConflict);
}

#[tokio::test]
async fn a_paused_account_says_why_and_is_resumed() {
    let served = Served::start(&[]).await;
    let path = "/v1/accounts/default/pause";
    let paused = served.post(path, &json!({ "reason": "maintenance" })).await;
    let paused = paused.json();
    let reason = paused["pause_reason"].as_str().expect("a reason").to_owned();
    assert_eq!((&paused["account"], &paused["changed"]), (&"default".into(), &true.into()));
    assert!(reason.starts_with("maintenance (paused by `"), "{reason}");
    assert!(reason.contains("` over the API at 20") && reason.ends_with(" UTC)"), "{reason}");
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let shown = served.get(&format!("/v1/submissions/{id}")).await.json();
    assert_eq!(shown["waiting_for"]["reason"], reason, "{shown}");
    let stats = served.get("/v1/stats").await.json();
    assert_eq!(stats["accounts"][0]["blocked_by"]["reason"], reason, "{stats}");
    let resumed = served.post("/v1/accounts/default/resume", &json!({})).await.json();
    assert_eq!(resumed["changed"], true);
    let done = served.get(&format!("/v1/submissions/{id}?wait=60s")).await;
    assert_eq!(done.json()["state"], "completed");
}

#[tokio::test]
async fn an_unknown_account_is_not_found() {
    let served = Served::idle(&[]).await;
    for action in ["pause", "resume"] {
        let response = served.post(&format!("/v1/accounts/unknown/{action}"), &json!({})).await;
        response.is(ProblemKind::NotFound);
    }
    let reason = "x".repeat(300);
    let response = served.post("/v1/accounts/default/pause", &json!({ "reason": reason })).await;
    response.is(ProblemKind::InvalidField);
}
