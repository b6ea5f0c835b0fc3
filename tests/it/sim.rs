//! The simulator by itself, asked with a plain HTTP client: what it lets in, what it does, what it
//! breaks, and what it says that it saw.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ferry::clock::{Clock, SystemClock};
use ferry::sim::{
    Credentials, Endpoint, Fault, FaultRates, Processing, RetryAfter, Sim, SimConfig,
    expected_results,
};
use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use serde_json::{Value, json};

const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                    R1,01/02/2026,08:00,01/02/2026,09:30\n\
                    R2,02/02/2026,23:59,03/02/2026,00:00\n";

const FORM: &str = "application/x-www-form-urlencoded";
const GRANT: &str = "grant_type=client_credentials&scope=platform_upload_api";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

struct Caller {
    sim: Sim,
    http: Client,
}

fn localhost() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Ready at once, unless a test says otherwise.
fn quick() -> SimConfig {
    SimConfig { processing: Processing::Fixed(Duration::ZERO), ..SimConfig::default() }
}

async fn start(config: SimConfig) -> Caller {
    let sim = Sim::start(config, localhost()).await.expect("a port is free");
    Caller { sim, http: client() }
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().tls_certs_only([]).build().expect("a plain client")
}

fn upload_body(name: &str, data: &str) -> Value {
    json!({ "Name": name, "Data": data, "Username": "demo", "Key": "demo-key", "Overwrite": "false" })
}

impl Caller {
    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.text().await? })
    }

    async fn ask_token(&self, basic: &str, content_type: &str, form: &str) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(basic));
        let headers = [("authorization", basic.as_str()), ("content-type", content_type)];
        self.send(Method::POST, &self.sim.token_url(), &headers, form.to_owned())
            .await
            .expect("an answer")
    }

    async fn token(&self) -> String {
        let answer = self.ask_token("demo:demo-secret", FORM, GRANT).await;
        let answer: Value = serde_json::from_str(&answer.body).expect("a JSON answer");
        format!("Bearer {}", answer["access_token"].as_str().expect("an access token"))
    }

    async fn try_upload(&self, bearer: &str, body: &Value) -> reqwest::Result<Answer> {
        let headers = [("authorization", bearer), ("content-type", "application/json")];
        let url = format!("{}/UploadData", self.sim.api_url());
        self.send(Method::POST, &url, &headers, body.to_string()).await
    }

    async fn upload(&self, bearer: &str, body: &Value) -> Answer {
        self.try_upload(bearer, body).await.expect("an answer")
    }

    async fn try_query(&self, bearer: &str, query: &str) -> reqwest::Result<Answer> {
        let url = format!("{}/GetResults?{query}", self.sim.api_url());
        self.send(Method::GET, &url, &[("authorization", bearer)], "").await
    }

    async fn get(&self, bearer: &str, token: &str, data_key: &str) -> Answer {
        let query = format!("token={token}&dataKey={data_key}&key=demo-key");
        self.try_query(bearer, &query).await.expect("an answer")
    }
}

#[tokio::test]
async fn only_the_right_client_gets_a_token() {
    let client_secret = "a+b /=%:&ü".to_owned();
    let credentials = Credentials { client_secret, ..Credentials::default() };
    let caller = start(SimConfig { credentials, ..quick() }).await;
    let right = "demo:a%2Bb+%2F%3D%25%3A%26%C3%BC";
    for basic in ["demo:a+b /=%:&ü", "other:a%2Bb+%2F%3D%25%3A%26%C3%BC", "demo", ""] {
        let answer = caller.ask_token(basic, FORM, GRANT).await;
        assert_eq!((answer.status, answer.body.contains("invalid_client")), (401, true), "{basic}");
    }
    assert_eq!(caller.ask_token(right, "application/json", GRANT).await.status, 400);
    assert_eq!(caller.ask_token(right, FORM, "grant_type=password").await.status, 400);
    let without_scope = "grant_type=client_credentials";
    assert_eq!(caller.ask_token(right, FORM, without_scope).await.status, 400);
    let answer = caller.ask_token(right, FORM, GRANT).await;
    assert_eq!(answer.status, 200);
    let answer: Value = serde_json::from_str(&answer.body).expect("a JSON answer");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(600)));
    let ledger = caller.sim.ledger();
    assert_eq!((ledger.tokens_issued, ledger.unauthorized), (1, 4));
}

