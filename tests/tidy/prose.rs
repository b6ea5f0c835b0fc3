//! The prose of the repository: documents, comments, and the texts that users see.

use std::path::Path;

use super::tokens::{block_comment, character, raw, string};

/// Kind of a text, by its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Markdown.
    Docs,
    /// Comments in code and in configuration.
    Comments,
    /// Help, messages, alerts and dashboards; documentation of the program, much of which is help.
    Texts,
}

/// A paragraph, a comment, or a literal.
#[derive(Debug)]
pub(super) struct Prose {
    pub(super) scope: Scope,
    pub(super) text: String,
    /// True of the documentation of an item.
    pub(super) is_doc: bool,
    /// True in the simulator, which has faults by that name.
    pub(super) is_of_simulator: bool,
}

impl Prose {
    pub(super) fn new(scope: Scope, text: &str) -> Self {
        Self { scope, text: text.to_owned(), is_doc: false, is_of_simulator: false }
    }

    /// Its words; each piece of code in backticks is one word, a backtick.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (at, part) in self.text.split('`').enumerate() {
            if at % 2 == 1 {
                words.push("`".to_owned());
                continue;
            }
            let parts = part.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '\''));
            words.extend(parts.filter(|word| !word.is_empty()).map(str::to_owned));
        }
        words
    }
}

/// The prose of one file.
pub(super) fn prose_of(path: &Path, text: &str) -> Vec<Prose> {
    let name = path.to_str().unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let mut found = match extension {
        "md" => paragraphs(text),
        "rs" => of_rust(text, is_shipped(name)),
        "lua" | "sql" => comments(text, "--"),
        "html" => texts_of_html(text),
        "js" | "mjs" | "ts" => comments(text, "//"),
        "py" | "sh" | "toml" | "yml" | "yaml" | "service" | "conf" | "env" => comments(text, "#"),
        // Scripts and recipes have no ending.
        "" if text.starts_with("#!") || name.ends_with("file") => comments(text, "#"),
        _ => Vec::new(),
    };
    match name {
        "dashboards/generate.py" => found.extend(literals(text)),
        "deploy/prometheus/alerts.yml" => {
            let summaries = text.lines().filter_map(|line| line.trim().strip_prefix("summary: "));
            found.extend(summaries.map(|summary| Prose::new(Scope::Texts, summary)));
        }
        _ => {}
    }
    let simulator = name.starts_with("crates/ferry-sim/");
    for prose in &mut found {
        prose.is_of_simulator = simulator;
    }
    found
}

/// True of what is in the program, not in its tests.
fn is_shipped(name: &str) -> bool {
    let in_sources = name.starts_with("src/") || name.contains("/src/");
    in_sources && !name.contains("/tests") && !name.starts_with("crates/ferry-testing/")
}

/// Markdown without its code.
fn paragraphs(text: &str) -> Vec<Prose> {
    let (mut found, mut lines, mut fenced) = (Vec::new(), Vec::new(), false);
    for line in text.lines().chain([""]) {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence || line.starts_with("    ") || line.trim().is_empty() {
            found.push(Prose::new(Scope::Docs, &lines.join("\n")));
            lines.clear();
        } else {
            lines.push(line);
        }
    }
    found
}

/// Texts that a template shows: those between its tags, without expressions and comments.
fn texts_of_html(text: &str) -> Vec<Prose> {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['<', '{']) {
        let ends =
            [("<!--", "-->"), ("{{", "}}"), ("{%", "%}"), ("{#", "#}"), ("<", ">"), ("{", "{")];
        let begins = |(start, _): &(&str, &str)| rest[at..].starts_with(start);
        let (start, end) = ends.into_iter().find(begins).expect("one of them was found");
        shown += &rest[..at];
        shown.push('\n');
        rest = &rest[at + start.len()..];
        if start != "{" {
            rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
        }
    }
    shown += rest;
    shown.lines().map(|line| Prose::new(Scope::Texts, line.trim())).collect()
}

/// The comments of a language in which they go to the end of the line; those that follow one another
/// are one.
fn comments(text: &str, mark: &str) -> Vec<Prose> {
    let (mut found, mut lines) = (Vec::new(), Vec::new());
    for line in text.lines().chain([""]) {
        // A comment before a function of Lua documents it, as the first one of a file does the file.
        let (is_first, is_of_function) = (found.is_empty(), line.starts_with("local function "));
        let whole = line.trim_start().strip_prefix(mark);
        let behind = line.find(&format!(" {mark} ")).map(|at| &line[at + 1 + mark.len()..]);
        match (whole, behind) {
            (Some(comment), _) => lines.push(comment.trim()),
            (None, Some(comment)) => found.push(Prose::new(Scope::Comments, comment)),
            (None, None) => {
                let is_doc = mark == "--" && (is_first || is_of_function);
                found.push(Prose { is_doc, ..Prose::new(Scope::Comments, &lines.join("\n")) });
                lines.clear();
            }
        }
    }
    found
}

