//! Links and anchors lead somewhere, and every page is in the table of contents.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::none;
use super::pages::{self, Page, root};

#[test]
fn every_link_and_every_anchor_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages::all() {
        for line in page.lines().iter().filter(|line| !line.is_code) {
            for target in targets(line.text).filter(|target| !target.contains("://")) {
                seen += 1;
                if let Err(problem) = follow(&page, target) {
                    wrong.push(format!("{}:{}: {problem}", page.path, line.number));
                }
            }
        }
    }
    assert!(seen > 100, "{seen} links");
    none(&wrong);
}

/// The targets of the links of a line, outside of backticks.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let is_code = |at: usize| line[..at].matches('`').count() % 2 == 1;
    let starts = line.match_indices("](").filter(move |(at, _)| !is_code(*at));
    starts.filter_map(|(at, _)| line[at + 2..].split(')').next())
}

fn follow(page: &Page, target: &str) -> Result<(), String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.path.clone() } else { beside(&page.path, path) };
    if !root(&path).exists() {
        return Err(format!("`{path}` does not exist"));
    }
    let is_there = anchor.is_empty() || anchors(&Page::read(&path)).contains(anchor);
    if is_there { Ok(()) } else { Err(format!("`{path}` has no anchor `#{anchor}`")) }
}

/// A path that is relative to a page, from the root.
fn beside(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(name) => parts.push(name.to_str().expect("UTF-8")),
            _ => {}
        }
    }
    parts.join("/")
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let lines = page.lines();
    let headings = lines.iter().filter(|line| !line.is_code && line.text.starts_with('#'));
    headings.map(|line| slug(line.text)).collect()
}

/// The anchor that code hosts and mdBook give a heading.
pub(crate) fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let letter = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || "-_".contains(letter) => Some(letter),
        _ => None,
    };
    heading.chars().filter_map(letter).collect()
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let summary = Page::read("docs/SUMMARY.md");
    let listed: BTreeSet<String> =
        summary.text.lines().flat_map(targets).map(|target| format!("docs/{target}")).collect();
    let is_listed = |path: &String| pages::is_page(path) && path != "docs/SUMMARY.md";
    let pages = pages::files("docs").into_iter().filter(is_listed);
    let pages: BTreeSet<String> = pages.collect();
    assert_eq!(listed, pages);
}

#[test]
fn anchors_are_those_of_code_hosts() {
    assert_eq!(
        slug("## FerryFailuresFast and FerryFailuresSlow"),
        "ferryfailuresfast-and-ferryfailuresslow"
    );
    assert_eq!(slug("## `ferry keys create`, once"), "ferry-keys-create-once");
}
