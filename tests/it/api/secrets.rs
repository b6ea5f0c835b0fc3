//! No secret is in any answer, header, document, metric or line of the log, whatever went wrong.

use ferry_sim::Endpoint;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::harness::{Answer, GOOD, client};
use super::keys::routes;
use super::serve::{serve, url};
use crate::cli::harness::{Ferry, Platform};
use crate::cli::secrets::{assert_no_secret, credentials, echo};

/// All that a response says.
fn all_of(response: &Answer) -> Vec<u8> {
    [format!("{:?}\n", response.headers).into_bytes(), response.body.clone()].concat()
}

#[test]
fn no_response_and_no_line_of_the_log_holds_a_secret() {
    let platform = Platform::with(ferry_sim::SimConfig {
        credentials: credentials(),
        ..ferry_sim::SimConfig::default()
    });
    let ferry = Ferry::of_account(&platform, &credentials())
        .set("FERRY_LOG", "trace")
        .set("FERRY_AUDIT_LOG", "audit.jsonl")
        .set("FERRY_API_KEYS", "keys.jsonl");
    let key = ferry.run(&["keys", "create", "--name", "ops", "--role", "operate"]).ok().stdout;
    let key = key.trim();
    let hash = ferry.read("keys.jsonl");
    let hash = hash.split("\"hash\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // The Platform repeats whatever it was sent, and more.
    for endpoint in [Endpoint::Token, Endpoint::Upload, Endpoint::Status, Endpoint::Upload] {
        platform.sim.script(endpoint, echo(500));
    }
    platform.sim.script(Endpoint::Upload, echo(400));
    let mut server = serve(&ferry, &[]);
    let base = url(&server);
    let send = |method: Method, path: &str, body: &Value, key: &str| {
        let request = client().request(method, format!("{base}{path}")).bearer_auth(key);
        let request = request.header("content-type", "application/json");
        Answer::of(request.body(body.to_string()))
    };
    let mut outputs = Vec::new();
    Runtime::new().unwrap().block_on(async {
        let mut id = String::new();
        for name in ["rejected", "completed"] {
            let body = json!({ "name": name, "data": GOOD, "idempotency_key": name });
            let response = send(Method::POST, "/v1/submissions?wait=60s", &body, key).await;
            assert_eq!(response.status, 201, "{}", response.text());
            id = response.id();
            outputs.push(all_of(&response));
            // And what the Platform had to say about it.
            for part in ["", "/timeline", "/feedback?raw", "/results/tableofresultids"] {
                let path = format!("/v1/submissions/{id}{part}");
                outputs.push(all_of(&send(Method::GET, &path, &json!({}), key).await));
            }
        }
        for (method, path, _) in routes(&id) {
            for body in [json!({}), json!({ "resolution": "fail" }), json!(["no object"])] {
                for key in [key, "wrong"] {
                    outputs.push(all_of(&send(method.clone(), &path, &body, key).await));
                }
            }
        }
        for path in ["/openapi.json", "/docs", "/healthz", "/nowhere", &format!("/{key}")] {
            outputs.push(all_of(&send(Method::GET, path, &json!({}), key).await));
        }
    });
    server.signal("TERM");
    server.end();
    outputs.push(server.stdout().into_bytes());
    let log = server.stderr();
    assert!(log.contains("responded to `POST /v1/submissions`"), "the log is empty");
    assert!(!log.contains("SITE-001"), "a row is in the log");
    outputs.push(log.into_bytes());
    outputs.push(ferry.read("audit.jsonl").into_bytes());
    assert!(outputs.len() > 100, "{}", outputs.len());
    for one in &outputs {
        assert_no_secret("the API", one);
        for secret in [key, &hash] {
            let found = one.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a key is shown: {}", String::from_utf8_lossy(one));
        }
    }
}
