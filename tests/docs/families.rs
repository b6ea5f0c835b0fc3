//! The metrics and the values of their labels, from what `/metrics` shows.

use std::collections::BTreeMap;

use super::program::SHOWN;
use super::render::{code, sentence, table};

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
