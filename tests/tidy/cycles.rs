//! No cycle between the files of a package: a file can be read without those that use it.
//!
//! A file refers to another by a path that leads into it. What a module only takes over from another
//! (`pub use`) is looked for where it is.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, tokens};
use super::{module_path, none, packages, rust_files};

/// References that close a cycle and are to go; the list may only become shorter.
const ALLOWED: &[(&str, &str)] = &[];

type Place = Vec<String>;

/// A file as far as it matters here.
struct File {
    path: String,
    tokens: Vec<Token>,
    /// The modules that it declares.
    children: BTreeSet<String>,
    /// Names that it can use, with the place of each.
    names: BTreeMap<String, Place>,
}

#[test]
fn the_files_of_a_package_refer_to_each_other_in_no_cycle() {
    let mut wrong = Vec::new();
    let mut closing: BTreeSet<(&str, &str)> = ALLOWED.iter().copied().collect();
    for package in packages() {
        let sources = format!("{package}src/");
        let mut edges = edges(&files(rust_files(&[&sources]), &sources));
        for (from, to) in ALLOWED {
            let known = edges.get_mut(*from).is_some_and(|targets| targets.remove(*to));
            if known && reaches(&edges, to, from) {
                closing.remove(&(*from, *to));
            }
        }
        for (from, targets) in &edges {
            let back = targets.iter().filter(|to| reaches(&edges, to, from));
            wrong.extend(back.map(|to| format!("{from} refers to {to}, and that to it")));
        }
    }
    wrong.extend(closing.iter().map(|(from, to)| format!("{from}, {to}: strike it off the list")));
    none(&wrong);
}

#[test]
fn the_cycle_rule_finds_a_file_by_every_path_that_leads_into_it() {
    let found = |texts: &[(&str, &str)]| -> Vec<String> {
        let texts = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let edges = edges(&files(texts.collect(), "src/"));
        let all = edges.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
        all.map(|(from, to)| format!("{from} > {to}")).collect()
    };
    let (lib, b) = (("src/lib.rs", "mod a; mod b;"), ("src/b.rs", "pub struct B;"));
    for text in [
        "use crate::b::B;",
        "use crate::{b::{self, B}};",
        "use super::b;",
        "fn f() { super::b::f(); }",
        "mod tests { use super::super::b::B; }",
    ] {
        assert_eq!(found(&[lib, b, ("src/a.rs", text)]), ["src/a.rs > src/b.rs"], "{text}");
    }
    let a = ("src/a.rs", "use crate::C; pub(in crate::b) fn f() {}");
    let over = ("src/lib.rs", "mod a; mod b; pub use b::B as C;");
    assert_eq!(found(&[over, a, b]), ["src/a.rs > src/b.rs", "src/lib.rs > src/b.rs"]);
    let own = ("src/lib.rs", "mod a; mod b; struct C;");
    assert_eq!(found(&[own, a, b]), ["src/a.rs > src/lib.rs"]);
    let child = ("src/a/mod.rs", "mod c; fn f() { c::g(); self::c::g(); }");
    assert_eq!(found(&[lib, child, ("src/a/c.rs", "")]), ["src/a/mod.rs > src/a/c.rs"]);
}

fn files(texts: Vec<(String, String)>, sources: &str) -> BTreeMap<Place, File> {
    let mut files = BTreeMap::new();
    for (path, text) in texts {
        if path == format!("{sources}main.rs") {
            continue;
        }
        let place = module_path(&path, sources).unwrap_or_default();
        let tokens = tokens(&text);
        let children = tokens.windows(3).filter_map(|three| match three {
            [module, Token::Word(name), Token::Sign(';')] if module.is_word("mod") => Some(name),
            _ => None,
        });
        let children = children.cloned().collect();
        let mut file = File { path, tokens, children, names: BTreeMap::new() };
        let names = paths(&file, &place).into_iter().filter_map(|(path, name)| Some((name?, path)));
        file.names = names.collect();
        files.insert(place, file);
    }
    files
}

