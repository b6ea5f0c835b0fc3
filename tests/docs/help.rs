//! The commands and exit codes, from the help texts.

use std::fmt::Write as _;

use super::program::COMMANDS;
use super::render::{sentence, table};

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
    // Where there are only global options, an empty list is left.
    let is_empty = |at: usize| kept.get(at + 1).is_none_or(|next| !next.starts_with(' '));
    let lines = kept.iter().enumerate().filter(|(at, line)| **line != "Options:" || !is_empty(*at));
    lines.map(|(_, line)| line.trim_end()).collect::<Vec<&str>>().join("\n")
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
