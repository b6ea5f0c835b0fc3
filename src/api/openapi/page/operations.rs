//! One operation of the document: its parameters, bodies and responses, and a form that sends it.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{add, add_block, entries, escaped, list, marked, pretty, text};
use super::types::type_of;

/// Types of bodies that can be typed in.
const TYPED: [&str; 3] = ["application/json", "text/csv", "application/x-ndjson"];

/// Adds an operation.
pub(super) fn add_operation(page: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        page,
        "<details id=\"{}\"><summary><b class={method}>{}</b> <code>{}</code> {}</summary>",
        text(&operation["operationId"]),
        method.to_uppercase(),
        escaped(path),
        marked(text(&operation["summary"]))
    );
    add(page, "p", text(&operation["description"]));
    let role = operation["security"][0]["key"][0].as_str();
    add(page, "p", &role.map_or("No key is needed.".to_owned(), |role| format!("Role: `{role}`.")));
    add_parameters(page, operation);
    for (kind, media) in entries(&operation["requestBody"]["content"]) {
        let optional =
            if operation["requestBody"]["required"] == true { "" } else { ", may be left out" };
        let (kind, schema) = (escaped(kind), type_of(&media["schema"]));
        let _ = write!(page, "<h3>Body: <code>{kind}</code>, {schema}{optional}</h3>");
        add_block(page, &pretty(&media["example"]));
    }
    add_responses(page, &operation["responses"]);
    add_form(page, method, path, operation);
    *page += "</details>";
}

fn add_parameters(page: &mut String, operation: &Value) {
    if !operation["parameters"].is_array() {
        return;
    }
    *page += "<table><tr><th>parameter<th>in<th>type<th>required<th>meaning";
    for parameter in list(&operation["parameters"]) {
        let _ = write!(
            page,
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}<td>{}",
            escaped(text(&parameter["name"])),
            text(&parameter["in"]),
            type_of(&parameter["schema"]),
            if parameter["required"] == true { "yes" } else { "" },
            marked(text(&parameter["description"]))
        );
    }
    *page += "</table>";
}

fn add_responses(page: &mut String, responses: &Value) {
    *page += "<table><tr><th>response<th>meaning<th>body";
    for (status, response) in entries(responses) {
        let bodies = entries(&response["content"]).map(|(kind, media)| {
            format!("<code>{}</code> {}", escaped(kind), type_of(&media["schema"]))
        });
        let bodies: Vec<String> = bodies.collect();
        let meaning = marked(text(&response["description"]));
        let _ = write!(page, "<tr><td>{status}<td>{meaning}<td>{}", bodies.join("<br>"));
    }
    *page += "</table>";
    for (status, response) in entries(responses) {
        for (_, media) in
            entries(&response["content"]).filter(|(_, media)| !media["example"].is_null())
        {
            let _ = write!(page, "<h3>Response {status}</h3>");
            add_block(page, &pretty(&media["example"]));
        }
    }
}

/// A form without a target: the script shows and sends it.
fn add_form(page: &mut String, method: &str, path: &str, operation: &Value) {
    let body = entries(&operation["requestBody"]["content"])
        .find(|(kind, _)| TYPED.iter().any(|typed| kind.starts_with(typed)));
    let is_of_ferry = path.starts_with('/');
    if !is_of_ferry || (operation["requestBody"].is_object() && body.is_none()) {
        return;
    }
    let kind = escaped(body.map_or("", |(kind, _)| kind));
    let (shown, path) = (method.to_uppercase(), escaped(path));
    let _ = write!(
        page,
        "<form hidden data-method={shown} data-path=\"{path}\" data-type=\"{kind}\"><h3>Try it</h3>"
    );
    for parameter in list(&operation["parameters"]) {
        let (name, place) = (escaped(text(&parameter["name"])), text(&parameter["in"]));
        let required = if parameter["required"] == true { " required" } else { "" };
        let many = if parameter["schema"]["type"] == "array" { " data-many" } else { "" };
        let _ = write!(
            page,
            "<label>{name} <input name=\"{name}\" data-in={place}{many}{required}></label>"
        );
    }
    if let Some((_, media)) = body {
        let example = escaped(&pretty(&media["example"]));
        let _ = write!(page, "<label>body <textarea rows=6>\n{example}</textarea></label>");
    }
    *page += "<button>Send</button><output></output></form>";
}