/// References from each file to others.
fn edges(files: &BTreeMap<Place, File>) -> BTreeMap<String, BTreeSet<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (place, file) in files {
        let targets = paths(file, place).into_iter().filter_map(|(path, _)| file_of(files, &path));
        let others = targets.filter(|target| *target != file.path).map(str::to_owned);
        edges.entry(file.path.clone()).or_default().extend(others);
    }
    edges
}

/// Place of what `path` names, through modules that only re-export it.
fn file_of<'a>(files: &'a BTreeMap<Place, File>, path: &[String]) -> Option<&'a str> {
    let mut path = path.to_owned();
    loop {
        let depth = (0..=path.len()).rev().find(|depth| files.contains_key(&path[..*depth]))?;
        let file = &files[&path[..depth]];
        match path.get(depth).and_then(|name| file.names.get(name)) {
            Some(elsewhere) if !path.starts_with(elsewhere) => {
                path = [elsewhere, &path[depth + 1..]].concat();
            }
            _ => return Some(&file.path),
        }
    }
}

fn reaches(edges: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            open.extend(edges.get(file).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

/// The paths into the own package that a file writes, and the names that `use` gives to them.
fn paths(file: &File, place: &[String]) -> Vec<(Place, Option<String>)> {
    let tokens = &file.tokens;
    let mut found = Vec::new();
    // One entry for each open brace: the name of the module that it opens.
    let mut braces: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = |back: usize| at.checked_sub(back).map(|at| &tokens[at]);
        let inside = before(1).is_some_and(|token| token.is_sign(':') || token.is_sign('.'));
        let visibility = before(1).is_some_and(|token| token.is_word("in"))
            && before(2).is_some_and(|token| token.is_sign('('));
        match &tokens[at] {
            Token::Sign('{') => braces.push(match (before(2), before(1)) {
                (Some(module), Some(Token::Word(name))) if module.is_word("mod") => {
                    Some(name.clone())
                }
                _ => None,
            }),
            Token::Sign('}') => drop(braces.pop()),
            Token::Word(word) if !inside && !visibility => {
                let is_use = word == "use";
                let start = if is_use { at + 1 } else { at };
                if begins(file, start) {
                    let inner: Vec<String> = braces.iter().flatten().cloned().collect();
                    at = follow(tokens, start, [place, &inner].concat(), is_use, &mut found);
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// True if a path into the own package begins here.
fn begins(file: &File, at: usize) -> bool {
    let Some(Token::Word(word)) = file.tokens.get(at) else { return false };
    let own = matches!(&**word, "crate" | "super" | "self") || file.children.contains(word);
    own && super::is_path(&file.tokens, at)
}

/// Follows a path, or a tree of them, from a module; answers where it ends.
fn follow(
    tokens: &[Token],
    mut at: usize,
    mut path: Place,
    is_use: bool,
    found: &mut Vec<(Place, Option<String>)>,
) -> usize {
    loop {
        let continues = super::is_path(tokens, at);
        match tokens.get(at) {
            Some(Token::Sign('{')) if is_use => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !token.is_sign('}')) {
                    at = follow(tokens, at, path.clone(), is_use, found);
                    at = super::end_of_branch(tokens, at);
                }
                return at + 1;
            }
            Some(Token::Word(word)) => match &**word {
                "crate" => path.clear(),
                "super" => drop(path.pop()),
                "self" => {}
                name => path.push(name.to_owned()),
            },
            // A glob, or the arguments of a type.
            _ => {
                found.push((path, None));
                return at;
            }
        }
        if !continues {
            let name = match (tokens.get(at + 1), tokens.get(at + 2)) {
                (Some(renamed), Some(Token::Word(name))) if renamed.is_word("as") => Some(name),
                _ => path.last(),
            };
            let name = name.filter(|_| is_use).cloned();
            found.push((path, name));
            return at + 1;
        }
        at += 3;
    }
}
