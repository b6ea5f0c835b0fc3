//! Results and feedback of the Platform, as clients get them.

use ferry_types::contract::ProblemKind;
use serde_json::json;

use super::harness::{GOOD, Served};
use crate::support::plain;

#[tokio::test]
async fn a_result_has_its_bytes_and_its_type() {
    let served = Served::start(&[]).await;
    let body = json!({ "name": "march", "data": GOOD });
    let response = served.post("/v1/submissions?wait=60s", &body).await;
    assert_eq!(response.json()["state"], "completed", "{}", response.text());
    let id = response.id();
    let result = served.get(&format!("/v1/submissions/{id}/results/tableofresultids")).await;
    let stored = served.world.app.store.content(id.parse().unwrap(), "tableofresultids").await;
    let stored = stored.unwrap().expect("it is stored");
    assert_eq!((result.status, &result.body), (200, &stored.bytes));
    assert_eq!(Some(result.header("content-type")), stored.content_type.as_deref());
    assert!(result.header("content-security-policy").contains("sandbox"));
    let other = served.get(&format!("/v1/submissions/{id}/results/other")).await;
    assert!(other.is(ProblemKind::NotFound).detail.contains("is completed"));
    let feedback = served.get(&format!("/v1/submissions/{id}/feedback")).await;
    assert_eq!(feedback.json(), json!([]));
}

#[tokio::test]
async fn feedback_stands_beside_the_rows_that_it_means() {
    let served = Served::with(plain(), &[]).await;
    let rejected = include_str!("../../../examples/rejected.csv");
    let body = json!({ "name": "march", "data": rejected });
    let id = served.post("/v1/submissions?wait=60s", &body).await.id();
    let feedback = served.get(&format!("/v1/submissions/{id}/feedback")).await.json();
    let location = &feedback[0]["locations"][0];
    assert_eq!((&location["row"], &location["line"]), (&2.into(), &3.into()), "{feedback}");
    assert_eq!(location["matching_cells"][0]["column"], "Reference");
    let raw = served.get(&format!("/v1/submissions/{id}/feedback?raw=true")).await;
    assert!(raw.text().contains("|UNKNOWN-7|"), "{}", raw.text());
    let both = served.get(&format!("/v1/submissions/{id}/feedback?raw=true&as=csv")).await;
    assert!(both.text().contains("UNKNOWN-7") && !both.text().contains('|'), "{}", both.text());
    let none = served.get(&format!("/v1/submissions/{id}/results/tableofresultids")).await;
    assert!(none.is(ProblemKind::NotFound).detail.contains("is rejected"));
    // Feedback is not a result under another name.
    let hidden = served.get(&format!("/v1/submissions/{id}/results/feedback")).await;
    hidden.is(ProblemKind::NotFound);
}

#[tokio::test]
async fn a_dataset_is_returned_byte_for_byte_as_it_was_submitted() {
    let served = Served::idle(&[]).await;
    let crlf = format!("\u{feff}{}\r\n\r\n", GOOD.trim_end().replace('\n', "\r\n"));
    for (name, data) in [("plain", GOOD), ("habits", &crlf)] {
        let id = served.submit(&json!({ "name": name, "data": data })).await;
        let stored = served.get(&format!("/v1/submissions/{id}/data")).await;
        assert_eq!((stored.status, stored.text().as_str()), (200, data));
        assert_eq!(stored.header("content-type"), "text/csv; charset=utf-8");
        assert!(stored.header("content-security-policy").contains("sandbox"));
        let none = served.get(&format!("/v1/submissions/{id}/event-data")).await;
        assert!(none.is(ProblemKind::NotFound).detail.contains("has no event data"));
    }
}

#[tokio::test]
async fn what_is_unfinished_has_neither_results_nor_feedback() {
    let served = Served::idle(&[]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    for path in ["results/tableofresultids", "feedback", "feedback?raw"] {
        let response = served.get(&format!("/v1/submissions/{id}/{path}")).await;
        let detail = response.is(ProblemKind::NotFound).detail;
        assert!(detail.contains("is queued"), "{detail}");
    }
}
