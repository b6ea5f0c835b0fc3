//! Keys that are bound to accounts: whatever others do, what such a key reads is the same.

use std::time::Duration;

use chrono::DateTime;
use ferry::api::{Role, create_key, revoke_key};
use ferry::app::App;
use ferry::config::{Config, Sources};
use ferry_store::{Deadline, NewSubmission, Payload};
use ferry_testing::{Wait, own_namespace, shared_server, until, within};
use ferry_types::contract::ProblemKind;
use ferry_types::domain::{SubmissionId, timestamp};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::harness::{Answer, GOOD};
use super::keys::{Keyed, routes};
use crate::support::dataset;

/// Longer than a stream ever needs.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Submissions of the account `other`, to which the key `bound` is bound.
const OWN: u128 = 5;

async fn accept(keyed: &Keyed, account: &str, n: u128, times: u32) -> SubmissionId {
    let id = SubmissionId::new(timestamp(1_770_000_000_000), fastrand::u128(..));
    let payload = Payload { data: GOOD.to_owned(), event_data: None };
    let deadline = Deadline::After(Duration::from_hours(1));
    let mut new = NewSubmission::new(id, account, format!("n{n}"), payload, deadline);
    new.idempotency_key = Some(format!("key {n} {times}"));
    new.labels = [("team".to_owned(), "north".to_owned())].into();
    keyed.served.world.app.store.accept(vec![new]).await.unwrap();
    id
}

/// Everything that the key `bound` reads, by route: the request, and the response without what no two responses
/// share.
async fn observed(store: &[(&str, &str)], has_others: bool) -> Vec<(String, String)> {
    let keyed = Keyed::start_with(store).await;
    let (mut own, mut foreign) = (Vec::new(), SubmissionId::new(timestamp(0), 1));
    for n in 0..OWN {
        for times in 0..if has_others { 3 } else { 0 } {
            foreign = accept(&keyed, "default", n, times).await;
            accept(&keyed, "third", n, times).await;
            keyed.served.world.app.store.cancel(foreign).await.unwrap();
        }
        own.push(accept(&keyed, "other", n, 0).await);
    }
    keyed.served.world.app.store.cancel(own[0]).await.unwrap();
    let names: Vec<String> = own.iter().chain([&foreign]).map(ToString::to_string).collect();
    let mut seen = Vec::new();
    for path in paths(&names) {
        let mut next = Some(path.clone());
        let wait = Wait::begin("the last page");
        // A list is read to its end.
        while let Some(path) = next.take() {
            wait.check();
            let answer = get(&keyed, &path).await;
            if let Ok(page) = serde_json::from_slice::<Value>(&answer.body)
                && let Some(cursor) = page["next_cursor"].as_str()
            {
                let path = path.split("&cursor").next().unwrap();
                next = Some(format!("{path}&cursor={cursor}"));
            }
            seen.push((plain(&path, &names), shown(&answer, &names)));
        }
    }
    seen.push(("events".to_owned(), streamed(&keyed, &names).await));
    seen
}

fn paths(names: &[String]) -> Vec<String> {
    let mut paths = vec![
        "/v1/submissions?limit=2".to_owned(),
        "/v1/submissions?limit=1&label=team=north".to_owned(),
        "/v1/submissions?limit=1&state=queued".to_owned(),
        "/v1/submissions?limit=1&name=n3".to_owned(),
        "/v1/submissions?limit=1&account=default".to_owned(),
        "/v1/submissions?limit=1&cursor=3".to_owned(),
        "/v1/events?after=0&account=default&wait=0".to_owned(),
        "/healthz".to_owned(),
        "/readyz".to_owned(),
        "/openapi.json".to_owned(),
        "/docs".to_owned(),
        "/nowhere".to_owned(),
    ];
    for name in [&names[0], &names[3], &names[5]] {
        let of_one = routes(name).into_iter().filter(|(method, ..)| *method == Method::GET);
        paths.extend(of_one.map(|(_, path, _)| path));
    }
    paths
}

