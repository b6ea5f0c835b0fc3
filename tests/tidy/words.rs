//! Holds documents, comments and the texts that users see to the words of Ferry: which ones are not
//! used, how a doc comment begins, the spelling, and the width of Markdown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use super::prose::{Prose, Scope, prose_of};
use super::tokens::{Token, tokens};
use super::{files, none, root, rust_files, shown};

const EVERYWHERE: &[Scope] = &[Scope::Docs, Scope::Comments, Scope::Texts];
const FOR_USERS: &[Scope] = &[Scope::Docs, Scope::Texts];

/// Each rule with where it holds, and phrases: words, of which one may be several by `/`, and one may
/// end in `*` for any ending. What begins with a capital is looked for with that capital alone.
const RULES: &[(&str, &[Scope], &[&str])] = &[
    ("tell", EVERYWHERE, &["tell/tells/told/telling"]),
    ("hear", EVERYWHERE, &["hear/hears/heard"]),
    ("whoever", EVERYWHERE, &["whoever/whom/somebody/nobody/everybody/anybody"]),
    ("hand over", EVERYWHERE, &["hand/hands/handed/handing over"]),
    ("go on", EVERYWHERE, &["goes/go on", "trying on"]),
    ("mend", EVERYWHERE, &["mend/mends/mended"]),
    ("vouch", EVERYWHERE, &["vouch/vouches/vouched"]),
    ("the door", EVERYWHERE, &["the door"]),
    ("anew", EVERYWHERE, &["anew"]),
    ("in doubt", EVERYWHERE, &["in doubt"]),
    ("deed", EVERYWHERE, &["deed/deeds"]),
    ("culprit", EVERYWHERE, &["culprit/culprits"]),
    ("there is no such", EVERYWHERE, &["there is no such"]),
    ("under way", EVERYWHERE, &["under way"]),
    ("gate", EVERYWHERE, &["gate/gates/gated"]),
    ("stage", EVERYWHERE, &["stage/stages"]),
    ("budget", EVERYWHERE, &["budget/budgets"]),
    ("refused", EVERYWHERE, &["refuse/refuses/refused/refusing/refusal/refusals"]),
    ("answer", FOR_USERS, &["answer/answers/answered/answering"]),
    ("carry", FOR_USERS, &["carry/carries/carried/carrying"]),
    ("kept", FOR_USERS, &["kept"]),
    ("fault", FOR_USERS, &["fault/faults"]),
    ("trouble", FOR_USERS, &["trouble/troubles"]),
    ("mistake", FOR_USERS, &["mistake/mistakes"]),
    ("tries", FOR_USERS, &["tries"]),
    ("callback", FOR_USERS, &["callback/callbacks"]),
    (
        "Name",
        EVERYWHERE,
        &["a/the/its/same/this/each/their/record's Name", "of one Name", "and Name"],
    ),
    (
        "spelling",
        EVERYWHERE,
        &["behaviour/colour*/licence/licences/practise/labelled/modelled/recognis*/travelling"],
    ),
];

