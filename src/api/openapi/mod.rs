//! The API in the words of `OpenAPI` 3.1, made from the table of routes and the types of the contract.

mod examples;
mod operation;
pub(super) mod operations;
mod page;
mod schemas;
mod webhooks;

pub(super) use operation::Operation;
pub(super) use page::page;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::routes;
use schemas::Schemas;

const ABOUT: &str = "Ferry uploads CSV datasets to the Platform's Upload API and fetches the results.\n\nA submission is durable when its answer comes. With an `Idempotency-Key` it can be \
submitted again, as often as needed, and is accepted once. Errors are problem details (RFC 9457); \
`type` is one of a closed set. 429 and 503 say in `Retry-After` when to come again, and nothing was \
kept then.";

/// It changes with the program only.
static DOCUMENT: LazyLock<Value> = LazyLock::new(describe_all);

static TEXT: LazyLock<String> = LazyLock::new(|| DOCUMENT.to_string());

fn describe_all() -> Value {
    let mut schemas = Schemas::default();
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for route in routes::table() {
        let operation = (route.describe)(Operation::new(&mut schemas)).finish(route.role);
        let method = route.method.as_str().to_lowercase();
        paths.entry(route.path).or_default().insert(method, operation);
    }
    let webhooks = webhooks::describe(&mut schemas);
    let header = |schema: Value, what: &str| json!({ "description": what, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ferry", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "submissions", "description": "Submit datasets and read their results" },
            { "name": "operations", "description": "Act on submissions and accounts" },
            { "name": "monitoring", "description": "Health, metrics and API description" },
        ],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas.all(),
            "securitySchemes": { "key": {
                "type": "http", "scheme": "bearer",
                "description": "An API key, which `ferry keys create` makes; each operation names the \
                    weakest role that may. A server without keys listens on loopback addresses only, \
                    and takes every call.",
            } },
            "headers": {
                "X-Request-Id": header(text(), "Names the request in the log; taken over from the \
                    request, if it is fit for that"),
                "Location": header(text(), "Where the submission is found"),
                "ETag": header(text(), "Names this state of the submission, for `If-None-Match`"),
                "Retry-After": header(
                    json!({ "type": "integer", "minimum": 1 }), "When to try again, in seconds"),
                "WWW-Authenticate": header(text(), "How to send a key"),
                "Accept-Encoding": header(text(), "The `Content-Encoding`s that are taken"),
            },
        },
    })
}

/// The document.
pub(super) async fn document() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], TEXT.as_str()).into_response()
}
