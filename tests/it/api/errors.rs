//! Requests that are wrong: each gets a clear answer, and the server is well afterwards.

use ferry_types::contract::ProblemKind;
use insta::assert_snapshot;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Answer, GOOD, Served};

async fn json_body(served: &Served, body: &str) -> Answer {
    let request = served.request(Method::POST, "/v1/submissions");
    Answer::of(request.header("content-type", "application/json").body(body.to_owned())).await
}

#[tokio::test]
async fn json_that_is_wrong_is_answered_with_where_and_what() {
    let served = Served::idle(&[]).await;
    let mut details = String::new();
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"name": "a"}"#,
        r#"{"name": 1, "data": "x"}"#,
        r#"{"name": "a", "data": "x", "overwrite": "yes", "labels": [1]}"#,
        r#"{"name": "a", "data": "x", "nonsense": 1}"#,
        r#"{"name": "a", "data": "x", "deadline": "tomorrow"}"#,
        "{\"name\": \"a\nb\", \"data\": \"x\"}",
    ] {
        let problem = json_body(&served, body).await.is(ProblemKind::InvalidRequest);
        details += &format!("{}\n", problem.detail);
    }
    assert_snapshot!(details, @r#"
    expected a JSON object
    EOF while parsing an object at column 1
    expected a JSON object
    expected a JSON object
    missing field `data`
    `name`: invalid type: integer `1`, expected a string
    `overwrite`: invalid type: string "yes", expected a boolean; `labels`: invalid type: sequence, expected a map
    unknown field `nonsense`, expected one of `name`, `data`, `event_data`, `account`, `overwrite`, `result_keys`, `priority`, `not_before`, `deadline`, `idempotency_key`, `labels`, `traceparent`, `webhook_url`
    `deadline`: input contains invalid characters
    control character (\u0000-\u001F) found while parsing a string at line 2 column 0
    "#);
}

#[tokio::test]
async fn fields_that_are_wrong_are_named() {
    let served = Served::idle(&[]).await;
    let mut details = String::new();
    for body in [
        json!({ "name": "", "data": GOOD }),
        json!({ "name": "x".repeat(300), "data": GOOD }),
        json!({ "name": "a", "data": GOOD, "account": "unknown" }),
        json!({ "name": "a", "data": GOOD, "deadline": "2020-01-01T00:00:00Z" }),
        json!({ "name": "a", "data": GOOD, "result_keys": ["feedback"] }),
        json!({ "name": "a", "data": GOOD, "labels": { "": "x" } }),
    ] {
        let problem = served.post("/v1/submissions", &body).await.is(ProblemKind::InvalidField);
        details += &format!("{}: {}\n", problem.field.unwrap_or_default(), problem.detail);
    }
    assert_snapshot!(details, @r#"
    name: `name`: it must not be empty
    name: `name`: it is longer than 255 characters
    account: account `unknown` is not configured: there is `default`
    deadline: `deadline`: `2020-01-01 00:00:00 UTC` is in the past
    result_keys: `result_keys`: `feedback` is not a result
    labels: `labels`: it must not be empty
    "#);
}

#[tokio::test]
async fn parameters_that_are_wrong_are_named() {
    let served = Served::idle(&[]).await;
    let mut details = String::new();
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=x",
        "state=done",
        "label=x",
        "label=a=1&label=a=2",
        "created_after=yesterday",
        "foo=1",
        "name=a&name=b",
    ] {
        let response = served.get(&format!("/v1/submissions?{query}")).await;
        details += &format!("{}\n", response.is(ProblemKind::InvalidRequest).detail);
    }
    let csv = served.request(Method::POST, "/v1/submissions?nme=a&wait=soon");
    let response = Answer::of(csv.header("content-type", "text/csv").body(GOOD)).await;
    details += &format!("{}\n", response.is(ProblemKind::InvalidRequest).detail);
    let csv = served.request(Method::POST, "/v1/submissions?nme=a");
    let response = Answer::of(csv.header("content-type", "text/csv").body(GOOD)).await;
    details += &format!("{}\n", response.is(ProblemKind::InvalidRequest).detail);
    assert_snapshot!(details, @r#"
    the parameter `limit`: expected a number from 1 to 500
    the parameter `limit`: expected a number from 1 to 500
    the parameter `limit`: expected a number from 1 to 500
    the parameter `cursor`: expected the `next_cursor` of an earlier response
    the parameter `state`: `done` is not a state: expected queued, uploading, processing, collecting, completed, rejected, failed, cancelled, held
    the parameter `label`: expected KEY=VALUE
    the parameter `label`: a key is given twice, with two values
    the parameter `created_after`: expected a time such as 2026-01-31T18:00:00Z
    there is no parameter `foo` here
    the parameter `name`: it is given twice
    the parameter `wait`: expected a duration such as 500ms or 30s
    there is no field `nme`: expected `name`, `account`, `overwrite`, `result_keys`, `priority`, `not_before`, `deadline`, `webhook_url`, `label`
    "#);
}

#[tokio::test]
async fn a_field_that_is_given_twice_is_invalid() {
    let served = Served::idle(&[]).await;
    for (query, field) in [
        ("name=a&name=b", "name"),
        ("name=a&overwrite=true&overwrite=false", "overwrite"),
        ("name=a&label=team=north&label=team=south", "label"),
    ] {
        let csv = served.request(Method::POST, &format!("/v1/submissions?{query}"));
        let response = Answer::of(csv.header("content-type", "text/csv").body(GOOD)).await;
        let problem = response.is(ProblemKind::InvalidField);
        assert_eq!(problem.field.as_deref(), Some(field));
        assert!(problem.detail.contains("twice"), "{problem:?}");
    }
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 0);
}

