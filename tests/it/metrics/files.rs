//! The files under `dashboards` and `deploy`, by themselves.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use ferry::config::settings::{ACCOUNT_SETTINGS, SETTINGS};
use serde_json::Value;

use super::prometheus::{ran, tool};

pub(super) fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

/// Each alert's name and the text of its rule.
fn alerts() -> Vec<(String, String)> {
    let alerts = read("deploy/prometheus/alerts.yml");
    let rules = alerts.split("- alert: ").skip(1);
    rules.map(|rule| (rule.lines().next().unwrap().to_owned(), rule.to_owned())).collect()
}

/// Every dashboard, with its file.
fn dashboards() -> impl Iterator<Item = (&'static str, Value)> {
    ["overview.json", "platform.json", "workers.json"]
        .into_iter()
        .map(|file| (file, serde_json::from_str(&read(&format!("dashboards/{file}"))).unwrap()))
}

/// Returns the queries of the template variables, each with the dashboard's file and its own name.
pub(super) fn variables() -> Vec<(String, String, String)> {
    let mut variables = Vec::new();
    for (file, dashboard) in dashboards() {
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if let Some(query) = variable["query"]["query"].as_str() {
                let name = variable["name"].as_str().unwrap();
                variables.push((file.to_owned(), name.to_owned(), query.to_owned()));
            }
        }
    }
    assert_eq!(variables.len(), 9, "{variables:?}");
    variables
}

/// Every panel of every dashboard, with the dashboard's file.
pub(super) fn panels() -> Vec<(String, Value)> {
    let mut panels = Vec::new();
    for (file, dashboard) in dashboards() {
        for panel in dashboard["panels"].as_array().unwrap() {
            panels.push((file.to_owned(), panel.clone()));
        }
        for note in dashboard["annotations"]["list"].as_array().unwrap() {
            panels.push((file.to_owned(), note.clone()));
        }
    }
    panels
}

/// The template variables of a dashboard, all chosen.
pub(super) fn filled_in(expression: &str) -> String {
    let all = ["$namespace", "$instance", "$account"];
    let expression = all.iter().fold(expression.to_owned(), |text, name| text.replace(name, ".*"));
    let expression = expression.replace("$__rate_interval", "1m");
    assert!(!expression.contains('$'), "{expression}");
    expression
}

/// Returns the queries of panels that show example traces, with all variables chosen.
pub(crate) fn with_exemplars() -> Vec<String> {
    let mut found = Vec::new();
    for (_, panel) in panels() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        let requested = targets.filter(|target| target["exemplar"] == true);
        found.extend(requested.map(|target| filled_in(target["expr"].as_str().unwrap())));
    }
    found
}

