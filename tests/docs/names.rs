//! Every command, flag, setting, metric, alert, route, path and identifier that a page names exists.

use std::collections::BTreeSet;

use super::pages::{self, Page, root};
use super::program::{COMMANDS, SHOWN, settings};
use super::{is_update, none};

/// Names that pages use before the code has them, one a line. The list may only shrink.
const TO_COME: &str = "docs/names-to-come.txt";

/// Variables of the examples, and the pattern of all, which are no settings.
const OTHER_VARIABLES: &[&str] =
    &["FERRY_CONFIG", "FERRY_URL", "FERRY_KEY", "FERRY_NAME", "FERRY_NAME_FILE"];

/// Folders whose words a page may name.
const SOURCES: &[&str] = &[
    "src",
    "crates",
    "tests",
    "benches",
    "deploy",
    "dashboards",
    "examples",
    "scripts",
    "fuzz/fuzz_targets",
];

struct Known {
    alerts: String,
    metrics: BTreeSet<String>,
    variables: BTreeSet<String>,
    routes: Vec<String>,
    words: BTreeSet<String>,
}

impl Known {
    fn collect() -> Self {
        let alerts =
            std::fs::read_to_string(root("deploy/prometheus/alerts.yml")).expect("it is there");
        let typed = SHOWN.metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let metrics = typed.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect();
        let mut variables: BTreeSet<String> =
            OTHER_VARIABLES.iter().map(|v| (*v).to_owned()).collect();
        for setting in settings() {
            let variable = setting["variable"].as_str().expect("a text").to_owned();
            if setting["secret"] == true {
                variables.insert(format!("{variable}_FILE"));
            }
            variables.insert(variable);
        }
        let paths = SHOWN.openapi["paths"].as_object().expect("paths");
        Self { alerts, metrics, variables, routes: paths.keys().cloned().collect(), words: words() }
    }

    fn has_route(&self, path: &str) -> bool {
        let is_variable =
            |part: &str| part.starts_with('{') || part.starts_with(char::is_uppercase);
        self.routes.iter().any(|route| {
            let (route, path): (Vec<&str>, Vec<&str>) =
                (route.split('/').collect(), path.split('/').collect());
            let is_same = |(a, b): (&&str, &&str)| a == b || (is_variable(a) && !b.is_empty());
            route.len() == path.len() && route.iter().zip(&path).all(is_same)
        })
    }

    fn has_metric(&self, name: &str) -> bool {
        let parts = ["_bucket", "_sum", "_count"];
        let whole = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        self.metrics.contains(name) || self.metrics.contains(whole)
    }
}

/// All identifiers of the sources, whatever their language.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let paths = SOURCES.iter().flat_map(|folder| pages::files(folder));
    for path in paths.filter(|path| !path.starts_with("tests/docs/") && !pages::is_page(path)) {
        let text = std::fs::read_to_string(root(&path)).unwrap_or_default();
        words.extend(identifiers(&text).map(str::to_owned));
    }
    // What serde makes of names is in no source.
    words.extend(identifiers(&SHOWN.openapi.to_string()).map(str::to_owned));
    words
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn every_name_on_a_page_exists() {
    let known = Known::collect();
    let mut missing: Vec<(String, String)> = Vec::new();
    for page in pages::all() {
        let own = [commands(&page), whole_words(&known, &page), code(&known, &page)].concat();
        missing.extend(own.into_iter().map(|name| (page.path.clone(), name)));
    }
    let to_come = std::fs::read_to_string(root(TO_COME)).unwrap_or_default();
    let to_come: Vec<&str> = to_come.lines().collect();
    let is_listed = |name: &str| to_come.contains(&name);
    let (listed, unknown): (Vec<_>, Vec<_>) = missing.iter().partition(|(_, name)| is_listed(name));
    let still: Vec<&str> =
        to_come.iter().copied().filter(|name| listed.iter().any(|(_, one)| one == name)).collect();
    let mut wrong: Vec<String> =
        unknown.iter().map(|(path, name)| format!("{path}: `{name}` does not exist")).collect();
    wrong.sort();
    wrong.dedup();
    if still != to_come && is_update() {
        let lines: String = still.iter().flat_map(|name| [*name, "\n"]).collect();
        let written = if lines.is_empty() {
            std::fs::remove_file(root(TO_COME))
        } else {
            std::fs::write(root(TO_COME), lines)
        };
        written.expect("the list can be written");
    } else {
        let gone = to_come.iter().filter(|name| !still.contains(name));
        wrong.extend(gone.map(|name| format!("{TO_COME}: strike `{name}` off, it is not missing")));
    }
    none(&wrong);
}

