//! Handing submissions over, in every form.

use ferry_types::contract::ProblemKind;
use reqwest::Method;
use serde_json::json;

use super::harness::{Answer, GOOD, Served};

#[tokio::test]
async fn a_json_submission_is_stored_and_answered_with_its_location() {
    let served = Served::idle(&[]).await;
    let body = json!({ "name": "march", "data": GOOD, "labels": { "team": "north" } });
    let response = served.post("/v1/submissions", &body).await;
    assert_eq!(response.status, 201, "{}", response.text());
    assert_eq!(response.header("location"), format!("/v1/submissions/{}", response.id()));
    let shown = served.get(response.header("location")).await.json();
    assert_eq!(
        (&shown["name"], &shown["state"], &shown["labels"]["team"]),
        (&"march".into(), &"queued".into(), &"north".into())
    );
}

#[tokio::test]
async fn a_csv_body_takes_the_rest_from_the_url() {
    let served = Served::idle(&[]).await;
    let query =
        "name=march&overwrite=true&priority=high&result_keys=a,b&label=team=north&label=x=y";
    let request = served.request(Method::POST, &format!("/v1/submissions?{query}"));
    let response = Answer::of(request.header("content-type", "text/csv").body(GOOD)).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let shown = response.json();
    assert_eq!(shown["overwrite"], true);
    assert_eq!(shown["priority"], "high");
    assert_eq!(shown["result_keys"], json!(["a", "b"]));
    assert_eq!(shown["labels"], json!({ "team": "north", "x": "y" }));
}

/// A form as browsers and `curl -F` send it.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let head = format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    ("multipart/form-data; boundary=XX".to_owned(), body)
}

#[tokio::test]
async fn a_form_takes_files_as_they_are_and_the_name_from_the_file() {
    let served = Served::idle(&[]).await;
    let events = "SITE-001,03/03/2025,08:00,03/03/2025,09:00,Fire,0\n";
    let (content_type, body) = form(&[
        ("data", Some("dir/march.csv"), GOOD.as_bytes()),
        ("event_data", Some("events.csv"), events.as_bytes()),
        ("label", None, b"team=north"),
    ]);
    let request = served.request(Method::POST, "/v1/submissions");
    let response = Answer::of(request.header("content-type", content_type).body(body)).await;
    assert_eq!(response.status, 201, "{}", response.text());
    assert_eq!(response.json()["name"], "march");
    let id = response.id().parse().unwrap();
    let payload = served.world.app.store.payload(id).await.unwrap();
    assert_eq!((payload.data.as_str(), payload.event_data.as_deref()), (GOOD, Some(events)));
}

#[tokio::test]
async fn a_file_that_is_no_utf_8_is_named_as_such() {
    let served = Served::idle(&[]).await;
    let (content_type, body) = form(&[("data", Some("march.csv"), b"S\xe9,1,2,3,4\n")]);
    let request = served.request(Method::POST, "/v1/submissions");
    let response = Answer::of(request.header("content-type", content_type).body(body)).await;
    let problem = response.is(ProblemKind::InvalidDataset);
    assert_eq!(problem.problems[0].line, Some(1), "{problem:?}");
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_accepted() {
    let served = Served::idle(&[]).await;
    let post = |path: &str, body: serde_json::Value| {
        let request = served.request(Method::POST, path).header("content-type", "application/json");
        Answer::of(request.body(format!("\u{feff}{body}")))
    };
    let first = post("/v1/submissions", json!({ "name": "march", "data": GOOD })).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again =
        post(&format!("/v1/submissions/{}/resubmit", first.id()), json!({ "data": GOOD })).await;
    assert_eq!(again.status, 201, "{}", again.text());
    let paused = post("/v1/accounts/default/pause", json!({ "reason": "maintenance" })).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
}

#[tokio::test]
async fn json_in_utf_16_is_named_as_such() {
    let served = Served::idle(&[]).await;
    let body: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for path in ["/v1/submissions", "/v1/validate", "/v1/accounts/default/pause"] {
        let request = served.request(Method::POST, path).header("content-type", "application/json");
        let problem = Answer::of(request.body(body.clone())).await.is(ProblemKind::InvalidRequest);
        assert_eq!(problem.detail, "the body is UTF-16: expected UTF-8", "{path}");
    }
}

#[tokio::test]
async fn the_counts_of_an_invalid_dataset_are_the_true_ones() {
    let served = Served::idle(&[]).await;
    let rows = "S,3/3/2025,9:00,03/03/2025,tomorrow\n".repeat(1500);
    let body = json!({ "name": "march", "data": rows });
    let problem = served.post("/v1/submissions", &body).await.is(ProblemKind::InvalidDataset);
    assert_eq!(problem.detail, "the dataset has 4,500 errors; nothing was stored");
    let listed: u64 = problem.problems.iter().map(|problem| problem.count).sum();
    assert_eq!(listed + problem.omitted, 4500 + 1499);
    assert!(problem.problems[0].fixable && problem.problems[0].count == 1500);
}

#[tokio::test]
async fn the_same_key_with_the_same_content_is_one_submission() {
    let served = Served::idle(&[]).await;
    let send = |data: String| {
        let request = served.request(Method::POST, "/v1/submissions");
        let request = request.header("idempotency-key", "march-1");
        let request = request.header("content-type", "application/json");
        Answer::of(request.body(json!({ "name": "march", "data": data }).to_string()))
    };
    let first = send(GOOD.to_owned()).await;
    assert_eq!(first.status, 201);
    let again = send(GOOD.to_owned()).await;
    assert_eq!((again.status, again.id()), (200, first.id()));
    let other = send(format!("{GOOD}SITE-099,03/03/2025,08:00,03/03/2025,16:30\n")).await;
    assert_eq!(other.status, 422);
    let problem = other.is(ProblemKind::IdempotencyConflict);
    assert_eq!(problem.submission.map(|id| id.to_string()), Some(first.id()));
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 1);
}