async fn get(keyed: &Keyed, path: &str) -> Answer {
    let request = keyed.served.request(Method::GET, path).bearer_auth(&keyed.keys["bound"]);
    Answer::of(request).await
}

/// The stream up to the last of the own events.
async fn streamed(keyed: &Keyed, names: &[String]) -> String {
    let request = keyed.served.request(Method::GET, "/v1/events?after=0");
    let mut response = request.bearer_auth(&keyed.keys["bound"]).send().await.unwrap();
    let mut text = String::new();
    while !text.contains("submission.cancelled") || !text.ends_with("\n\n") {
        let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
        text += std::str::from_utf8(&chunk.expect("the stream sends events").unwrap().unwrap())
            .unwrap();
    }
    plain(&text, names)
}

fn shown(answer: &Answer, names: &[String]) -> String {
    let mut headers: Vec<String> = Vec::new();
    for (name, value) in &answer.headers {
        // They follow from the body and the time, or are drawn.
        let varies = ["date", "etag", "content-length", "x-request-id"].contains(&name.as_str());
        let value = if varies { "varies" } else { value.to_str().unwrap() };
        headers.push(format!("{name}: {value}"));
    }
    headers.sort();
    let (status, headers) = (answer.status, headers.join("\n"));
    format!("{status}\n{headers}\n\n{}", plain(&answer.text(), names))
}

/// A text without times, ids of requests and sealed positions, and with the submissions by their number.
fn plain(text: &str, names: &[String]) -> String {
    let mut text = text.to_owned();
    for (n, name) in names.iter().enumerate() {
        text = text.replace(name, &format!("<{n}>"));
    }
    let ends = |c: char| !(c.is_ascii_alphanumeric() || "-_:.+".contains(c));
    let word = |word: &str| match word.len() {
        26 if word.parse::<SubmissionId>().is_ok() => "<request>".to_owned(),
        48 | 70 if !word.contains(['.', ':', '+']) => format!("<{}>", word.len()),
        _ if DateTime::parse_from_rfc3339(word).is_ok() => "<time>".to_owned(),
        _ => word.to_owned(),
    };
    let mut words: Vec<String> = Vec::new();
    for part in text.split_inclusive(ends) {
        let (last, end) = match part.char_indices().next_back() {
            Some((at, c)) if ends(c) => part.split_at(at),
            _ => (part, ""),
        };
        words.push(word(last));
        words.push(end.to_owned());
    }
    without_ages(&words.concat())
}

/// Ages of steps differ with every run.
fn without_ages(text: &str) -> String {
    let name = "\"oldest_ready_seconds\":";
    let mut parts = text.split(name);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let age = part.find([',', '}']).unwrap_or_default();
        let is_some = if part.starts_with("null") { "null" } else { "<age>" };
        format!("{before}{name}{is_some}{}", &part[age..])
    })
}

async fn same_with_and_without_others(stores: [Vec<(&str, &str)>; 2]) {
    let [alone, among] = stores;
    let (alone, among) = (observed(&alone, false).await, observed(&among, true).await);
    for (alone, among) in alone.iter().zip(&among) {
        assert_eq!(alone, among);
    }
    assert_eq!(alone.len(), among.len());
    let pages = alone.iter().filter(|(path, _)| path.contains("cursor=<48>")).count();
    assert_eq!(pages, 2 + 4 + 3, "the lists have pages");
}

#[tokio::test]
async fn a_bound_key_reads_the_same_whatever_others_do() {
    same_with_and_without_others([vec![], vec![]]).await;
}

#[tokio::test]
async fn a_bound_key_reads_the_same_whatever_others_do_on_redis() {
    let redis = shared_server().await;
    let (url, namespaces) = (redis.url(), [own_namespace(), own_namespace()]);
    let store = |n: usize| vec![("STORE", &*url), ("NAMESPACE", &*namespaces[n])];
    same_with_and_without_others([store(0), store(1)]).await;
}

