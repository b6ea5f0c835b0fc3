//! The document as a page for people, with a script that sends requests, and nothing from elsewhere.

mod html;
mod operations;
mod types;

use std::fmt::Write as _;

use data_encoding::BASE64;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use ferry_types::contract::ProblemKind;
use html::{add, add_block, entries, escaped, list, marked, text};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The methods of a path, in the order in which they are shown.
const METHODS: [&str; 3] = ["post", "get", "delete"];

/// Programs that submit a first dataset, each with its language.
const FIRST_REQUEST: [(&str, &str, &str); 3] = [
    ("curl", "curl", include_str!("first_request/curl.sh")),
    ("python", "Python", include_str!("first_request/python.py")),
    ("node", "Node", include_str!("first_request/node.mjs")),
];

const AUTHENTICATION: &str = "Every request has an API key in `Authorization: Bearer KEY`. An operator \
creates one with `ferry keys create --name NAME --role ROLE`; `read` may read, `submit` may also submit, and `operate` \
may also act on submissions and accounts. A key may be bound to accounts. `GET /v1/whoami` has the role and the \
accounts of a key. A server without keys takes requests from its own machine alone, and allows them everything.";

/// The content security policy of the page: nothing but its own style and script, and requests to its own server.
pub(super) fn policy() -> String {
    let hash = |text: &str| BASE64.encode(digest(&SHA256, text.as_bytes()).as_ref());
    let (style, script) = (hash(STYLE), hash(SCRIPT));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    )
}

/// The page.
pub(super) fn written(document: &Value) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content=\"width=device-width\"><title>Ferry API</title><style>{STYLE}</style><main>\
         <h1>Ferry {}</h1>",
        escaped(text(&info["version"]))
    );
    for paragraph in text(&info["description"]).split("\n\n") {
        add(&mut page, "p", paragraph);
    }
    page +=
        "<nav><a href=#first-request>First request</a> <a href=#authentication>Authentication</a> ";
    for tag in list(&document["tags"]) {
        let _ = write!(page, "<a href=\"#tag-{0}\">{0}</a> ", escaped(text(&tag["name"])));
    }
    page += "<a href=#errors>Errors</a> <a href=#types>Types</a> \
             <a href=/openapi.json>openapi.json</a></nav>";
    add_first_request(&mut page);
    page += "<h2 id=authentication>Authentication</h2>";
    add(&mut page, "p", AUTHENTICATION);
    page += "<form id=caller><label>API key for requests from this page, where it stays: \
             <input id=key type=password autocomplete=off></label></form>";
    for tag in list(&document["tags"]) {
        add_group(&mut page, tag, document);
    }
    add_errors(&mut page);
    page += "<h2 id=types>Types</h2>";
    types::add_types(&mut page, &document["components"]["schemas"]);
    page + "</main><script>" + SCRIPT + "</script>"
}

fn add_first_request(page: &mut String) {
    *page += "<h2 id=first-request>First request</h2>";
    add(
        page,
        "p",
        "Each submits a dataset and waits for up to 30 s for what becomes of it. Say where the server is, and your \
         key; a server without keys takes any text.",
    );
    add_block(page, "export FERRY_URL=http://127.0.0.1:8600 FERRY_KEY=...");
    for (id, name, program) in FIRST_REQUEST {
        let _ = write!(page, "<h3>{name}</h3><pre id=first-{id}>{}</pre>", escaped(program));
    }
}

/// Adds the operations of a tag, and for each path those that change something first.
fn add_group(page: &mut String, tag: &Value, document: &Value) {
    let name = escaped(text(&tag["name"]));
    let title = marked(text(&tag["description"]));
    let _ = write!(page, "<h2 id=\"tag-{name}\">{title}</h2>");
    for paths in ["paths", "webhooks"] {
        for (path, methods) in entries(&document[paths]) {
            for method in METHODS {
                let operation = &methods[method];
                if operation["tags"][0] == tag["name"] {
                    operations::add_operation(page, method, path, operation);
                }
            }
        }
    }
}

/// Explains each kind of error under the address that is its `type`.
fn add_errors(page: &mut String) {
    *page += "<h2 id=errors>Errors</h2>";
    add(
        page,
        "p",
        "An error is a problem of RFC 9457. Its `type` is one of these addresses, and never changes.",
    );
    for kind in ProblemKind::ALL {
        let (anchor, uri) = (kind.anchor(), kind.as_str());
        let _ = write!(page, "<h3 id=\"{anchor}\"><a href=\"{uri}\"><code>{uri}</code></a></h3>");
        add(page, "p", &format!("{}: {}. {}", kind.status(), kind.title(), kind.way_out()));
    }
}
