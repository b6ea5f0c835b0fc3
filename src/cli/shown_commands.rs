//! The commands that pages and messages show are ones that there are.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Cli;

/// Folders and files whose messages people see beside the command line.
const SOURCES: [&str; 7] = [
    "src/api",
    "src/queue",
    "src/console",
    "src/rehearsal",
    "src/words.rs",
    "crates/ferry-store/src",
    "crates/ferry-types/src",
];

fn at_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The texts of a file, or of all files below a folder.
fn texts(path: &Path) -> Vec<String> {
    if path.is_file() {
        return vec![std::fs::read_to_string(path).unwrap()];
    }
    let entries = std::fs::read_dir(path).unwrap();
    entries.flat_map(|entry| texts(&entry.unwrap().path())).collect()
}

/// The commands between two marks.
fn between(text: &str, begin: &str, end: &str) -> Vec<String> {
    let parts = text.split(begin).skip(1).filter_map(|rest| rest.split(end).next());
    parts.map(|part| format!("ferry {part}")).collect()
}

/// A command as a shell takes it apart, with values in the place of names.
fn words(shown: &str) -> Vec<String> {
    // Lines that continue, and what a template puts together.
    let shown = shown.replace("\\\n", " ").replace("\" ~", "").replace("~ \"", "");
    let word = |word: &str| match word.trim_matches(['{', '}', '"']) {
        "ID" | "id" | "row.id" | "submission" | "self.id" | "" => {
            "01KDXB8W4S9ZT2M3Q5R7V1C6HY".to_owned()
        }
        "role" | "ROLE" => "read".to_owned(),
        "NAME" => "name".to_owned(),
        _ if word.starts_with('{') => "x".to_owned(),
        word => word.to_owned(),
    };
    shown.split_whitespace().map(word).collect()
}

#[test]
fn the_commands_that_pages_and_messages_show_can_be_called() {
    let mut commands = Vec::new();
    for text in texts(&at_root("templates")) {
        commands.extend(between(&text, "frame.command(\"ferry ", ") }}"));
        commands.extend(between(&text, "<code>ferry ", "</code>"));
    }
    assert!(commands.len() > 12, "{commands:#?}");
    for text in SOURCES.iter().flat_map(|path| texts(&at_root(path))) {
        let is_said = |line: &&str| !line.trim_start().starts_with("//");
        let text = text.lines().filter(is_said).collect::<Vec<&str>>().join("\n");
        commands.extend(between(&text, "`ferry ", "`"));
        commands.extend(between(&text, "format!(\"ferry ", "\""));
    }
    assert!(commands.len() > 50, "{commands:#?}");
    let wrong = |shown: &String| {
        let error = Cli::try_parse_from(words(shown)).err()?.to_string();
        Some(format!("{shown}: {}", error.lines().next().unwrap_or_default()))
    };
    let wrong: Vec<String> = commands.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
