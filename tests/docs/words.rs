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
];

/// British spellings, taken apart so that no spelling check corrects the list itself.
const BRITISH: &[(&str, &str)] = &[
    ("behavi", "our"),
    ("col", "our"),
    ("col", "ours"),
    ("licen", "ce"),
    ("licen", "ces"),
    ("practi", "se"),
    ("label", "led"),
    ("model", "led"),
    ("recogni", "se"),
    ("recogni", "sed"),
    ("travel", "ling"),
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

fn forbidden(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace("error budget", "");
    let spaced = |text: &str| {
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        format!(" {} ", words.join(" "))
    };
    let (lower, exact) = (spaced(&lower), spaced(text));
    let british = BRITISH.iter().map(|(start, end)| format!("{start}{end}"));
    let words = FORBIDDEN.iter().chain(FORBIDDEN_PHRASES).map(|word| (*word).to_owned());
    let names = FORBIDDEN_NAMES.iter().map(|name| (*name).to_owned());
    let of = |text: &str, word: &String| text.contains(&format!(" {word} "));
    let found = words.chain(british).filter(|word| of(&lower, word));
    found.chain(names.filter(|name| of(&exact, name))).collect()
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
    assert_eq!(
        found("The `callback` of its `Name`; a storyteller, an error budget."),
        Vec::<String>::new()
    );
    assert_eq!(found("[a page](tell.md) of the Name"), ["the Name"]);
    assert_eq!(found(&format!("its {}our", "behavi")).len(), 1);
}
