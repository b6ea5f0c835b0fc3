//! The recipes of the `justfile` are the steps of `scripts/test`.

use super::none;
use super::pages::Page;

/// The calls of cargo of a script, without what depends on the machine.
fn calls(text: &str) -> Vec<String> {
    let starts = ["cargo ", "RUSTDOCFLAGS", "REDIS_", "nice "];
    let lines = text
        .lines()
        .map(|line| line.trim().trim_end_matches(" &&"))
        .filter(|line| starts.iter().any(|start| line.starts_with(start)));
    let call = |line: &str| line[line.find("cargo ").expect("it calls cargo")..].to_owned();
    lines.map(call).collect()
}

#[test]
fn every_step_of_the_script_is_a_recipe() {
    let (script, justfile) = (Page::read("scripts/test"), Page::read("justfile"));
    let recipes = calls(&justfile.text);
    let steps = calls(&script.text);
    assert!(steps.len() > 6, "{steps:?}");
    let is_recipe = |step: &String| recipes.iter().any(|recipe| recipe.starts_with(step.as_str()));
    let missing = steps.iter().filter(|step| !is_recipe(step));
    none(
        &missing.map(|step| format!("the justfile has no recipe for `{step}`")).collect::<Vec<_>>(),
    );
}
