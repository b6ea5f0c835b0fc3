//! The tables of the reference pages.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ferry::config::settings::ACCOUNT_SETTINGS;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::dataset::{ColumnType, Table};
use serde_json::Value;

use super::program::{COMMANDS, SHOWN, settings as all_settings};

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

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

/// The first letter in upper case, and a full stop at the end.
fn sentence(text: &str) -> String {
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

/// A section for each command with its help, without the options that all have in common.
pub(crate) fn commands() -> String {
    let mut text = String::new();
    for (words, help) in COMMANDS.iter() {
        let title = if words.is_empty() { "ferry".to_owned() } else { format!("ferry {words}") };
        let level = if words.contains(' ') { "###" } else { "##" };
        let help = if words.is_empty() { help.clone() } else { own_help(help) };
        let _ = write!(text, "{level} {title}\n\n```text\n{}\n```\n\n", help.trim_end());
    }
    text
}

/// A help text without global options, of which the ones that stand among the others are indented alike.
fn own_help(help: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut skips = false;
    for line in help.lines() {
        let starts = line == "Global options:"
            || ["--config <", "--store <", "--set <", "--json", "-h, --help"]
                .iter()
                .any(|option| line.trim_start().starts_with(option));
        let is_next = !line.is_empty() && !line.starts_with("     ") && !starts;
        let is_option = line.trim_start().starts_with('-') && line.starts_with("  ");
        skips = starts || (skips && !(is_next || is_option));
        if !skips {
            kept.push(line);
        }
    }
    // An empty list of options is left where there are only global ones.
    let text = kept.join("\n");
    text.replace("Options:\n\n", "").trim_end().trim_end_matches("Options:").to_owned()
}

/// The exit codes, from the end of `ferry --help`.
pub(crate) fn exit_codes() -> String {
    let help = COMMANDS[0].1.replace('\n', " ");
    let (_, codes) = help.split_once("Exit codes: ").expect("the help lists them");
    let codes = codes.trim().trim_end_matches('.');
    let row = |one: &str| {
        let (code, text) = one.split_once(' ').expect("a code and its meaning");
        vec![format!("`{code}`"), sentence(text)]
    };
    table(&["code", "meaning"], codes.split("; ").map(row))
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
    let values = schema(name)["oneOf"].as_array().expect("a closed set");
    let row = |value: &Value| {
        let text = value["description"].as_str().unwrap_or_default();
        vec![code(value["const"].as_str().unwrap_or_default()), sentence(text)]
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
        vec![code(kind.urn()), kind.status().to_string(), sentence(kind.title())]
    };
    table(&["`type`", "status", "title"], ProblemKind::ALL.map(row))
}

/// The delay before each attempt, with the defaults.
pub(crate) fn webhook_schedule() -> String {
    let all = all_settings();
    let default = |wanted: &dyn Fn(&str) -> bool| -> String {
        let found = all.iter().find(|one| {
            one["name"].as_str().is_some_and(|name| name.starts_with("webhook_") && wanted(name))
        });
        found.expect("the setting is there")["default"].as_str().unwrap_or_default().to_owned()
    };
    let first = seconds(&default(&|name| name.ends_with("initial")));
    let longest = seconds(&default(&|name| name.ends_with("_max")));
    let attempts = default(&|name| name.ends_with("tries") || name.ends_with("attempts"));
    let attempts: u32 = attempts.parse().expect("a number");
    let rows = (2..=attempts).map(|attempt| {
        let delay = (first * 4_u64.pow(attempt - 2)).min(longest);
        vec![attempt.to_string(), shown(delay / 2), shown(delay)]
    });
    table(&["attempt", "at least after", "at most after"], rows)
}

/// `5s`, `12h` in seconds.
fn seconds(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => panic!("unknown unit `{other}`"),
    };
    number.parse::<u64>().expect("a number") * factor
}

fn shown(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// One family of `/metrics`: its help, its kind, and the values of each label.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    labels: BTreeMap<String, Vec<String>>,
}

