//! Holds the documents to the program: generated parts, names, links, and what tutorials run.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes what is generated; without it, a difference fails.

mod alerts;
mod console;
mod families;
mod generated;
mod habits;
mod help;
mod links;
mod modules;
mod names;
mod pages;
mod program;
mod recipes;
mod render;
mod schedule;
mod shell;
mod states;
mod threats;

/// Fails with one line for each problem.
#[track_caller]
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n  {}\n", problems.join("\n  "));
}

/// True if the generated parts are to be written.
fn is_update() -> bool {
    #[expect(clippy::disallowed_methods, reason = "the one switch of this test")]
    std::env::var_os("UPDATE_DOCS").is_some()
}