#[tokio::test]
async fn nothing_passes_without_an_access_token_that_lasts() {
    let token_lifetime = Duration::from_millis(300);
    let caller = start(SimConfig { token_lifetime, ..quick() }).await;
    for bearer in ["", "Bearer ", "Bearer made-up", "Basic made-up"] {
        assert_eq!(caller.upload(bearer, &upload_body("n", DATA)).await.status, 401);
        assert_eq!(caller.get(bearer, "t", "status").await.status, 401);
    }
    let bearer = caller.token().await;
    let issued = Instant::now();
    while caller.get(&bearer, "t", "status").await.status != 401 {}
    assert!(issued.elapsed() >= token_lifetime / 2, "it lasted {:?}", issued.elapsed());
    assert_eq!(caller.sim.ledger().unauthorized, 9);
    assert_eq!(caller.sim.ledger().accepted(), 0);
}

#[tokio::test]
async fn an_upload_with_missing_unknown_or_wrong_fields_is_refused() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let with = |field: &str, value: Value| {
        let mut body = upload_body("n", DATA);
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = upload_body("n", DATA);
        body.as_object_mut().expect("an object").remove(field);
        body
    };
    let cases = [
        (without("Name"), 400),
        (without("Data"), 400),
        (without("Username"), 400),
        (without("Key"), 400),
        (with("name", json!("n")), 400),
        (with("Extra", json!(1)), 400),
        (with("Data", json!(["a"])), 400),
        (with("Overwrite", json!("True")), 400),
        (with("Overwrite", json!(0)), 400),
        (with("Username", json!("other")), 400),
        (with("Key", json!("other")), 403),
        (with("Name", json!("")), 422),
        (with("Data", json!(" \n")), 422),
        (json!("text"), 400),
    ];
    let refused = cases.len() as u64;
    for (body, status) in cases {
        assert_eq!(caller.upload(&bearer, &body).await.status, status, "{body}");
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let url = format!("{}/UploadData", caller.sim.api_url());
    let body = upload_body("n", DATA).to_string();
    let answer = caller.send(Method::POST, &url, &headers, body.clone()).await.expect("an answer");
    assert_eq!(answer.status, 400);
    assert_eq!(caller.sim.ledger().uploads_refused, refused + 1);
    assert_eq!(caller.sim.ledger().accepted(), 0);

    let json = "application/JSON; charset=utf-8";
    let headers = [("authorization", bearer.as_str()), ("content-type", json)];
    let answer = caller.send(Method::POST, &url, &headers, body).await.expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_question_with_missing_unknown_or_wrong_parameters_is_refused() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    for (query, status) in [
        ("token=t&dataKey=status", 400),
        ("token=t&key=demo-key", 400),
        ("dataKey=status&key=demo-key", 400),
        ("token=t&token=t&dataKey=status&key=demo-key", 400),
        ("token=t&dataKey=status&key=demo-key&more=1", 400),
        ("token=t&dataKey=status&key=other", 403),
        ("token=t&dataKey=status&key=demo-key", 404),
    ] {
        let answer = caller.try_query(&bearer, query).await.expect("an answer");
        assert_eq!(answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_path_or_method_is_not_found_and_dated_by_the_same_clock() {
    let caller = start(SimConfig { clock_skew: 7200, ..quick() }).await;
    let base = caller.sim.api_url();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/UploadData"),
        (Method::DELETE, "/UploadData"),
        (Method::POST, "/GetResults"),
        (Method::POST, "/uploaddata"),
    ] {
        let url = format!("{base}{path}");
        let answer = caller.send(method, &url, &[], "").await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
        let date = answer.headers["date"].to_str().expect("a text");
        let date = DateTime::parse_from_rfc2822(date).expect("a date").with_timezone(&Utc);
        let ahead = date - SystemClock.now();
        assert!((7100..7300).contains(&ahead.num_seconds()), "{ahead}");
    }
}

#[tokio::test]
async fn a_name_is_replaced_only_with_overwrite_and_its_old_token_is_gone() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let first = caller.upload(&bearer, &upload_body("n", DATA)).await;
    assert_eq!(first.status, 200);
    let again = caller.upload(&bearer, &upload_body("n", DATA)).await;
    assert_eq!((again.status, again.body.as_str()), (409, "a dataset named n already exists"));
    for overwrite in [json!("true"), json!(true)] {
        let before = caller.sim.ledger().names["n"].accepted.last().cloned().expect("an upload");
        let mut body = upload_body("n", DATA);
        body["Overwrite"] = overwrite;
        let replaced = caller.upload(&bearer, &body).await;
        assert_eq!(replaced.status, 200);
        let old = caller.get(&bearer, &before.processing_token, "status").await;
        assert_eq!(old.status, 404);
        let new = caller.get(&bearer, &replaced.body, "status").await;
        assert_eq!(new.body, "CompletedSuccessfully");
    }
    let mut body = upload_body("n", DATA);
    body["Overwrite"] = json!(false);
    assert_eq!(caller.upload(&bearer, &body).await.status, 409);
    let ledger = caller.sim.ledger();
    let name = &ledger.names["n"];
    let overwrites: Vec<bool> = name.accepted.iter().map(|upload| upload.overwrite).collect();
    assert_eq!((overwrites, name.refused_exists), (vec![false, true, true], 2));
    assert_eq!(name.accepted[0].data_bytes, DATA.len() as u64);
    assert_eq!((ledger.doubled(), ledger.uploads_refused), (vec!["n"], 2));
}

#[tokio::test]
async fn results_are_derived_from_every_cell_of_the_data() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await;
    let results = caller.get(&bearer, &uploaded.body, "tableofresultids").await;
    assert_eq!(results.headers["content-type"], "text/csv");
    assert_eq!(results.body, expected_results("n", DATA));
    assert!(results.body.starts_with("Reference,ResultId\nR1,"), "{}", results.body);
    assert_eq!(results.body.lines().count(), 3);
    let other = caller.get(&bearer, &uploaded.body, "anything").await;
    assert_eq!((other.status, other.body.as_str()), (200, r#"{"key":"anything","rows":2}"#));
    let feedback = caller.get(&bearer, &uploaded.body, "feedback").await;
    assert_eq!((feedback.status, feedback.body.as_str()), (200, ""));

    let changed = [
        DATA.replace("08:00", "08:01"),
        DATA.replace("R2", "R3"),
        DATA.replace("R1,", "R1 ,"),
        DATA.replace("00:00\n", "00:00,x\n"),
    ];
    let mut seen = BTreeSet::from([expected_results("n", DATA), expected_results("m", DATA)]);
    assert_eq!(seen.len(), 2);
    seen.extend(changed.iter().map(|data| expected_results("n", data)));
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_dataset_with_faults_gets_feedback_with_row_numbers_that_count_the_header() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let data = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                R1,1/02/2026,08:00,31/02/2026,9:30\n\
                UNKNOWN|7,01/02/2026,08:00,01/02/2026,24:01\n\
                R3,01/02/2026\n\
                ,01/02/2026,08:00,01/02/2026,09:00\n";
    let mut body = upload_body("n", data);
    body["EventData"] = json!("R1,01/02/2026,08:00,01/02/2026,09:00,Fall,3\n");
    let uploaded = caller.upload(&bearer, &body).await;
    assert_eq!(caller.get(&bearer, &uploaded.body, "status").await.body, "CompletedWithErrors");
    let feedback = caller.get(&bearer, &uploaded.body, "feedback").await;
    let expected = "2|1/02/2026|not a date\n\
                    2|31/02/2026|not a date\n\
                    2|9:30|not a time\n\
                    3|24:01|not a time\n\
                    3|UNKNOWN|7|unknown reference\n\
                    4|R3|too few columns\n\
                    5||a reference is required\n\
                    1|3|time reference must be 0, 1 or 2\n";
    assert_eq!(feedback.body, expected);
    assert_eq!(caller.get(&bearer, &uploaded.body, "tableofresultids").await.status, 409);
}

#[tokio::test]
async fn a_dataset_is_ready_when_its_time_has_passed_and_not_before() {
    let time = Duration::from_millis(200);
    let processing = Processing::Fixed(time);
    let caller = start(SimConfig { processing, quoted: true, ..SimConfig::default() }).await;
    let bearer = caller.token().await;
    let begun = Instant::now();
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await;
    let token: String = serde_json::from_str(&uploaded.body).expect("a JSON string");
    assert_eq!(caller.get(&bearer, &token, "tableofresultids").await.status, 409);
    let mut words = Vec::new();
    while words.last().is_none_or(|word| word != "\"CompletedSuccessfully\"") {
        words.push(caller.get(&bearer, &token, "status").await.body);
    }
    assert!(begun.elapsed() >= time);
    let polls = words.len() as u64;
    words.dedup();
    assert_eq!(words, ["\"Submitted\"", "\"Processing\"", "\"CompletedSuccessfully\""]);
    let ledger = caller.sim.ledger();
    let name = &ledger.names["n"];
    assert_eq!((name.polls_before_ready, name.polls_after_ready), (polls - 1, 1));
    assert_eq!((ledger.polls(), ledger.accepted(), ledger.requests), (polls, 1, polls + 3));
}

#[tokio::test]
async fn a_scripted_fault_happens_once_and_in_order() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let headers = vec![("x-more".to_owned(), "yes".to_owned())];
    let teapot = Fault::Respond { status: 418, headers, body: "short and stout".into() };
    caller.sim.script(Endpoint::Upload, teapot);
    caller.sim.script(Endpoint::Upload, Fault::ResetBefore);
    caller.sim.script(Endpoint::Upload, Fault::RefuseToken);
    assert!(!caller.sim.is_script_done());
    let body = upload_body("n", DATA);
    let answer = caller.upload(&bearer, &body).await;
    assert_eq!((answer.status, answer.body.as_str()), (418, "short and stout"));
    assert_eq!(answer.headers["x-more"], "yes");
    assert!(caller.try_upload(&bearer, &body).await.is_err());
    assert_eq!(caller.upload(&bearer, &body).await.status, 401);
    assert!(caller.sim.is_script_done());
    assert_eq!(caller.upload(&bearer, &body).await.status, 401);
    assert_eq!(caller.sim.ledger().accepted(), 0);
    let bearer = caller.token().await;
    assert_eq!(caller.upload(&bearer, &body).await.status, 200);
    let faults = caller.sim.ledger().faults;
    let expected = [("reset", 1), ("respond", 1), ("token_refusal", 1)];
    assert_eq!(faults, expected.into_iter().collect());
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_stored_and_marked() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    for (name, fault) in [
        ("reset", Fault::ResetAfter),
        ("cut", Fault::CutBody),
        ("enormous", Fault::Enormous(3 << 20)),
    ] {
        caller.sim.script(Endpoint::Upload, fault);
        let answer = caller.try_upload(&bearer, &upload_body(name, DATA)).await;
        assert!(answer.is_err() || answer.is_ok_and(|a| a.body.len() == 3 << 20), "{name}");
        let mut again = upload_body(name, DATA);
        assert_eq!(caller.upload(&bearer, &again).await.status, 409);
        again["Overwrite"] = json!("true");
        assert_eq!(caller.upload(&bearer, &again).await.status, 200);
        let lost: Vec<bool> =
            caller.sim.ledger().names[name].accepted.iter().map(|a| a.answer_lost).collect();
        assert_eq!(lost, [true, false], "{name}");
    }
    assert!(caller.sim.ledger().doubled().is_empty());
}

#[tokio::test]
async fn a_late_answer_is_lost_only_if_nobody_waits_for_it() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let slow = Duration::from_millis(2);
    for (name, fault) in [("stall", Fault::Stall(slow)), ("slow", Fault::SlowBody(slow))] {
        caller.sim.script(Endpoint::Upload, fault);
        let answer = caller.upload(&bearer, &upload_body(name, DATA)).await;
        assert_eq!((answer.status, answer.body.len()), (200, 36));
        // The last byte is on its way before the ledger knows.
        while caller.sim.ledger().names[name].accepted[0].answer_lost {
            tokio::task::yield_now().await;
        }
    }
    let long = Duration::from_mins(1);
    for (name, fault) in [("stalled", Fault::Stall(long)), ("slowed", Fault::SlowBody(long))] {
        caller.sim.script(Endpoint::Upload, fault);
        let body = upload_body(name, DATA);
        let is_stored = async {
            while !caller.sim.ledger().names.contains_key(name) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = caller.try_upload(&bearer, &body) => panic!("it was answered"),
            () = is_stored => {}
        }
        assert!(caller.sim.ledger().names[name].accepted[0].answer_lost, "{name}");
    }
}