fn families() -> BTreeMap<String, Family> {
    let mut found: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in SHOWN.metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and its help");
            name.clone_into(&mut current);
            help.clone_into(&mut found.entry(current.clone()).or_default().help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and its kind");
            kind.clone_into(&mut found.entry(name.to_owned()).or_default().kind);
        } else if let Some((_, labels)) = line.split_once('{') {
            let (labels, _) = labels.rsplit_once('}').expect("the labels end");
            let family = found.get_mut(&current).expect("help comes first");
            for pair in labels.split("\",") {
                let (name, value) = pair.split_once("=\"").expect("a label");
                let values = family.labels.entry(name.to_owned()).or_default();
                let value = value.trim_end_matches('"').to_owned();
                if name != "le" && !values.contains(&value) {
                    values.push(value);
                }
            }
            family.labels.remove("le");
        }
    }
    found.retain(|name, _| name.starts_with("ferry_"));
    found
}

pub(crate) fn metrics() -> String {
    let rows = families().into_iter().map(|(name, family)| {
        let labels: Vec<String> = family.labels.keys().map(|label| code(label)).collect();
        vec![code(&name), family.kind, labels.join(", "), sentence(&family.help)]
    });
    table(&["metric", "kind", "labels", "help"], rows)
}

/// The closed sets of labels. Accounts and versions are those that there are, routes stand in the API reference.
pub(crate) fn label_values() -> String {
    let mut sets: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (name, family) in families() {
        for (label, values) in family.labels {
            if !["account", "route", "version"].contains(&label.as_str()) {
                let values: Vec<String> = values.iter().map(|value| code(value)).collect();
                sets.entry((label, values.join(", "))).or_default().push(code(&name));
            }
        }
    }
    let rows =
        sets.into_iter().map(|((label, values), of)| vec![code(&label), values, of.join(", ")]);
    table(&["label", "values", "metrics"], rows)
}

/// The alerts with their rule, in their order.
pub(crate) fn alerts() -> String {
    let rules = std::fs::read_to_string(super::pages::root("deploy/prometheus/alerts.yml"));
    let rules = rules.expect("the alerts are there");
    let mut text = String::new();
    for rule in rules.split("- alert: ").skip(1) {
        let (name, body) = rule.split_once('\n').expect("a name and a body");
        let field = |field: &str| {
            let found = body.lines().find_map(|line| line.trim().strip_prefix(field));
            found.unwrap_or_default().trim().trim_matches('"').to_owned()
        };
        let severity = field("labels: { severity:").trim_end_matches('}').trim().to_owned();
        let lasts = field("for:");
        let after =
            if lasts.is_empty() { "at once".to_owned() } else { format!("after `{lasts}`") };
        let _ = write!(
            text,
            "## {name}\n\n`{severity}`, {after}. [Runbook](../operations/runbook.md#{})\n\n\
             > {}\n\n```promql\n{}\n```\n\n",
            section_of(name),
            sentence(&field("summary:"))
                .replace("{{ ", "")
                .replace(" }}", "")
                .replace("$labels.", ""),
            expression(body),
        );
    }
    text
}

/// The anchor of the runbook's section whose heading names the alert.
fn section_of(alert: &str) -> String {
    let runbook = super::pages::Page::read("docs/operations/runbook.md");
    let named = |line: &&str| line.starts_with("## ") && line.split(' ').any(|word| word == alert);
    let heading = runbook.text.lines().find(named);
    super::links::slug(heading.unwrap_or_else(|| panic!("the runbook has no section {alert}")))
}

fn expression(body: &str) -> String {
    let (_, rest) = body.split_once("expr:").expect("an expression");
    let first = rest.lines().next().unwrap_or_default().trim();
    if first != "|" {
        return first.to_owned();
    }
    let lines: Vec<&str> =
        rest.lines().skip(1).take_while(|line| line.starts_with("            ")).collect();
    lines.iter().map(|line| &line[12..]).collect::<Vec<&str>>().join("\n")
}
