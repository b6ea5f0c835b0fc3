//! The API in the words of `OpenAPI` 3.1, made from the table of routes, the types of the handlers and
//! those of the contract.

mod examples;
mod input;
mod operation;
pub(super) mod operations;
mod page;
mod schemas;
mod webhooks;

pub(super) use examples::{DATA, Example, bulk, bulk_responses, form};
pub(super) use input::{Described, Input, Output};
pub(super) use operation::{BYTES, CSV, JSON, Operation};

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::role::Role;
use schemas::Schemas;

const ABOUT: &str = "Ferry uploads CSV datasets to the Platform's Upload API and fetches the results.\n\n\
A submission is durable when its response arrives. With an `Idempotency-Key` it can be submitted again, as \
often as needed, and is accepted once. Errors are problem details (RFC 9457); `type` is one of a closed set. \
429 and 503 say in `Retry-After` when to send a request again, and stored nothing.";

/// Adds to an operation what a route is.
pub(super) type Describe = dyn for<'a> Fn(Operation<'a>) -> Operation<'a> + Send + Sync;

/// The document, for programs and as a page for people.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) json: String,
    pub(super) page: String,
    /// The content security policy of the page.
    pub(super) policy: String,
}

impl Documents {
    /// The documents of these routes.
    pub(super) fn of<'r>(
        routes: impl Iterator<Item = (&'r Method, &'static str, Option<Role>, &'r Describe)>,
    ) -> Self {
        let document = document(routes);
        Self { json: document.to_string(), page: page::written(&document), policy: page::policy() }
    }
}

fn document<'r>(
    routes: impl Iterator<Item = (&'r Method, &'static str, Option<Role>, &'r Describe)>,
) -> Value {
    let mut schemas = Schemas::default();
    let mut paths: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for (method, path, role, describe) in routes {
        let operation = describe(Operation::new(&mut schemas)).finish(role);
        paths.entry(path).or_default().insert(method.as_str().to_lowercase(), operation);
    }
    let webhooks = webhooks::describe(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ferry", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "The server that has this document" }],
        "tags": [
            { "name": "submissions", "description": "Submit datasets and read their results" },
            { "name": "operations", "description": "Act on submissions and accounts" },
            { "name": "monitoring", "description": "Health, metrics and API description" },
            { "name": "webhooks", "description": "Requests that Ferry sends" },
        ],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas.all(),
            "securitySchemes": { "key": {
                "type": "http", "scheme": "bearer",
                "description": "An API key, created by `ferry keys create --name NAME --role ROLE`; each operation names the \
                    weakest role that is allowed. A server without keys listens on loopback addresses \
                    only, and allows every request.",
            } },
            "headers": headers(),
        },
    })
}

fn headers() -> Value {
    let header = |schema: Value, what: &str| json!({ "description": what, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "X-Request-Id": header(text(), "Names the request in the log; that of the request, if it is \
            fit for the log"),
        "Location": header(text(), "Path of the submission"),
        "ETag": header(text(), "Names this state of the submission, for `If-None-Match`"),
        "Retry-After": header(
            json!({ "type": "integer", "minimum": 1 }), "Delay before another attempt, in seconds"),
        "WWW-Authenticate": header(text(), "The form of a key"),
        "Accept-Encoding": header(text(), "The `Content-Encoding`s that are accepted"),
    })
}
