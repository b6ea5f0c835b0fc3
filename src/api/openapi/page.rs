//! The document as a page for people, written here and whole: no script, and nothing from elsewhere.

use std::fmt::Write as _;

use data_encoding::BASE64;
use ring::digest::{SHA256, digest};
use serde_json::Value;

const STYLE: &str = include_str!("page.css");

/// The methods of a path, in the order in which they are shown.
const METHODS: [&str; 3] = ["get", "post", "delete"];

/// The content security policy of the page: nothing but its own style.
pub(super) fn policy() -> String {
    let style = BASE64.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// The page.
pub(super) fn written(document: &Value) -> String {
    let info = &document["info"];
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport \
         content=\"width=device-width\"><title>Ferry</title><style>{STYLE}</style><main>\
         <h1>Ferry {}</h1>",
        text(&info["version"])
    );
    for paragraph in info["description"].as_str().unwrap_or_default().split("\n\n") {
        add(&mut page, "p", paragraph);
    }
    page += "<p>As a document for programs: <a href=/openapi.json>openapi.json</a></p>";
    for tag in list(&document["tags"]) {
        add(&mut page, "h2", tag["description"].as_str().unwrap_or_default());
        for (path, methods) in entries(&document["paths"]) {
            for method in METHODS {
                let operation = &methods[method];
                if operation["tags"][0] == tag["name"] {
                    write_operation(&mut page, method, path, operation);
                }
            }
        }
    }
    page += "<h2>Types</h2>";
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let _ =
            write!(page, "<details id=\"{0}\"><summary><code>{0}</code></summary>", text_of(name));
        add(&mut page, "p", schema["description"].as_str().unwrap_or_default());
        add(&mut page, "pre", &pretty(schema));
        page += "</details>";
    }
    page + "</main>"
}

fn write_operation(page: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        page,
        "<details><summary><b class={method}>{}</b> <code>{}</code> {}</summary>",
        method.to_uppercase(),
        text_of(path),
        text(&operation["summary"])
    );
    add(page, "p", operation["description"].as_str().unwrap_or_default());
    let role = operation["security"][0]["key"][0].as_str();
    let who = role.map_or("No key is needed.".to_owned(), |role| format!("Role: `{role}`."));
    add(page, "p", &who);
    if operation["parameters"].is_array() {
        *page += "<table><tr><th>parameter<th>in<th>meaning";
        for parameter in list(&operation["parameters"]) {
            let _ = write!(
                page,
                "<tr><td><code>{}</code><td>{}<td>{}",
                text(&parameter["name"]),
                text(&parameter["in"]),
                text(&parameter["description"])
            );
        }
        *page += "</table>";
    }
    for (kind, media) in entries(&operation["requestBody"]["content"]) {
        let _ = write!(page, "<h3>Body: <code>{}</code></h3>", text_of(kind));
        add(page, "pre", &pretty(&media["example"]));
    }
    *page += "<table><tr><th>response<th>meaning<th>type";
    for (status, response) in entries(&operation["responses"]) {
        let kinds: Vec<&str> = entries(&response["content"]).map(|(kind, _)| kind).collect();
        let _ = write!(
            page,
            "<tr><td>{status}<td>{}<td><code>{}</code>",
            text(&response["description"]),
            text_of(&kinds.join(", "))
        );
    }
    *page += "</table>";
    for (status, response) in entries(&operation["responses"]) {
        for (_, media) in
            entries(&response["content"]).filter(|(_, media)| !media["example"].is_null())
        {
            let _ = write!(page, "<h3>Response {status}</h3>");
            add(page, "pre", &pretty(&media["example"]));
        }
    }
    *page += "</details>";
}

fn add(page: &mut String, element: &str, content: &str) {
    if !content.is_empty() {
        let _ = write!(page, "<{element}>{}</{element}>", text_of(content));
    }
}

/// A text stands there as it is, and anything else as JSON.
fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    text_of(value.as_str().unwrap_or_default())
}

/// Fit for HTML.
fn text_of(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