/// The phrases of each rule, by words.
static PHRASES: LazyLock<Vec<Vec<Vec<&str>>>> = LazyLock::new(|| {
    let words = |phrases: &[&'static str]| phrases.iter().map(|p| p.split(' ').collect()).collect();
    RULES.iter().map(|(.., phrases)| words(phrases)).collect()
});

/// Phrases that a rule does not mean. The second is what the operating system says, the next two are names that
/// the crates `redis` and `h2` have, and the last is a type.
const ALLOWED: &[&str] =
    &["error budget", "connection refused", "connection refusal", "refused stream", "Same Name"];

/// First words that no doc comment has, and those that only a whole sentence has.
const NO_BEGINNING: &[&str] = &["What", "Whether", "Who", "Whose", "Whom", "How", "Where"];
const OF_SENTENCES: &[&str] = &["When", "Which", "Why"];

/// Prose in Markdown, in characters.
const WIDTH: usize = 100;

#[test]
fn the_words_of_the_language_are_used() {
    let mut wrong = Vec::new();
    for path in files(&[root("")]) {
        let name = shown(&path);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        // These name the words; build output is no prose.
        let names_them = ["tests/tidy/words.rs", "docs/developing/language.md"];
        if names_them.contains(&name.as_str()) || name.contains("/target/") {
            continue;
        }
        for prose in prose_of(Path::new(&name), &text) {
            let text = &prose.text;
            wrong.extend(breaches(&prose).iter().map(|rule| format!("{name}: `{rule}`: {text}")));
        }
    }
    if !wrong.is_empty() {
        wrong.push("docs/developing/language.md has the words to use".to_owned());
    }
    none(&wrong);
}

#[test]
fn names_in_code_have_the_words_too() {
    assert!(is_wrong_name("is_told_so") && is_wrong_name("Telling") && is_wrong_name("it_goes_on"));
    assert!(is_wrong_name("GateState") && is_wrong_name("WriteRefused"));
    assert!(!is_wrong_name("retold") && !is_wrong_name("go_one"));
    assert!(!is_wrong_name("connection_refused_is_transient"));
    // Most names stand in many places, and each is read once.
    let mut places = BTreeMap::new();
    for (path, code) in rust_files(&["src", "crates", "tests", "benches", "fuzz"]) {
        for token in tokens(&code) {
            if let Token::Word(name) = token {
                places.entry(name).or_insert_with(|| path.clone());
            }
        }
    }
    places.retain(|name, _| is_wrong_name(name));
    let wrong = places.iter().map(|(name, path)| format!("{path}: `{name}`"));
    none(&wrong.collect::<Vec<_>>());
}

/// A name is read as a comment: its parts are words.
fn is_wrong_name(name: &str) -> bool {
    let mut words = String::new();
    for char in name.chars() {
        let begins = char.is_uppercase() && words.ends_with(char::is_lowercase);
        words.extend(begins.then_some(' '));
        words.push(if char == '_' { ' ' } else { char });
    }
    !breaches(&Prose::new(Scope::Comments, &words)).is_empty()
}

#[test]
fn a_hint_begins_with_what_to_do() {
    let mut wrong = Vec::new();
    for (path, code) in rust_files(&["src", "crates"]) {
        let tokens = tokens(&code);
        wrong.extend(odd_hints(&tokens).map(|hint| format!("{path}: {hint}")));
    }
    none(&wrong);
    let odd = |code: &str| odd_hints(&tokens(code)).count();
    assert_eq!(
        odd("e.hint(\"`ferry list` shows all\"); hint(format!(\"`ferry {a}` does it\"))"),
        2
    );
    assert_eq!(odd("e.hint(\"list all: `ferry list`\"); hint: \"An id\", hint(&text)"), 1);
}

/// Texts of hints that begin with a command or a name, and not with a verb. The command follows the verb.
fn odd_hints(tokens: &[Token]) -> impl Iterator<Item = &str> {
    let hints = tokens.windows(6).filter(|part| part[0].is_word("hint"));
    let texts = hints.filter_map(|part| {
        let is_open =
            |token: &Token| ['(', ':', '&', '!', '='].iter().any(|sign| token.is_sign(*sign));
        let mut behind = part[1..].iter().skip_while(|one| is_open(one) || one.is_word("format"));
        match behind.next() {
            Some(Token::Text(text)) => Some(text.as_str()),
            _ => None,
        }
    });
    texts.filter(|text| !text.starts_with(|first: char| first.is_ascii_lowercase()))
}

#[test]
fn a_rule_finds_whole_words_and_endings_and_leaves_out_what_is_meant() {
    let hits = |scope, text: &str| breaches(&Prose::new(scope, text));
    assert_eq!(hits(Scope::Docs, "It tells whom it Told."), ["tell", "tell", "whoever"]);
    assert_eq!(hits(Scope::Comments, "handing\nover, retold"), ["hand over"]);
    assert_eq!(hits(Scope::Docs, "an error budget, and a budget"), ["budget"]);
    assert_eq!(hits(Scope::Texts, "Connection refused, and refused"), ["refused"]);
    assert_eq!(hits(Scope::Docs, "the Name of the name"), ["Name"]);
    assert_eq!(hits(Scope::Comments, "colours were kept"), ["spelling"]);
    assert_eq!(hits(Scope::Texts, "kept, `told`"), ["kept"]);
    assert_eq!(hits(Scope::Docs, &"wide ".repeat(30)), ["width"]);
}

#[test]
fn a_doc_comment_begins_with_no_question_word() {
    let hit = |text: &str| begins_badly(text);
    assert!(hit("Whether it is.") && hit("When it ends.") && hit("What\nit is"));
    assert!(!hit("When it ends, it is gone.") && !hit("True if it is.") && !hit("Whatever."));
}

/// The rules that a text breaks, once for each time.
fn breaches(prose: &Prose) -> Vec<&'static str> {
    let words = prose.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut found = Vec::new();
    for ((rule, scopes, _), phrases) in RULES.iter().zip(&*PHRASES) {
        if !scopes.contains(&prose.scope) || (*rule == "fault" && prose.is_of_simulator) {
            continue;
        }
        for at in 0..words.len() {
            let hit = phrases.iter().any(|phrase| is_phrase(phrase, &words[at..]));
            let is_meant = ALLOWED.iter().any(|allowed| {
                let allowed: Vec<&str> = allowed.split(' ').collect();
                let begins = |at: usize| is_phrase(&allowed, &words[at..]);
                begins(at) || at > 0 && begins(at - 1)
            });
            if hit && !is_meant {
                found.push(*rule);
            }
        }
    }
    if prose.is_doc && begins_badly(&prose.text) {
        found.push("first word");
    }
    if prose.scope == Scope::Docs && prose.text.lines().any(is_too_wide) {
        found.push("width");
    }
    found
}

fn is_phrase(phrase: &[&str], words: &[&str]) -> bool {
    let fits = |(pattern, word): (&&str, &&str)| {
        pattern.split('/').any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => word.to_lowercase().starts_with(beginning),
            None if pattern.starts_with(char::is_uppercase) => *word == pattern,
            None => word.eq_ignore_ascii_case(pattern),
        })
    };
    words.len() >= phrase.len() && phrase.iter().zip(words).all(fits)
}

fn begins_badly(text: &str) -> bool {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let first = paragraph.split_whitespace().next().unwrap_or_default();
    let is_fragment = !paragraph.contains(',') && paragraph.trim_end().ends_with('.');
    NO_BEGINNING.contains(&first) || (OF_SENTENCES.contains(&first) && is_fragment)
}

/// Tables, headings and lines that are one link may be wider.
fn is_too_wide(line: &str) -> bool {
    let line = line.trim_end();
    let is_free = line.starts_with(['|', '#']);
    let item = line.trim_start_matches(['-', ' ']);
    let is_one_link = item.starts_with('[') && item.ends_with(')') && !item.contains(") ");
    let is_link = is_one_link || !item.contains(' ');
    !is_free && !is_link && line.chars().count() > WIDTH
}
