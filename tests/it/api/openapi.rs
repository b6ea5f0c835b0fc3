//! The `OpenAPI` document: it says what there is, and every answer is as it says.

use std::collections::BTreeSet;
use std::process::Command;

use reqwest::Method;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::harness::{Answer, Served};
use super::keys::routes;
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, Platform};
use crate::python::{all_output, installed};
use crate::support::of_environment;
use ferry_testing::shared_server;

fn entries(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// A path of the document with something in its parameters.
fn filled(path: &str) -> String {
    let fill = |part: &str| match part {
        "{id}" | "{other}" => "01KDXB8W4S9ZT2M3Q5R7V1C6HY".to_owned(),
        "{key}" | "{name}" => "x".to_owned(),
        "{account}" => "default".to_owned(),
        other => other.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}

/// A path without its parameters.
fn bare(path: &str) -> String {
    path.split('?').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_document_has_every_route_and_no_other() {
    let served = Served::idle(&[]).await;
    let document = served.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut documented = BTreeSet::new();
    for (path, methods) in entries(&document["paths"]) {
        let filled = filled(path);
        assert!(!filled.contains('{'), "{path}: add its value to this test");
        let methods: BTreeSet<String> =
            entries(methods).keys().map(|method| method.to_uppercase()).collect();
        // The router names the methods that a path takes.
        let failed = Answer::of(served.request(Method::PATCH, &filled)).await;
        let allowed = failed.header("allow").split(',').map(str::trim).filter(|m| *m != "HEAD");
        assert_eq!(allowed.map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
        documented.extend(methods.into_iter().map(|method| (method, filled.clone())));
    }
    let open = ["/healthz", "/readyz", "/openapi.json", "/docs"];
    let known: BTreeSet<(String, String)> = routes("01KDXB8W4S9ZT2M3Q5R7V1C6HY")
        .into_iter()
        .map(|(method, path, _)| (method.to_string(), bare(&path)))
        .chain(open.map(|path| ("GET".to_owned(), path.to_owned())))
        .collect();
    assert_eq!(documented, known);
}

#[tokio::test]
async fn each_operation_has_a_name_an_example_and_the_role_that_it_needs() {
    let served = Served::idle(&[]).await;
    let document = served.get("/openapi.json").await.json();
    let mut names = BTreeSet::new();
    for (path, methods) in entries(&document["paths"]) {
        for (method, operation) in entries(methods) {
            let what = format!("{method} {path}: {operation:#}");
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "twice: {what}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{what}");
            let role = &operation["security"][0]["key"][0];
            let location = filled(path);
            let needed = routes("01KDXB8W4S9ZT2M3Q5R7V1C6HY")
                .into_iter()
                .find(|(m, p, _)| m.as_str() == method.to_uppercase() && bare(p) == location);
            assert_eq!(role.as_str(), needed.map(|(_, _, role)| role.as_str()), "{what}");
            if let Some(body) = operation.get("requestBody") {
                for media in entries(&body["content"]).values() {
                    assert!(!media["example"].is_null(), "{what}");
                }
            }
            for (status, response) in entries(&operation["responses"]) {
                assert!(!response["description"].as_str().unwrap().is_empty(), "{what}");
                let problem = &response["content"]["application/problem+json"];
                let is_problem = !matches!(status.as_str(), "200" | "201" | "304");
                assert_eq!(
                    problem.is_object(),
                    is_problem && location != "/readyz",
                    "{status}: {what}"
                );
            }
        }
    }
    // Whatever is referred to is there.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let location = reference.split('"').next().unwrap();
        assert!(document.pointer(location).is_some(), "{location} is nowhere");
    }
}

#[tokio::test]
async fn the_examples_of_datasets_are_taken() {
    let served = Served::idle(&[]).await;
    let document = served.get("/openapi.json").await.json();
    for (path, kind, query) in [
        ("/v1/submissions", "application/json", ""),
        ("/v1/submissions", "text/csv", "?name=march"),
        ("/v1/submissions/bulk", "application/x-ndjson", ""),
    ] {
        let media = &document["paths"][path]["post"]["requestBody"]["content"][kind];
        let example = &media["example"];
        let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        let request = served.request(Method::POST, &format!("{path}{query}"));
        let response = Answer::of(request.header("content-type", kind).body(body)).await;
        assert!((200..300).contains(&response.status), "{kind}: {}", response.text());
    }
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 2);
}

#[tokio::test]
async fn a_page_shows_every_operation_and_loads_nothing_from_elsewhere() {
    let served = Served::idle(&[]).await;
    let page = served.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let (html, document) = (page.text(), served.get("/openapi.json").await.json());
    for (path, methods) in entries(&document["paths"]) {
        for operation in entries(methods).values() {
            assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
            let summary = operation["summary"].as_str().unwrap();
            assert!(html.contains(summary), "{summary}");
        }
    }
    let script = policy.split("; ").find(|one| one.starts_with("script-src 'sha256-"));
    assert!(script.is_some_and(|one| one.split(' ').count() == 2), "{policy}");
    for foreign in ["=\"http", " src=", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
}

/// The newest that these tests were seen to pass with.
const SCHEMATHESIS: &str = "4.32.5";

/// `CONTRACT_EXAMPLES=500 CONTRACT_SEED=1 cargo test --test it every_operation_keeps` looks harder.
#[test]
fn every_operation_keeps_to_the_document_whatever_it_is_sent() {
    let platform = Platform::start();
    every_operation_keeps_to_the_document(Ferry::of(&platform), 40);
}

/// With fewer examples: what differs is what the store answers.
#[test]
fn every_operation_keeps_to_the_document_on_redis_too() {
    let platform = Platform::start();
    let redis = Runtime::new().unwrap().block_on(shared_server());
    every_operation_keeps_to_the_document(Ferry::of(&platform).stored_on(&redis), 12);
}

fn every_operation_keeps_to_the_document(ferry: Ferry, examples: u64) {
    let tools = installed("schemathesis", SCHEMATHESIS);
    let ferry = ferry
        .set("FERRY_API_KEYS", "keys.jsonl")
        .set("FERRY_LOG", "error")
        .file("hooks.py", include_str!("contract/hooks.py"))
        .file("schemathesis.toml", include_str!("contract/schemathesis.toml"));
    let key = ferry.run(&["keys", "create", "--name", "fuzzer", "--role", "operate"]).ok().stdout;
    let mut server = serve(&ferry, &[]);
    let document = format!("{}/openapi.json", url(&server));
    let mut command = Command::new(tools.join("schemathesis"));
    command.arg("run").arg(&document);
    command.args(["--generation-database", "none", "--no-color"]);
    command.args(["--header", &format!("Authorization: Bearer {}", key.trim())]);
    command.args(["--seed", &of_environment("CONTRACT_SEED", 7).to_string()]);
    command.args(["--max-examples", &of_environment("CONTRACT_EXAMPLES", examples).to_string()]);
    command.current_dir(ferry.path(".")).env("SCHEMATHESIS_HOOKS", "hooks");
    let output = command.output().expect("schemathesis runs");
    let report = all_output(&output);
    println!("{report}");
    assert!(output.status.success(), "{report}");
    assert!(!report.contains(key.trim()), "the report shows the key");
    // It is well, and leaves when it is asked to.
    server.signal("TERM");
    assert_eq!(server.end().code(), Some(0), "{}", server.stderr());
    assert!(!server.stderr().contains("ran into a bug"), "{}", server.stderr());
}