#[tokio::test]
async fn a_position_holds_on_every_server_and_ends_with_its_key() {
    let keyed = Keyed::start().await;
    for n in 0..3 {
        accept(&keyed, "other", n, 0).await;
    }
    let cursor = |page: &Value| page["next_cursor"].as_str().unwrap().to_owned();
    let first = cursor(&get(&keyed, "/v1/submissions?limit=1").await.json());
    let again = cursor(&get(&keyed, "/v1/submissions?limit=1").await.json());
    assert_ne!(first, again, "two positions cannot be compared");
    let stream = keyed.served.request(Method::GET, "/v1/events?after=0");
    let stream = stream.bearer_auth(&keyed.keys["bound"]).send().await.unwrap();
    let event = async |mut response: reqwest::Response| {
        let mut text = String::new();
        while !text.contains("\"n0\"") {
            let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
            text += std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap();
        }
        let message = text.split("\n\n").find(|message| message.contains("\"n0\"")).unwrap();
        message.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
    };
    let event = event(stream).await;
    // Another server with the same file of keys.
    let sources = Sources { file: None, env: keyed.served.world.env.clone(), flags: Vec::new() };
    let other = App::open(Config::load(&sources).unwrap()).unwrap();
    let server = ferry::api::Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(other.api().unwrap()));
    let ask = |path: String, key: &str| {
        keyed.served.client.get(format!("http://{address}{path}")).bearer_auth(key)
    };
    let (page_path, event_path) = (
        format!("/v1/submissions?limit=1&cursor={first}"),
        format!("/v1/events?wait=0&after={event}"),
    );
    let bound = &keyed.keys["bound"];
    let page = Answer::of(ask(page_path.clone(), bound)).await.json();
    assert_eq!(page["submissions"][0]["name"], "n1", "{page}");
    let mut stream = ask(format!("/v1/events?after={event}"), bound).send().await.unwrap();
    let mut text = String::new();
    while !text.contains("\"n2\"") {
        let chunk = tokio::time::timeout(TIMEOUT, stream.chunk()).await;
        text += std::str::from_utf8(&chunk.unwrap().unwrap().unwrap()).unwrap();
    }
    assert!(text.contains("\"n1\"") && !text.contains("\"n0\""), "{text}");
    // A new key of the same name is another key.
    assert!(revoke_key(&keyed.file, "bound").unwrap());
    let accounts = ["other".to_owned()].into();
    let new = create_key(&keyed.file, "bound".into(), Role::Read, accounts, timestamp(0)).unwrap();
    let new = new.expose_secret();
    until("the new key", async || {
        ask("/v1/stats".to_owned(), new).send().await.unwrap().status() == 200
    })
    .await;
    for key in [new, &keyed.keys["reader"]] {
        let problem = Answer::of(ask(page_path.clone(), key)).await.is(ProblemKind::InvalidRequest);
        assert!(problem.detail.contains("`cursor`"), "{problem:?}");
        let problem = Answer::of(ask(event_path.clone(), key)).await.is(ProblemKind::Gone);
        assert!(problem.detail.contains("another API key"), "{problem:?}");
    }
}

#[tokio::test]
async fn a_stream_of_a_bound_key_that_cannot_continue_says_so_without_numbers() {
    let keyed = Keyed::start().await;
    let store = &keyed.served.world.app.store;
    accept(&keyed, "other", 0, 0).await;
    let request = keyed.served.request(Method::GET, "/v1/events?after=0");
    let mut response = request.bearer_auth(&keyed.keys["bound"]).send().await.unwrap();
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let chunk = within("a greeting", response.chunk()).await;
        text += std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap();
    }
    let ready = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    drop(response);
    keyed.served.world.submit(dataset("march")).await;
    until("the removal of an event", async || {
        store.sweep(Duration::ZERO).await.unwrap();
        store.events(0, 1).await.unwrap().oldest > 0
    })
    .await;
    let problem = get(&keyed, &format!("/v1/events?after={ready}")).await.is(ProblemKind::Gone);
    let expected = "events after this position are not retained, or were lost: list the \
                    submissions, then open the stream without `Last-Event-ID`";
    assert_eq!(problem.detail, expected);
}