#[tokio::test]
async fn a_key_in_the_header_and_another_in_the_body_are_an_error() {
    let served = Served::idle(&[]).await;
    let request = served.request(Method::POST, "/v1/submissions").header("idempotency-key", "a");
    let body = json!({ "name": "march", "data": GOOD, "idempotency_key": "b" });
    let request = request.header("content-type", "application/json").body(body.to_string());
    let problem = Answer::of(request).await.is(ProblemKind::InvalidField);
    assert_eq!(problem.field.as_deref(), Some("idempotency_key"));
}

#[tokio::test]
async fn an_invalid_dataset_is_answered_with_every_problem_and_nothing_is_stored() {
    let served = Served::idle(&[]).await;
    let data =
        "SITE-001,03/03/2025,08:00,03/03/2025,16:30\nSITE-002,3 March,25:00,03/03/2025,16:30\n";
    let body = json!({ "name": "march", "data": data, "event_data": "x\n" });
    let problem = served.post("/v1/submissions", &body).await.is(ProblemKind::InvalidDataset);
    let found = serde_json::to_value(&problem.problems).unwrap();
    assert_eq!(
        (&found[0]["table"], &found[0]["line"], &found[0]["row"]),
        (&"data".into(), &2.into(), &2.into())
    );
    assert_eq!((&found[0]["column"], &found[0]["value"]), (&"StartDate".into(), &"3 March".into()));
    assert_eq!(found[1]["column"], "StartTime");
    assert!(problem.problems.iter().any(|p| serde_json::to_value(p.table).unwrap() == "events"));
    assert_eq!(served.world.app.store.stats().await.unwrap().accounts.len(), 0);
}

#[tokio::test]
async fn warnings_are_answered_beside_the_submission() {
    let served = Served::idle(&[]).await;
    let data = "SITE-001,03/03/2025,08:00,03/03/2025,16:30,extra\n";
    let response = served.post("/v1/submissions", &json!({ "name": "march", "data": data })).await;
    assert_eq!(response.status, 201);
    assert_eq!(response.json()["warnings"][0]["kind"], "extra_columns", "{}", response.text());
}

#[tokio::test]
async fn a_corrected_dataset_goes_under_the_same_name_and_overwrites() {
    let served = Served::start(&[]).await;
    let rejected = include_str!("../../../examples/rejected.csv");
    let body = json!({ "name": "march", "data": rejected, "labels": { "a": "b" } });
    let id = served.post("/v1/submissions?wait=60s", &body).await;
    assert_eq!(id.json()["state"], "rejected", "{}", id.text());
    let corrected = json!({ "data": include_str!("../../../examples/rejected.corrected.csv") });
    let path = format!("/v1/submissions/{}/resubmit?wait=60s", id.id());
    let response = served.post(&path, &corrected).await;
    assert_eq!(response.status, 201, "{}", response.text());
    let shown = response.json();
    assert_eq!((&shown["state"], &shown["name"]), (&"completed".into(), &"march".into()));
    assert_eq!((&shown["revision_of"], &shown["overwrite"]), (&id.id().into(), &true.into()));
    assert_eq!(shown["labels"]["a"], "b");
    let request = served.request(Method::POST, &format!("/v1/submissions/{}/resubmit", id.id()));
    let csv = Answer::of(request.header("content-type", "text/csv").body(GOOD)).await;
    assert_eq!(csv.status, 201, "{}", csv.text());
}
