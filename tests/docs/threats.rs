//! The threat model: each promise names tests, and each of them exists.

use std::collections::BTreeSet;
use std::path::Path;

use super::none;
use super::pages::{self, Page, root};

const PAGE: &str = "docs/explanation/threat-model.md";

/// The names of all functions that are tests.
fn tests() -> BTreeSet<String> {
    let paths = ["tests", "crates", "src"].iter().flat_map(|folder| pages::files(folder));
    let mut found = BTreeSet::new();
    for path in paths.filter(|path| Path::new(path).extension().is_some_and(|kind| kind == "rs")) {
        let text = std::fs::read_to_string(root(&path)).expect("a source");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]")
                || line.starts_with("#[tokio::test")
                // What every store is put through is listed by a macro.
                || (path.contains("/tests/contract/") && line.starts_with("pub(super) async fn "));
            let name = line.split_once("fn ").filter(|_| is_test && !line.starts_with("//"));
            if let Some((_, rest)) = name {
                found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                is_test = false;
            }
        }
    }
    found
}

/// The rows of the promises, each with its line.
fn promises(page: &Page) -> Vec<(usize, String)> {
    let lines = page.lines().into_iter();
    let inside = lines.skip_while(|line| line.text != "## Promises");
    let inside = inside.take_while(|line| line.text != "## Not promised");
    let rows = inside.filter(|line| line.text.starts_with('|'));
    let rows =
        rows.filter(|line| !line.text.starts_with("|--") && !line.text.contains("proved by"));
    rows.map(|line| (line.number, line.text.to_owned())).collect()
}

#[test]
fn every_promise_of_the_threat_model_names_tests_that_exist() {
    let (page, tests) = (Page::read(PAGE), tests());
    let promises = promises(&page);
    assert!(promises.len() > 30 && tests.len() > 500, "{} {}", promises.len(), tests.len());
    let mut wrong = Vec::new();
    for (number, row) in promises {
        let proof = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("{PAGE}:{number}: no test proves it"));
        }
        for name in names.into_iter().filter(|name| !tests.contains(*name)) {
            wrong.push(format!("{PAGE}:{number}: there is no test `{name}`"));
        }
    }
    none(&wrong);
}

#[test]
fn every_actor_of_the_threat_model_has_promises() {
    let page = Page::read(PAGE);
    let (_, actors) = page.text.split_once("## Actors").expect("actors");
    let (actors, promised) = actors.split_once("## Promises").expect("promises");
    let rows = actors.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let actors: Vec<&str> = rows.filter_map(|row| row.split(" |").next()).collect();
    assert_eq!(actors.len(), 8, "{actors:?}");
    let missing = actors.iter().filter(|actor| {
        let against =
            format!("### Against {} {actor}", if actor.starts_with('o') { "an" } else { "a" });
        !promised.lines().any(|line| line.starts_with(&against))
    });
    none(&missing.map(|actor| format!("{PAGE}: no promises against {actor}")).collect::<Vec<_>>());
}
