//! Runs the `console` blocks of pages in their order, against a simulated Platform.
//!
//! A line that begins with `$ ` is a command; what follows is what it writes to stdout, where a line
//! `…` stands for any lines. A block `console background` starts a process that runs to the end of the
//! page. `UPDATE_DOCS=1` writes the output of the program into the page.

use std::fmt::Write as _;

use super::generated::check;
use super::none;
use super::pages::Page;
use super::shell::World;

#[test]
fn the_quick_start_of_the_readme_works() {
    runs("README.md", true);
}

#[test]
fn the_first_hour_works() {
    runs("docs/tutorials/first-hour.md", false);
}

#[test]
fn the_first_tutorial_works() {
    runs("docs/tutorials/first-dataset.md", false);
}

#[test]
fn the_tutorial_about_corrections_works() {
    runs("docs/tutorials/correct-a-dataset.md", false);
}

#[test]
fn the_tutorial_for_services_works() {
    runs("docs/tutorials/from-a-service.md", false);
}

/// Runs a page; `with_platform` if it takes for granted that a Platform is configured.
fn runs(path: &str, with_platform: bool) {
    let page = Page::read(path);
    let world = World::new();
    let _simulator = with_platform.then(|| world.start("ferry simulate > simulated.env"));
    let mut shell = world.shell();
    if with_platform {
        shell.run("set -a; . ./simulated.env; set +a");
    }
    let mut background = Vec::new();
    let mut made = page.text.clone();
    let (mut from, mut seen) = (0, 0);
    for (info, text) in page.fences("console") {
        if info == "console background" {
            let lines: Vec<String> = steps_of(&text).into_iter().map(|step| step.source).collect();
            background.push(world.start(&lines.join("\n")));
            continue;
        }
        for step in steps_of(&text) {
            let wrote = shell.run(&world.ported(&step.source));
            let old = format!("$ {}\n{}", step.source, step.output);
            let at = from + made[from..].find(&old).expect("it was read from there");
            let output = if matches(&step.output, &wrote) { &step.output } else { &wrote };
            let new = format!("$ {}\n{output}", step.source);
            made.replace_range(at..at + old.len(), &new);
            (from, seen) = (at + new.len(), seen + 1);
        }
    }
    assert!(seen > 0, "{path} has no command");
    let mut wrong = Vec::new();
    check(path, &page.text, &made, &mut wrong);
    none(&wrong);
}

/// A command of a page.
struct Step {
    /// As the page has it, without `$ `.
    source: String,
    output: String,
}

fn steps_of(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { source: command.to_owned(), output: String::new() });
        } else if let Some(step) = steps.last_mut() {
            if continues {
                let _ = write!(step.source, "\n{line}");
            } else {
                let _ = writeln!(step.output, "{line}");
            }
        }
        continues = line.ends_with('\\');
    }
    steps
}

/// True if the page shows what was written, but for what differs from run to run.
fn matches(page: &str, wrote: &str) -> bool {
    let (page, wrote) = (normal(page), normal(wrote));
    let Some((start, end)) = page.split_once("…\n") else { return page == wrote };
    wrote.len() + 1 >= start.len() + end.len() && wrote.starts_with(start) && wrote.ends_with(end)
}

/// Ids, times and durations as words.
fn normal(text: &str) -> String {
    let line = |line: &str| {
        let mut words: Vec<&str> = Vec::new();
        for word in line.split_whitespace() {
            let bare = word.trim_matches(|c: char| "(),`'\"".contains(c));
            let kind = kind_of(bare).unwrap_or(word);
            let is_repeated = kind == "DURATION" && words.last() == Some(&"DURATION");
            if !is_repeated {
                words.push(kind);
            }
        }
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// `EPOCH-N`.
fn is_event(word: &str) -> bool {
    let Some((epoch, number)) = word.split_once('-') else { return false };
    epoch.len() == 16
        && epoch.chars().all(|c| c.is_ascii_hexdigit())
        && number.parse::<u64>().is_ok()
}

fn kind_of(word: &str) -> Option<&'static str> {
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_id = word.len() == 26 && word.starts_with("01");
    let is_stamp = |separator: char, parts: usize| {
        word.split(separator).count() == parts
            && word.chars().all(|c| c.is_ascii_digit() || c == separator)
    };
    match () {
        () if is_id => Some("ID"),
        () if is_event(word) => Some("EVENT"),
        () if word.len() == 36 && word.matches('-').count() == 4 => Some("TOKEN"),
        () if has_digit && ["ms", "s", "m", "h"].contains(&unit) => Some("DURATION"),
        () if is_stamp('-', 3) || is_stamp(':', 3) => Some("TIME"),
        () => None,
    }
}

#[test]
fn output_is_compared_but_for_what_differs_from_run_to_run() {
    let page = "01KDXB8W4S9ZT2M3Q5R7V1C6HY  completed  march  (after 1s 600ms, 1 poll)\n";
    let wrote = "01M8HT05Z253TTYBHVD02Q5NKM  completed  march  (after 2s, 1 poll)\n";
    assert!(matches(page, wrote));
    assert!(!matches(page, &wrote.replace("completed", "rejected")));
    assert!(matches("a\n…\nc\n", "a\nb\nb\nc\n") && !matches("a\n…\nc\n", "a\nb\n"));
}
