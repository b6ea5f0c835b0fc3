//! Runs the `console` blocks of pages in their order, against a simulated Platform.
//!
//! A line that begins with `$ ` is a command; what follows is what it writes to stdout, where a line
//! `…` stands for any lines. A block `console background` is a terminal of its own: it starts a process
//! that runs to the end of the page, or until another block starts the same. Of a block `console quiet`
//! the commands and requests have to succeed, and no output is shown. `UPDATE_DOCS=1` writes the output
//! of the program into the page.

use std::fmt::Write as _;

use super::generated::check;
use super::none;
use super::pages::{self, Page};
use super::shell::{Process, World};

#[test]
fn the_quick_start_of_the_readme_works() {
    runs("README.md", Given::Nothing);
}

#[test]
fn the_first_hour_works() {
    runs("docs/tutorials/first-hour.md", Given::Nothing);
}

#[test]
fn the_first_tutorial_works() {
    runs("docs/tutorials/first-dataset.md", Given::Nothing);
}

#[test]
fn the_tutorial_about_corrections_works() {
    runs("docs/tutorials/correct-a-dataset.md", Given::Nothing);
}

#[test]
fn the_tutorial_for_services_works() {
    runs("docs/tutorials/from-a-service.md", Given::Nothing);
}

#[test]
fn the_tutorial_about_production_works() {
    runs("docs/tutorials/production-on-redis.md", Given::Platform);
}

#[test]
fn recipes_for_many_datasets_work() {
    runs("docs/how-to/submit-many.md", Given::Platform);
}

#[test]
fn the_recipe_for_cron_works() {
    runs("docs/how-to/run-as-a-service.md", Given::Platform);
}

#[test]
fn recipes_for_webhooks_work() {
    runs("docs/how-to/receive-webhooks.md", Given::Platform);
}

#[test]
fn recipes_for_events_work() {
    runs("docs/how-to/follow-events.md", Given::Server);
}

#[test]
fn recipes_for_a_secure_server_work() {
    runs("docs/how-to/secure-the-api.md", Given::Platform);
}

#[test]
fn recipes_for_monitoring_work() {
    runs("docs/how-to/monitor.md", Given::Server);
}

#[test]
fn backups_of_the_page_can_be_restored() {
    runs("docs/operations/backup.md", Given::Platform);
}

#[test]
fn commands_for_symptoms_work() {
    runs("docs/operations/troubleshooting.md", Given::Server);
}

#[test]
fn requests_of_the_reference_work() {
    runs("docs/reference/http-api.md", Given::Server);
}

#[test]
fn json_of_the_reference_is_what_commands_write() {
    runs("docs/reference/json-output.md", Given::Platform);
}

#[test]
fn every_page_with_a_console_block_is_run() {
    let is_run = |page: &Page| include_str!("console.rs").contains(&format!("\"{}\"", page.path));
    let shows = pages::all().into_iter().filter(|page| !page.fences("console").is_empty());
    let missed = shows.filter(|page| !is_run(page)).map(|page| page.path);
    none(&missed.collect::<Vec<_>>());
}

/// Things that a page takes for granted: nothing, an account at a Platform, or a server that has one, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Platform,
    Server,
}

/// A configured account, in each terminal.
const ACCOUNT: &str = "set -a; . ./simulated.env; set +a\n";

/// Requests of which no output is compared, and which have to succeed.
const LOUD_CURL: &str =
    "curl() { command curl --silent --fail-with-body \"$@\"; }; set -o pipefail";

fn runs(path: &str, given: Given) {
    let page = Page::read(path);
    let world = World::new();
    let mut shell = world.shell();
    let mut background: Vec<(String, Process)> = Vec::new();
    let account = if given == Given::Nothing { "" } else { ACCOUNT };
    let _platform = (given != Given::Nothing).then(|| {
        world.add_datasets();
        let platform = world.start(".", "ferry simulate > simulated.env");
        shell.run(account);
        platform
    });
    if given == Given::Server {
        background.push(("ferry serve".into(), world.start(".", &format!("{account}ferry serve"))));
    }
    let mut made = page.text.clone();
    let (mut from, mut seen) = (0, 0);
    for (info, text) in page.fences("console") {
        if info == "console background" {
            let lines: Vec<String> = steps_of(&text).into_iter().map(|step| step.source).collect();
            let program = lines.last().expect("it starts something").clone();
            let program = program.split(" --").next().unwrap_or_default().to_owned();
            background.retain(|(other, _)| *other != program);
            let folder = shell.run("pwd");
            let lines = format!("{account}{}", lines.join("\n"));
            background.push((program, world.start(folder.trim(), &lines)));
            continue;
        }
        let is_quiet = info == "console quiet";
        shell.run(if is_quiet { LOUD_CURL } else { "unset -f curl" });
        for step in steps_of(&text) {
            let mut wrote = world.shown(&shell.run(&world.placed(&step.source)));
            if is_quiet {
                wrote.clear();
            } else if !wrote.is_empty() && !wrote.ends_with('\n') {
                wrote.push('\n');
            }
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
        let line = without_process(line);
        let words: Vec<String> = line.split_whitespace().map(normal_word).collect();
        let line = words.join(" ") + "\n";
        line.replace("DURATION DURATION", "DURATION")
    };
    text.lines().map(line).collect()
}

/// A process in `ferry stats`, without its machine and number.
fn without_process(line: &str) -> String {
    let cut = || {
        let (role, rest) = line.split_once(" on `")?;
        let (_, rest) = rest.split_once("`, process ")?;
        let (_, rest) = rest.split_once(", ")?;
        Some(format!("{role}, {rest}"))
    };
    cut().unwrap_or_else(|| line.to_owned())
}

/// A word, or what JSON has without a blank.
fn normal_word(word: &str) -> String {
    let pieces = word.split_inclusive(|c: char| "(),`'\"{}[]=&".contains(c));
    let normal_piece = |piece: &str| {
        let end = piece.find(|c: char| "(),`'\"{}[]=&".contains(c)).unwrap_or(piece.len());
        let (bare, end) = piece.split_at(end);
        format!("{}{end}", kind_of(bare).unwrap_or(bare))
    };
    pieces.map(normal_piece).collect()
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
        // Of a server that differs from machine to machine.
        () if is_stamp('.', 3) => Some("VERSION"),
        () if word.starts_with("20") && word.contains('T') && word.ends_with('Z') => Some("TIME"),
        () if word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit()) => Some("HASH"),
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