#[tokio::test]
async fn who_comes_back_too_soon_after_a_429_is_counted() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let body = upload_body("n", DATA);
    let long = RetryAfter::Seconds(60.0);
    caller.sim.script(Endpoint::Upload, Fault::SlowDown(long));
    let answer = caller.upload(&bearer, &body).await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"60".parse().expect("a")));
    // Another dataset was not asked to wait.
    caller.upload(&bearer, &upload_body("other", DATA)).await;
    assert_eq!(caller.sim.ledger().early_requests, 0);
    let uploaded = caller.upload(&bearer, &body).await;
    assert_eq!(caller.sim.ledger().early_requests, 1);

    caller.sim.script(Endpoint::Status, Fault::SlowDown(RetryAfter::Seconds(-1.0)));
    caller.sim.script(Endpoint::Status, Fault::SlowDown(RetryAfter::Missing));
    caller.sim.script(Endpoint::Status, Fault::SlowDown(RetryAfter::Date(Duration::from_mins(1))));
    for present in [true, false, true] {
        let answer = caller.get(&bearer, &uploaded.body, "status").await;
        assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (429, present));
    }
    assert_eq!(caller.sim.ledger().early_requests, 1);
    assert_eq!(caller.get(&bearer, &uploaded.body, "status").await.status, 200);
    assert_eq!(caller.sim.ledger().early_requests, 2);
}