/// The literals of a line of Python that are more than a word.
fn literals(text: &str) -> Vec<Prose> {
    let all = text.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    all.filter(|text| text.contains(' ')).map(|text| Prose::new(Scope::Texts, text)).collect()
}

/// Comments and, of what is shipped, literals that are more than a word; those of tests are left out.
fn of_rust(code: &str, is_shipped: bool) -> Vec<Prose> {
    let mut found = Vec::new();
    let shipped = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    let literal = |text: &str, rest: &str| {
        let is_text = is_shipped && code.len() - rest.len() < shipped && is_for_people(text);
        is_text.then(|| Prose::new(Scope::Texts, &text.replace("\\n", "\n")))
    };
    let (mut rest, mut comment) = (code, Comment { is_shipped, ..Comment::default() });
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            comment.add(&rest[..length], &mut found);
            length
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            let length = string(rest);
            found.extend(literal(&rest[1..length - 1], rest));
            length
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let length = length.unwrap_or(rest.len());
            let raw = matches!(&rest[..length], "r" | "br" | "cr").then(|| raw(&rest[length..]));
            raw.flatten().map_or(length, |(_, more)| length + more)
        } else {
            first.len_utf8()
        };
        if !rest.starts_with("//") && !rest.starts_with(char::is_whitespace) {
            comment.end(&mut found);
        }
        rest = &rest[length..];
    }
    comment.end(&mut found);
    found
}

/// True of a literal that is neither a name nor SQL.
fn is_for_people(text: &str) -> bool {
    const SQL: [&str; 10] = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "PRAGMA",
        "SAVEPOINT",
        "RELEASE",
        "ROLLBACK",
    ];
    text.contains(' ') && !SQL.iter().any(|word| text.trim_start().starts_with(word))
}

/// Lines of one kind that follow one another.
#[derive(Default)]
struct Comment {
    is_shipped: bool,
    mark: &'static str,
    lines: Vec<String>,
}

impl Comment {
    fn add(&mut self, line: &str, found: &mut Vec<Prose>) {
        let mark = ["///", "//!", "//"].into_iter().find(|mark| line.starts_with(mark));
        let mark = mark.unwrap_or("//");
        if mark != self.mark {
            self.end(found);
        }
        self.mark = mark;
        self.lines.push(line[mark.len()..].trim().to_owned());
    }

    fn end(&mut self, found: &mut Vec<Prose>) {
        if !self.lines.is_empty() {
            let is_doc = self.mark != "//";
            let scope = if is_doc && self.is_shipped { Scope::Texts } else { Scope::Comments };
            let prose = Prose { is_doc, ..Prose::new(scope, &self.lines.join("\n")) };
            found.push(prose);
            self.lines.clear();
        }
    }
}

#[test]
fn comments_and_texts_are_distinguished_from_code() {
    let code =
        "//! One\n//! two.\nfn tell() { let c = '\"'; warn!(\"no {tell}, \\\n    no\"); } // so\n";
    let found = of_rust(code, true);
    let texts: Vec<(Scope, &str)> = found.iter().map(|p| (p.scope, p.text.as_str())).collect();
    assert_eq!(
        texts,
        [
            (Scope::Texts, "One\ntwo."),
            (Scope::Texts, "no {tell}, \\\n    no"),
            (Scope::Comments, "so")
        ]
    );
    assert!(found[0].is_doc && !found[2].is_doc);
    let words = Prose::new(Scope::Docs, "the `code of it` here").words();
    assert_eq!(words, ["the", "`", "here"]);
}

#[test]
fn a_template_shows_what_is_between_its_tags() {
    let found =
        texts_of_html("<p class=\"tell\">One {{ tell }} two.{# tell #}</p>{% if tell %}Three");
    let texts: Vec<&str> =
        found.iter().map(|p| p.text.as_str()).filter(|t| !t.is_empty()).collect();
    assert_eq!(texts, ["One", "two.", "Three"]);
}

#[test]
fn code_in_documents_is_no_prose() {
    let found = paragraphs("One\ntwo.\n\n```\ntell\n```\n    tell\nThree.\n");
    let texts: Vec<&str> =
        found.iter().map(|p| p.text.as_str()).filter(|t| !t.is_empty()).collect();
    assert_eq!(texts, ["One\ntwo.", "Three."]);
}