#[test]
fn prometheus_takes_the_configuration_and_the_rules() {
    for check in [["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"]] {
        ran(Command::new(tool("promtool")).args(check).current_dir(root("deploy/prometheus")));
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet() {
    let folder = root("deploy/prometheus");
    ran(Command::new(tool("promtool"))
        .args(["test", "rules", "alerts_test.yml"])
        .current_dir(folder));
    let cases = read("deploy/prometheus/alerts_test.yml");
    for (alert, _) in alerts() {
        let of_alert = cases.split("- name: ").filter(|case| {
            case.contains(&format!("alertname: {alert}\n")) && case.starts_with('"')
        });
        let (fires, quiet): (Vec<&str>, Vec<&str>) =
            of_alert.partition(|case| case.contains("exp_labels"));
        assert!(!fires.is_empty(), "{alert} fires in no case");
        assert!(quiet.iter().any(|case| case.contains("exp_alerts: []")), "{alert} is never quiet");
    }
}

/// The sections of the runbook as Grafana shows them: the link to each, its heading and its text.
pub(super) fn sections() -> Vec<(String, String, String)> {
    let runbook: Value = serde_json::from_str(&read("dashboards/runbook.json")).unwrap();
    let panels = runbook["panels"].as_array().unwrap().iter();
    let section = |panel: &Value| {
        let url = format!("/d/{}?viewPanel={}", runbook["uid"].as_str().unwrap(), panel["id"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (url, text(&panel["title"]), text(&panel["options"]["content"]))
    };
    panels.map(section).collect()
}

#[test]
fn every_alert_leads_to_its_section_of_the_runbook_and_so_does_a_panel() {
    let sections = sections();
    let links: BTreeSet<String> = panels()
        .iter()
        .filter_map(|(_, panel)| panel["links"].as_array().cloned())
        .flatten()
        .map(|link| link["url"].as_str().unwrap().to_owned())
        .collect();
    let mut named = BTreeSet::new();
    for (alert, rule) in alerts() {
        let section = sections.iter().find(|(_, title, _)| title.split(' ').any(|w| w == alert));
        let (url, title, text) = section.unwrap_or_else(|| panic!("the runbook has no {alert}"));
        let grafana = "{{ with $externalLabels.grafana }}{{ . }}";
        let line = format!("dashboard_url: \"{grafana}{url}{{{{ end }}}}\"\n");
        assert!(rule.contains(&line), "{alert} needs\n{line}");
        let stable = format!("{{{{ end }}}}#{}\"\n", title.to_lowercase().replace(' ', "-"));
        let address = rule.lines().find(|line| line.trim().starts_with("runbook_url: "));
        let address = format!("{}\n", address.unwrap_or_default());
        assert!(
            address.contains("$externalLabels.runbook") && address.ends_with(&stable),
            "{address}"
        );
        let command = rule.lines().find_map(|line| line.trim().strip_prefix("command: \"ferry "));
        let command = command.unwrap_or_else(|| panic!("{alert} has no command"));
        let known = read("docs/reference/cli.md");
        let word = command.split([' ', '"']).next().unwrap_or_default();
        assert!(known.contains(&format!("## ferry {word}\n")), "{alert}: `ferry {word}`");
        for part in ["**Meaning.**", "**Check.**", "**Act.**"] {
            assert!(text.contains(part), "{alert}: its section has no {part}");
        }
        assert!(links.contains(url), "no panel links to the section of {alert}");
        named.insert(url.clone());
    }
    let all: BTreeSet<String> = sections.iter().skip(1).map(|(url, ..)| url.clone()).collect();
    assert_eq!(all, named, "the runbook and the alerts know of the same");
    assert!(links.is_subset(&named), "{links:?}");
}

#[test]
fn panels_that_the_runbook_names_exist() {
    let (mut links, mut looked_at) = (0, 0);
    for (_, section, text) in sections() {
        for rest in text.split("](").skip(1) {
            let (link, rest) = rest.split_once(')').expect("a link ends");
            let found = dashboards().find(|(_, made)| made["uid"] == link.trim_start_matches("d/"));
            let (_, dashboard) = found.unwrap_or_else(|| panic!("{section}: no dashboard {link}"));
            let panels = dashboard["panels"].as_array().unwrap();
            // The names of panels follow, to the end of the sentence.
            let sentence = rest.split(['.', ':', ';']).next().unwrap_or_default();
            for title in sentence.split('"').skip(1).step_by(2) {
                let known = panels.iter().any(|panel| panel["title"] == title);
                assert!(known, "{section}: {link} has no panel \"{title}\"");
                looked_at += 1;
            }
            links += 1;
        }
    }
    assert!(links > 5 && looked_at > 2, "{links} links, {looked_at} panels");
}

#[test]
fn every_panel_is_described_and_has_a_unit() {
    for (file, panel) in panels().iter().filter(|(_, panel)| panel["targets"].is_array()) {
        let title = &panel["title"];
        assert!(
            panel["description"].as_str().is_some_and(|text| text.len() > 20),
            "{file}: {title}"
        );
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{file}: {title}");
    }
}

#[test]
fn the_dashboards_are_what_their_generator_writes() {
    let hint = "python3 runs the generator; on Debian: apt-get install python3";
    let mut generator = Command::new("python3");
    generator.arg(root("dashboards/generate.py")).arg("--check");
    let checked = generator.output().expect(hint);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn every_variable_that_the_deployment_sets_is_a_setting() {
    let known: BTreeSet<String> = SETTINGS
        .iter()
        .chain(ACCOUNT_SETTINGS)
        .flat_map(|setting| {
            let file = setting.secret.then(|| format!("{}_file", setting.name));
            [Some(setting.name.to_owned()), file]
        })
        .flatten()
        .chain(["config".to_owned()])
        .map(|name| format!("FERRY_{}", name.to_uppercase()))
        .collect();
    for path in
        ["Dockerfile", "deploy/systemd/ferry-server.service", "deploy/systemd/ferry-worker.service"]
    {
        let text = read(path);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let variables: Vec<&str> = words
            .filter(|word| word.strip_prefix("FERRY_").is_some_and(|name| !name.is_empty()))
            .collect();
        for variable in &variables {
            assert!(known.contains(*variable), "{path}: {variable} is not a setting");
        }
        assert!(!variables.is_empty(), "{path} sets nothing");
    }
}