#[tokio::test]
async fn slow_cut_and_enormous_bodies_are_what_they_say() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await.body;
    let pause = Duration::from_millis(5);
    caller.sim.script(Endpoint::Status, Fault::SlowBody(pause));
    let begun = Instant::now();
    let answer = caller.get(&bearer, &uploaded, "status").await;
    assert_eq!(answer.body, "CompletedSuccessfully");
    assert!(begun.elapsed() >= pause * 21);

    caller.sim.script(Endpoint::Results, Fault::CutBody);
    // An empty body is cut, too.
    caller.sim.script(Endpoint::Feedback, Fault::CutBody);
    for key in ["tableofresultids", "feedback"] {
        let query = format!("token={uploaded}&dataKey={key}&key=demo-key");
        assert!(caller.try_query(&bearer, &query).await.is_err(), "{key}");
    }
    caller.sim.script(Endpoint::Results, Fault::Enormous(1_000_000));
    let answer = caller.get(&bearer, &uploaded, "tableofresultids").await;
    assert_eq!((answer.status, answer.body.len()), (200, 1_000_000));
    assert_eq!(caller.get(&bearer, &uploaded, "feedback").await.status, 200);
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_told_so() {
    let caller = start(SimConfig { max_upload_bytes: 10_000, ..quick() }).await;
    let bearer = caller.token().await;
    let answer = caller.upload(&bearer, &upload_body("n", &"x".repeat(20 << 20))).await;
    assert_eq!((answer.status, caller.sim.ledger().uploads_refused), (413, 1));
    assert_eq!(caller.upload(&bearer, &upload_body("n", DATA)).await.status, 200);
}

