//! The alerts, from the rules of Prometheus.

use std::fmt::Write as _;

use super::links::slug;
use super::pages::{Page, root};
use super::render::sentence;

/// The alerts with their rule, in their order.
pub(crate) fn sections() -> String {
    let rules = std::fs::read_to_string(root("deploy/prometheus/alerts.yml"));
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
    let runbook = Page::read("docs/operations/runbook.md");
    let named = |line: &&str| line.starts_with("## ") && line.split(' ').any(|word| word == alert);
    let heading = runbook.text.lines().find(named);
    slug(heading.unwrap_or_else(|| panic!("the runbook has no section {alert}")))
}

fn expression(body: &str) -> String {
    let (_, rest) = body.split_once("expr:").expect("an expression");
    let first = rest.lines().next().unwrap_or_default().trim();
    if first != "|" {
        return first.to_owned();
    }
    let lines: Vec<&str> = rest.lines().skip(1).collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let own = lines.first().map_or(0, |line| depth(line));
    let of_expression = lines.iter().take_while(|line| depth(line) >= own);
    let text: Vec<&str> = of_expression.map(|line| &line[own..]).collect();
    assert!(!text.is_empty(), "no expression: {body}");
    text.join("\n")
}