#[tokio::test]
async fn what_a_bound_key_may_not_use_is_not_named() {
    let keyed = Keyed::start().await;
    let body = json!({ "name": "n", "data": GOOD });
    // The account of the key is not configured; `default` is.
    let failed = keyed.of("bound", Method::POST, "/v1/submissions", &body).await;
    let problem = failed.is(ProblemKind::InvalidField);
    assert_eq!(problem.detail, "`account`: `other` is not configured on this server");
    let line = keyed.served.request(Method::POST, "/v1/submissions/bulk");
    let line = line.bearer_auth(&keyed.keys["bound"]);
    let line = line.header("content-type", "application/x-ndjson").body(body.to_string());
    let failed = Answer::of(line).await;
    assert!(failed.text().contains("`other` is not configured on this server\""));
    // Who sees all accounts gets their names.
    let body = json!({ "name": "n", "data": GOOD, "account": "none" });
    let failed = keyed.of("producer", Method::POST, "/v1/submissions", &body).await;
    assert!(failed.is(ProblemKind::InvalidField).detail.contains("`default`"));
}

/// A damaged record of another account is as little there as any other of its submissions.
async fn damaged_is_not_there(keyed: Keyed, id: SubmissionId, damage: impl AsyncFnOnce()) {
    let path = format!("/v1/submissions/{id}");
    let before = get(&keyed, &path).await.is(ProblemKind::NotFound);
    damage().await;
    let whole = keyed.of("reader", Method::GET, &path, &json!({})).await;
    whole.is(ProblemKind::DamagedSubmission);
    let after = get(&keyed, &path).await.is(ProblemKind::NotFound);
    assert_eq!(after.detail, before.detail);
    let none = SubmissionId::new(timestamp(0), 1);
    let missing = get(&keyed, &format!("/v1/submissions/{none}")).await;
    let detail = missing.is(ProblemKind::NotFound).detail;
    assert_eq!(detail.replace(&none.to_string(), &id.to_string()), after.detail);
}

#[tokio::test]
async fn a_damaged_record_of_another_account_is_not_there_for_a_bound_key() {
    let keyed = Keyed::start().await;
    let id = keyed.served.world.submit(dataset("march")).await;
    let file = keyed.served.world.folder.path().join("f.db");
    damaged_is_not_there(keyed, id, async || {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute("UPDATE submissions SET cold = x'00'", []).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_damaged_record_of_another_account_is_not_there_on_redis_either() {
    let (redis, namespace) = (shared_server().await, own_namespace());
    let url = redis.url();
    let keyed = Keyed::start_with(&[("STORE", &url), ("NAMESPACE", &namespace)]).await;
    let id = keyed.served.world.submit(dataset("march")).await;
    damaged_is_not_there(keyed, id, async || {
        let key = format!("{{{namespace}}}:s:{id}");
        redis.ask_with::<()>(&["SET", &key, "none of ours"]).await;
    })
    .await;
}

#[tokio::test]
async fn the_path_of_a_webhook_is_a_secret_for_keys_that_only_read() {
    let keyed = Keyed::start_with(&[
        ("WEBHOOK_URL", "https://hooks.example.com:8443/T0/path?query"),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ])
    .await;
    let id = keyed.served.world.submit(dataset("march")).await;
    let path = format!("/v1/submissions/{id}/deliveries");
    for (name, expected) in [
        ("reader", "https://hooks.example.com:8443"),
        ("producer", "https://hooks.example.com:8443/T0/path"),
    ] {
        let shown = keyed.of(name, Method::GET, &path, &json!({})).await.json();
        assert_eq!(shown["webhook_url"], expected, "{name}");
    }
}