#[tokio::test]
async fn in_an_outage_every_request_fails_and_nothing_happens() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.set_outage(true);
    for _ in 0..20 {
        let answer = caller.try_upload(&bearer, &upload_body("n", DATA)).await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 503));
    }
    caller.sim.set_outage(false);
    assert_eq!(caller.sim.ledger().accepted(), 0);
    assert_eq!(caller.upload(&bearer, &upload_body("n", DATA)).await.status, 200);
}

#[tokio::test]
async fn seeded_faults_are_as_frequent_as_configured() {
    let faults = FaultRates {
        server_error: 0.1,
        slow_down: 0.1,
        reset: 0.1,
        lost_answer: 0.2,
        token_refusal: 0.05,
    };
    let caller = start(SimConfig { faults, seed: 7, ..quick() }).await;
    let bearer = loop {
        let answer = caller.ask_token("demo:demo-secret", FORM, GRANT);
        let Ok(answer) = tokio::time::timeout(Duration::from_secs(10), answer).await else {
            panic!("the token endpoint does not answer")
        };
        if answer.status == 200 {
            let answer: Value = serde_json::from_str(&answer.body).expect("a JSON answer");
            break format!("Bearer {}", answer["access_token"].as_str().expect("a token"));
        }
    };
    let before = caller.sim.ledger();
    for batch in 0..20 {
        let bodies: Vec<_> =
            (0..100).map(|n| upload_body(&format!("n{batch}-{n}"), DATA)).collect();
        join_all(bodies.iter().map(|body| caller.try_upload(&bearer, body))).await;
    }
    let ledger = caller.sim.ledger();
    assert_eq!(ledger.requests - before.requests, 2000);
    let count = |name| {
        let counted = |ledger: &ferry::sim::Ledger| ledger.faults.get(name).copied().unwrap_or(0);
        counted(&ledger) - counted(&before)
    };
    for (name, range) in [
        ("server_error", 140..=260),
        ("slow_down", 122..=238),
        ("reset", 107..=217),
        ("lost_answer", 221..=363),
    ] {
        assert!(range.contains(&count(name)), "{name}: {}", count(name));
    }
    // The only token was revoked once, and was not in use after that.
    assert_eq!(count("token_refusal"), 1);
    assert!(ledger.unauthorized > 500, "{}", ledger.unauthorized);
}