/// Commands and flags that do not exist, from code in lines and from the commands of fences.
fn commands(page: &Page) -> Vec<String> {
    let mut missing = Vec::new();
    let lines = page.lines();
    // The output of a program, and the help that is generated, need no check.
    let fenced = lines.iter().filter(|line| line.is_code).map(|line| line.text);
    for code in page.inline_code().into_iter().chain(fenced) {
        let code = code.trim_start().trim_start_matches("$ ");
        let inner = ["-- ferry ", "worker ferry ", "sudo -u ferry ferry ", "/var/lib/ferry ferry "];
        let call = inner.iter().find_map(|by| Some(code.split_once(by)?.1));
        let Some(call) = call.or(code.strip_prefix("ferry ")) else { continue };
        let call = call.split(['|', '>', ';', '#', ')']).next().unwrap_or(call);
        let call: Vec<&str> = call.split_whitespace().collect();
        if call.first().is_some_and(|first| first.starts_with(|c: char| c.is_ascii_lowercase())) {
            missing.extend(missing_in(&call));
        }
    }
    missing
}

/// The command, or the flags of it that do not exist.
fn missing_in(call: &[&str]) -> Vec<String> {
    let find = |words: &[&str]| COMMANDS.iter().find(|(name, _)| *name == words.join(" "));
    let found = find(call.get(..2).unwrap_or_default()).or_else(|| find(&call[..1]));
    let Some((name, help)) = found else { return vec![format!("ferry {}", call[0])] };
    let takes_more = help.contains("<COMMAND>") && call.len() > 1 && !call[1].starts_with('-');
    if takes_more {
        return vec![format!("ferry {name} {}", call[1])];
    }
    let flags = call
        .iter()
        .filter_map(|word| word.strip_prefix("--"))
        .map(|flag| flag.split(['=', '[', ',']).next().unwrap_or(flag));
    let unknown = flags.filter(|flag| !flag.is_empty() && !help.contains(&format!("--{flag}")));
    unknown.map(|flag| format!("ferry {name} --{flag}")).collect()
}

/// Metrics, variables and alerts that do not exist, wherever they stand.
fn whole_words(known: &Known, page: &Page) -> Vec<String> {
    let is_missing = |word: &&str| {
        // The beginning of several names.
        if word.ends_with('_') {
            return false;
        }
        if let Some(rest) = word.strip_prefix("FERRY_") {
            return !rest.is_empty() && !known.variables.contains(*word);
        }
        let is_alert =
            word.strip_prefix("Ferry").is_some_and(|rest| rest.starts_with(char::is_uppercase));
        if is_alert {
            return !known.alerts.contains(&format!("- alert: {word}\n"));
        }
        let is_metric = word.len() > 6 && word.starts_with("ferry_");
        // Crates and modules have such names, too.
        is_metric && !known.has_metric(word) && !known.words.contains(*word)
    };
    identifiers(&page.text).filter(is_missing).map(str::to_owned).collect()
}

/// Routes, paths and identifiers in backticks that do not exist.
fn code(known: &Known, page: &Page) -> Vec<String> {
    let is_missing = |code: &&str| {
        let code = code.trim();
        let route = code.split(' ').find(|word| word.starts_with("/v1/"));
        if let Some(route) = route {
            return !known.has_route(route.split('?').next().unwrap_or(route));
        }
        if SOURCES.iter().chain(&["docs"]).any(|folder| code.starts_with(&format!("{folder}/"))) {
            // The secrets are made by `prepare.sh`.
            let is_made = code.starts_with("deploy/compose/secrets/");
            return !is_made && !code.contains(['*', '{', ' ']) && !root(code).exists();
        }
        let is_name = code.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        let is_of_code = code.contains('_') || code.contains("::");
        // Metrics and variables are looked at wherever they stand.
        let is_other = code.starts_with("FERRY_") || code.starts_with("ferry_");
        let is_known = || code.split("::").all(|part| known.words.contains(part));
        is_name && is_of_code && !is_other && !is_known()
    };
    page.inline_code().into_iter().filter(is_missing).map(str::to_owned).collect()
}
