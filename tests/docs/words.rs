//! The language of the pages: forbidden words, and the width of prose. Generated parts have the words
//! of the program.

use super::none;
use super::pages;

const LONGEST: usize = 100;

/// Words that have a better one in `docs/developing/language.md`.
const FORBIDDEN: &[&str] = &[
    "tell",
    "tells",
    "told",
    "telling",
    "hear",
    "hears",
    "heard",
    "whoever",
    "whom",
    "somebody",
    "nobody",
    "everybody",
    "anybody",
    "mend",
    "mends",
    "mended",
    "vouch",
    "vouches",
    "vouched",
    "anew",
    "deed",
    "deeds",
    "culprit",
    "culprits",
    "gate",
    "gates",
    "gated",
    "stage",
    "stages",
    "budget",
    "budgets",
    "carry",
    "carries",
    "carried",
    "carrying",
    "kept",
    "fault",
    "faults",
    "trouble",
    "troubles",
    "mistake",
    "mistakes",
    "tries",
    "callback",
    "callbacks",
    "behaviour",
    "colour",
    "colours",
    "licence",
    "licences",
    "practise",
    "labelled",
    "modelled",
    "recognise",
    "recognised",
    "travelling",
];

const FORBIDDEN_PHRASES: &[&str] = &[
    "hand over",
    "hands over",
    "handed over",
    "handing over",
    "goes on",
    "go on",
    "trying on",
    "the door",
    "in doubt",
    "there is no such",
    "under way",
];

/// Case matters here: `Name` is the form field, and stands in code font.
const FORBIDDEN_NAMES: &[&str] =
    &["a Name", "the Name", "its Name", "same Name", "this Name", "one Name"];

/// Text without what stands in backticks, and without the targets of links.
fn prose(line: &str) -> String {
    let outside: String = line.split('`').step_by(2).collect::<Vec<&str>>().join(" ");
    let mut text = String::new();
    for (at, part) in outside.split("](").enumerate() {
        let part = if at == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) };
        text += part;
        text.push(' ');
    }
    text
}

#[test]
fn no_page_uses_a_forbidden_word() {
    let mut wrong = Vec::new();
    for page in pages::all() {
        for line in page.lines().iter().filter(|line| !line.is_code && !line.is_generated) {
            let found = forbidden(&prose(line.text)).into_iter();
            wrong.extend(found.map(|word| format!("{}:{}: {word}", page.path, line.number)));
        }
    }
    none(&wrong);
}

fn forbidden(text: &str) -> Vec<&'static str> {
    let lower = text.to_lowercase().replace("error budget", "");
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let spaced = format!(" {} ", words.join(" "));
    let exact: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let exact = format!(" {} ", exact.join(" "));
    let single = FORBIDDEN.iter().filter(|word| words.contains(word)).copied().collect::<Vec<_>>();
    let phrases = FORBIDDEN_PHRASES.iter().filter(|phrase| spaced.contains(&format!(" {phrase} ")));
    let names = FORBIDDEN_NAMES.iter().filter(|phrase| exact.contains(&format!(" {phrase} ")));
    single.into_iter().chain(phrases.chain(names).copied()).collect()
}

#[test]
fn prose_is_at_most_a_hundred_characters_wide() {
    let mut wrong = Vec::new();
    for page in pages::all() {
        for line in page.lines() {
            let text = line.text.trim();
            let is_link = text.starts_with(['[', '!', '<']) && text.ends_with([')', '>']);
            let is_list_link = text.starts_with("- [") && text.ends_with(')');
            let is_exempt = line.is_code
                || line.is_generated
                || is_link
                || is_list_link
                || text.starts_with(['|', '#', '>']);
            if !is_exempt && line.text.chars().count() > LONGEST {
                wrong.push(format!("{}:{}", page.path, line.number));
            }
        }
    }
    none(&wrong);
}

#[test]
fn forbidden_words_are_found_whole_and_outside_of_code() {
    let found = |text: &str| forbidden(&prose(text));
    assert_eq!(found("Workers tell nobody, and go on."), ["tell", "nobody", "go on"]);
    assert_eq!(found("The `callback` of its `Name`; a storyteller, an error budget."), [""; 0]);
    assert_eq!(found("[a page](tell.md) of the Name"), ["the Name"]);
}