#[tokio::test]
async fn two_hundred_connections_at_once_are_served() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_millis(200)));
    let bodies: Vec<_> = (0..200).map(|n| upload_body(&format!("n{n}"), DATA)).collect();
    // A client each, so that no connection is shared.
    let callers = bodies.iter().map(|body| {
        let (http, url) = (client(), format!("{}/UploadData", caller.sim.api_url()));
        let request = http.post(url).header("authorization", bearer.as_str());
        request.header("content-type", "application/json").body(body.to_string()).send()
    });
    for answer in join_all(callers).await {
        assert_eq!(answer.expect("an answer").status().as_u16(), 200);
    }
    assert_eq!(caller.sim.ledger().names.len(), 200);
}

#[tokio::test]
async fn its_end_breaks_connections_in_use_and_idle() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let address = caller.sim.address();
    let (stall, slow) = (Duration::from_mins(1), Duration::from_mins(1));
    caller.sim.script(Endpoint::Status, Fault::Stall(stall));
    caller.sim.script(Endpoint::Status, Fault::SlowBody(slow));
    let Caller { sim, http } = caller;
    let url = format!("{}/GetResults?token=t&dataKey=status&key=demo-key", sim.api_url());
    let ask = || http.get(&url).header("authorization", bearer.as_str()).send();
    let stalled = tokio::spawn(ask());
    let slowed = tokio::spawn(ask());
    let idle = tokio::net::TcpStream::connect(address).await.expect("a connection");
    while !sim.is_script_done() {
        tokio::task::yield_now().await;
    }
    let waits = Duration::from_secs(10);
    let slowed = tokio::time::timeout(waits, slowed).await.expect("in time").expect("no panic");
    drop(sim);
    let stalled = tokio::time::timeout(waits, stalled).await.expect("in time").expect("no panic");
    assert!(stalled.is_err());
    let body = slowed.expect("an answer").text();
    assert!(tokio::time::timeout(waits, body).await.expect("in time").is_err());
    let mut buffer = [0];
    let end = async {
        idle.readable().await.expect("a readable stream");
        idle.try_read(&mut buffer)
    };
    let end = tokio::time::timeout(waits, end).await.expect("in time");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert!(ask().await.is_err());
}