#[tokio::test]
async fn a_body_of_another_type_is_not_accepted() {
    let served = Served::idle(&[]).await;
    for content_type in ["", "text/html", "application/xml"] {
        let request = served.request(Method::POST, "/v1/submissions");
        let response = Answer::of(request.header("content-type", content_type).body(GOOD)).await;
        response.is(ProblemKind::UnsupportedMediaType);
    }
    let request = served.request(Method::POST, "/v1/submissions?name=a");
    let request = request.header("content-type", "text/csv").header("content-encoding", "br");
    Answer::of(request.body(GOOD)).await.is(ProblemKind::UnsupportedMediaType);
    let request = served.request(Method::POST, "/v1/submissions");
    let request = request.header("content-type", "multipart/form-data; boundary=X").body("nothing");
    Answer::of(request).await.is(ProblemKind::InvalidRequest);
}

/// Sends a request line as it is: `reqwest` would tidy it up.
async fn raw(served: &Served, head: &str) -> String {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn paths_lead_nowhere_else() {
    let served = Served::idle(&[]).await;
    for path in [
        "/v1",
        "/v1/submissions/",
        "/v1/submissions/..%2f..%2fetc%2fpasswd",
        "/v1/submissions/../../etc/passwd",
        "/v1//submissions",
        "/v1/submissions/01KDXB8W4S9ZT2M3Q5R7V1C6HY",
        "/v1/submissions/01KDXB8W4S9ZT2M3Q5R7V1C6HY/feedback",
        "/v1/submissions/01KDXB8W4S9ZT2M3Q5R7V1C6HY/results/..%2f..%2fferry.db",
        "/v1/submissions/%00",
        "/v1/submissions/%3Cscript%3E",
    ] {
        let response = raw(&served, &format!("GET {path} HTTP/1.1\r\nhost: localhost")).await;
        assert!(response.starts_with("HTTP/1.1 404"), "{path}: {response}");
        assert!(response.contains("/docs#not-found"), "{path}: {response}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_not_allowed() {
    let served = Served::idle(&[]).await;
    let response = Answer::of(served.request(Method::DELETE, "/v1/submissions")).await;
    response.is(ProblemKind::MethodNotAllowed);
    assert!(response.header("allow").contains("POST"), "{response:?}");
    let response = Answer::of(served.request(Method::GET, "/v1/accounts/default/pause")).await;
    response.is(ProblemKind::MethodNotAllowed);
}

#[tokio::test]
async fn a_head_that_is_a_flood_is_cut_off_and_the_server_is_well() {
    let served = Served::idle(&[]).await;
    let flood = "\r\nx-many: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".repeat(20_000);
    let response = raw(&served, &format!("GET /v1/stats HTTP/1.1\r\nhost: localhost{flood}")).await;
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 431"), "{response}");
    let nonsense = raw(&served, "\u{1}\u{2}\u{3}").await;
    assert!(nonsense.is_empty() || nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
    assert_eq!(served.get("/v1/stats").await.status, 200);
}

#[tokio::test]
async fn the_id_of_a_request_is_taken_over_if_it_is_fit_for_logs() {
    let served = Served::idle(&[]).await;
    let request = |id: &str| {
        let request = served.request(Method::GET, "/v1/submissions/none");
        Answer::of(request.header("x-request-id", id))
    };
    assert_eq!(request("abc-1").await.header("x-request-id"), "abc-1");
    for unfit in ["a b", &"x".repeat(200), "<b>"] {
        assert_eq!(request(unfit).await.header("x-request-id").len(), 26);
    }
}
