//! The parts between `<!-- generated: NAME -->` and `<!-- end -->`, and the files that are generated whole.

use std::fmt::Write as _;

use super::pages::{self, Page, root};
use super::program::SHOWN;
use super::{alerts, families, habits, help, is_update, modules, none, render, schedule, states};

/// At the beginning of a line.
const START: &str = "\n<!-- generated: ";
const END: &str = "<!-- end -->";

/// The text of a generated part.
fn part(name: &str) -> Option<String> {
    Some(match name {
        "settings" => render::settings(false),
        "account settings" => render::settings(true),
        "commands" => help::commands(),
        "exit codes" => help::exit_codes(),
        "data columns" => render::columns(ferry_types::domain::dataset::Table::Data),
        "event columns" => render::columns(ferry_types::domain::dataset::Table::Events),
        "cells" => habits::cells(),
        "checks" => render::closed_set("Kind", "problem"),
        "routes" => render::routes(),
        "problems" => render::problems(),
        "submission request" => render::fields("SubmissionRequest"),
        "submission" => render::fields("SubmissionView"),
        "delivery results" => render::closed_set("DeliveryResult", "result"),
        "webhook schedule" => schedule::table_of_attempts(),
        "metrics" => families::metrics(),
        "label values" => families::label_values(),
        "alerts" => alerts::sections(),
        "states" => render::closed_set("State", "state"),
        "steps" => render::closed_set("StepKind", "step"),
        "reasons" => render::closed_set("ReasonCode", "reason"),
        "transitions" => states::table(),
        "modules" => modules::modules(),
        _ => return None,
    })
}

#[test]
fn generated_parts_are_what_the_program_says() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages::all() {
        let made = regenerated(&page, &mut seen);
        check(&page.path, &page.text, &made, &mut wrong);
    }
    assert!(seen > 15, "{seen} generated parts");
    let openapi = serde_json::to_string_pretty(&SHOWN.openapi).expect("it is JSON") + "\n";
    let path = "docs/reference/openapi.json";
    let written = std::fs::read_to_string(root(path)).unwrap_or_default();
    check(path, &written, &openapi, &mut wrong);
    none(&wrong);
}

/// The page with each part as the program makes it now.
fn regenerated(page: &Page, seen: &mut usize) -> String {
    let mut made = String::new();
    let mut rest = page.text.as_str();
    while let Some((before, after)) = rest.split_once(START) {
        let (name, after) = after.split_once(" -->").expect("the mark ends");
        let text = part(name).unwrap_or_else(|| panic!("{}: unknown part `{name}`", page.path));
        let (_, behind) = after.split_once(END).unwrap_or_else(|| {
            panic!("{}: the part `{name}` has no `{END}`", page.path);
        });
        let _ = write!(made, "{before}{START}{name} -->\n\n{}\n\n{END}", text.trim_end());
        rest = behind;
        *seen += 1;
    }
    made + rest
}

/// Compares, or writes what is new.
pub(crate) fn check(path: &str, written: &str, made: &str, wrong: &mut Vec<String>) {
    if written == made {
        return;
    }
    if is_update() {
        std::fs::write(root(path), made).expect("the page can be written");
        return;
    }
    let (at, (old, new)) = written
        .lines()
        .zip(made.lines())
        .enumerate()
        .find(|(_, (old, new))| old != new)
        .unwrap_or((written.lines().count(), ("", "(more or fewer lines)")));
    let hint = "UPDATE_DOCS=1 cargo test --test docs";
    wrong.push(format!("{path}:{}: out of date, run `{hint}`\n    - {old}\n    + {new}", at + 1));
}