#[tokio::test]
async fn another_one_can_listen_where_one_was_stopped() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await.body;
    let address = caller.sim.address();
    let mut sim = caller.sim;
    for _ in 0..5 {
        sim.stop().await;
        sim = Sim::start(quick(), address).await.expect("the port is free again");
    }
    let caller = Caller { sim, http: client() };
    let bearer = caller.token().await;
    assert_eq!(caller.get(&bearer, &uploaded, "status").await.status, 404);
    // The same seed, and yet no old token stands for another dataset.
    let other = caller.upload(&bearer, &upload_body("m", DATA)).await.body;
    assert_ne!(other, uploaded);
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_still_counted() {
    let caller = start(SimConfig { memory: Duration::ZERO, ..quick() }).await;
    let bearer = caller.token().await;
    let first = caller.upload(&bearer, &upload_body("n0", DATA)).await.body;
    assert_eq!(caller.get(&bearer, &first, "status").await.status, 200);
    for n in 1..10 {
        caller.upload(&bearer, &upload_body(&format!("n{n}"), DATA)).await;
    }
    assert_eq!(caller.get(&bearer, &first, "status").await.status, 404);
    let ledger = caller.sim.ledger();
    assert_eq!((ledger.names.len(), ledger.forgotten.names), (1, 9));
    assert_eq!((ledger.accepted(), ledger.polls()), (10, 1));
    let refused = caller.upload(&bearer, &upload_body("n9", DATA)).await;
    assert_eq!(refused.status, 409);
    assert_eq!(caller.upload(&bearer, &upload_body("n0", DATA)).await.status, 200);
}

#[tokio::test]
async fn the_ledger_can_be_read_over_http_and_holds_no_secret() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.upload(&bearer, &upload_body("n", DATA)).await;
    let url = format!("http://{}/ledger", caller.sim.address());
    let ledger = caller.send(Method::GET, &url, &[], "").await.expect("an answer").body;
    let parsed: Value = serde_json::from_str(&ledger).expect("a JSON answer");
    assert_eq!(parsed["names"]["n"]["accepted"][0]["overwrite"], json!(false));
    let shown = format!("{ledger} {:?} {:?}", caller.sim, caller.sim.ledger());
    for secret in ["demo-secret", "demo-key", &bearer["Bearer ".len()..], "R1"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
