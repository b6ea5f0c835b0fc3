//! The types of the document, each with its properties, and links to those that it refers to.

use std::fmt::Write as _;

use serde_json::Value;

use super::html::{add, entries, escaped, list, marked, text};

/// Adds all types, each under its name.
pub(super) fn add_types(page: &mut String, schemas: &Value) {
    for (name, schema) in entries(schemas) {
        let name = escaped(name);
        let _ = write!(page, "<details id=\"{name}\"><summary><code>{name}</code></summary>");
        add(page, "p", text(&schema["description"]));
        add_schema(page, schema);
        *page += "</details>";
    }
}

fn add_schema(page: &mut String, schema: &Value) {
    let choices: Vec<&Value> = list(&schema["oneOf"]).collect();
    if !choices.is_empty() {
        *page += "<p>One of:</p>";
        for choice in choices {
            add(page, "h3", text(&choice["description"]));
            add_schema(page, choice);
        }
    } else if schema["properties"].is_object() {
        add_properties(page, schema);
    } else {
        let _ = write!(page, "<p>{}</p>", type_of(schema));
        for (value, meaning) in entries(&schema["x-enumDescriptions"]) {
            add(page, "p", &format!("`{value}`: {}", text(meaning)));
        }
    }
}

fn add_properties(page: &mut String, schema: &Value) {
    *page += "<table><tr><th>field<th>type<th>always<th>meaning";
    for (name, property) in entries(&schema["properties"]) {
        let always = list(&schema["required"]).any(|required| text(required) == name);
        let _ = write!(
            page,
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}",
            escaped(name),
            type_of(property),
            if always { "yes" } else { "" },
            marked(text(&property["description"]))
        );
    }
    *page += "</table>";
}

/// The type of a value, with a link if it has a name.
pub(super) fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#{0}\">{0}</a>", escaped(name));
    }
    for choices in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema[choices].as_array() {
            let choices: Vec<String> = choices.iter().map(type_of).collect();
            return choices.join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values = values.iter().map(|value| format!("<code>{}</code>", escaped(text(value))));
        return values.collect::<Vec<_>>().join(", ");
    }
    if let Some(value) = schema["const"].as_str() {
        return format!("<code>{}</code>", escaped(value));
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind).to_owned(),
    };
    match text(&schema["format"]) {
        _ if kinds == "array" => format!("array of {}", type_of(&schema["items"])),
        "" => kinds,
        format => format!("{kinds}, {}", escaped(format)),
    }
}
