//! The tables of the reference pages.

use std::fmt::Write as _;

use ferry::config::settings::ACCOUNT_SETTINGS;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::dataset::{ColumnType, Table};
use serde_json::Value;

use super::program::{SHOWN, settings as all_settings};

/// A table of Markdown.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rule = vec!["---"; head.len()].join("|");
    let mut table = format!("| {} |\n|{rule}|\n", head.join(" | "));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

pub(crate) fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// The first letter in upper case, and a full stop at the end.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

pub(crate) fn settings(of_accounts: bool) -> String {
    let is_of_account = |name: &str| ACCOUNT_SETTINGS.iter().any(|one| one.name == name);
    let rows = all_settings().into_iter().filter_map(|setting| {
        let name = setting["name"].as_str()?.to_owned();
        if is_of_account(&name) != of_accounts {
            return None;
        }
        // One name before the rename of the field, one after it.
        let text = setting.get("description").or(setting.get("meaning"))?.as_str()?.to_owned();
        let file = format!("; or its file, as `{name}_file`");
        let text = if setting["secret"] == true { text + &file } else { text };
        let (variable, default) = (setting["variable"].as_str()?, setting["default"].as_str()?);
        Some(vec![code(&name), code(variable), code(default), sentence(&text)])
    });
    table(&["setting", "variable", "default", "meaning"], rows)
}

pub(crate) fn columns(of: Table) -> String {
    let rows = of.columns().iter().enumerate().map(|(at, column)| {
        let holds = match column.holds {
            ColumnType::Text => "text",
            ColumnType::Date => "a date, DD/MM/YYYY",
            ColumnType::Time => "a time of day, hh:mm",
            ColumnType::TimeReference => "0, 1 or 2",
        };
        vec![(at + 1).to_string(), code(column.name), holds.to_owned()]
    });
    table(&["position", "column", "value"], rows)
}

fn schema(name: &str) -> &'static Value {
    let schema = &SHOWN.openapi["components"]["schemas"][name];
    assert!(schema.is_object(), "the OpenAPI document has no schema `{name}`");
    schema
}

/// The values of an enumeration with their doc comments.
pub(crate) fn closed_set(name: &str, head: &str) -> String {
    let schema = schema(name);
    let values = schema["enum"].as_array().expect("a closed set");
    let row = |value: &Value| {
        let value = value.as_str().unwrap_or_default();
        let text = schema["x-enumDescriptions"][value].as_str().unwrap_or_default();
        vec![code(value), sentence(text)]
    };
    table(&[head, "meaning"], values.iter().map(row))
}

/// The fields of an object with their doc comments.
pub(crate) fn fields(name: &str) -> String {
    let schema = schema(name);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().expect("an object");
    let row = |(field, of): (&String, &Value)| {
        let is_required = required.contains(&Value::from(field.as_str()));
        let text = of["description"].as_str().unwrap_or_default();
        vec![code(field), if is_required { "yes" } else { "" }.to_owned(), sentence(text)]
    };
    table(&["field", "always", "meaning"], fields.iter().map(row))
}

pub(crate) fn routes() -> String {
    let paths = SHOWN.openapi["paths"].as_object().expect("paths");
    let mut rows = Vec::new();
    for (path, methods) in paths {
        for (method, of) in methods.as_object().expect("methods") {
            let role = of["security"][0]["key"][0].as_str().map_or("none".to_owned(), code);
            let text = sentence(of["summary"].as_str().unwrap_or_default());
            rows.push(vec![code(&format!("{} {path}", method.to_uppercase())), role, text]);
        }
    }
    table(&["request", "role", "purpose"], rows)
}

pub(crate) fn problems() -> String {
    let row = |kind: ProblemKind| {
        let (status, title) = (kind.status().to_string(), sentence(kind.title()));
        vec![code(kind.as_str()), status, title, kind.way_out().to_owned()]
    };
    table(&["`type`", "status", "title", "way out"], ProblemKind::ALL.map(row))
}
