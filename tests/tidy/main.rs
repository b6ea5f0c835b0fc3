//! Holds the repository to its own rules: it reads the sources and the documents, and runs nothing.

mod cycles;
mod dependencies;
mod prose;
mod templates;
mod tokens;
mod waits;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ferry::config::settings::{ACCOUNT_SETTINGS, SETTINGS, Setting};
use ferry::config::{Config, Sources};
use tokens::{Token, texts, tokens};

/// The longest source file, in lines. Above 300 there should be a reason to be that long.
const LONGEST: usize = 500;

/// The longest function outside tests, in lines with its signature. Above 40 it should be a flat list.
const LONGEST_FUNCTION: usize = 54;

/// Files under `tests/` that may sleep, each with the reason.
const SLEEPERS: &[(&str, &str)] = &[
    ("crates/ferry-testing/src/waiting.rs", "between two looks at a condition"),
    ("tests/histories/time.rs", "in virtual time, which passes at once"),
];

#[test]
fn a_module_refers_only_to_modules_above_it() {
    let mut wrong = Vec::new();
    for package in packages() {
        let sources = format!("{package}src/");
        let order = modules(&read(&format!("{sources}lib.rs")));
        for (path, text) in rust_files(&[&sources]) {
            let Some(place) = module_path(&path, &sources) else { continue };
            let Some(own) = order.iter().position(|module| *module == place[0]) else {
                wrong.push(format!("{path}: lib.rs does not declare `{}`", place[0]));
                continue;
            };
            for target in references(&tokens(&text), place.len()) {
                // What is no module is an item of lib.rs itself.
                let other = order.iter().position(|module| *module == target);
                if other.is_some_and(|other| other > own) {
                    wrong.push(format!("{path}: `{target}` stands below `{}`", place[0]));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn a_crate_needs_no_more_of_ours_than_the_design_says() {
    let needs = |package: &str| -> BTreeSet<String> {
        let manifest = read(&format!("{package}Cargo.toml"));
        let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
        let lines = dependencies.lines().take_while(|line| !line.starts_with('['));
        let names = lines.filter_map(|line| line.split(['.', ' ']).next());
        names.filter(|name| name.starts_with("ferry")).map(str::to_owned).collect()
    };
    let packages = packages().into_iter().chain(["tests/histories/".to_owned()]);
    let found = packages.map(|package| (needs(&package), package));
    let found: BTreeMap<String, BTreeSet<String>> =
        found.map(|(needs, name)| (name, needs)).collect();
    let allowed = [
        ("", &["ferry-client", "ferry-sim", "ferry-store", "ferry-types"][..]),
        ("crates/ferry-client/", &["ferry-types"]),
        ("crates/ferry-sim/", &[]),
        ("crates/ferry-store/", &["ferry-types"]),
        ("crates/ferry-testing/", &[]),
        ("crates/ferry-types/", &[]),
        ("tests/histories/", &[]),
    ];
    let allowed = allowed.map(|(package, names)| {
        (package.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())
    });
    assert_eq!(found, BTreeMap::from(allowed));
}

#[test]
fn the_layer_rule_sees_every_way_to_refer_to_a_module() {
    let seen = |text: &str, depth| -> Vec<String> { references(&tokens(text), depth) };
    assert_eq!(seen("use crate::store::Store;", 1), ["store"]);
    assert_eq!(
        seen("use crate::{clock::Clock, sim, store::{a, b::{c, d}}};", 1),
        ["clock", "sim", "store"]
    );
    assert_eq!(seen("let app = crate::app::App::open(c);", 2), ["app"]);
    assert_eq!(seen("use super::sim::Sim;", 1), ["sim"]);
    assert_eq!(seen("use super::sim::Sim;", 2), [""; 0]);
    assert_eq!(seen("use super::super::sim::Sim;", 2), ["sim"]);
    assert_eq!(seen("use super::{policy, super::{sim, cli::Ui}};", 2), ["sim", "cli"]);
    assert_eq!(
        seen("mod tests { use super::super::sim::Sim; } use super::app;", 1),
        ["sim", "app"]
    );
    assert_eq!(
        seen("// crate::app\n/// [`crate::app`]\nlet a = \"crate::app\"; pub(crate) b", 1),
        [""; 0]
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |(path, text): (String, String)| (!text.starts_with("//! ")).then_some(path);
    let wrong: Vec<String> =
        rust_files(&["src", "crates", "tests", "benches"]).into_iter().filter_map(silent).collect();
    none(&wrong);
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long = |(path, text): (String, String)| {
        let lines = text.lines().count();
        (lines > LONGEST).then(|| format!("{path}: {lines} lines"))
    };
    let wrong: Vec<String> = rust_files(&["src", "crates"]).into_iter().filter_map(long).collect();
    none(&wrong);
}

#[test]
fn no_function_is_too_long_to_read() {
    let is_test = |path: &str| path.contains("/tests") || path.starts_with("crates/ferry-testing/");
    let mut wrong = Vec::new();
    for (path, text) in rust_files(&["src", "crates"]) {
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let long = functions(code).into_iter().filter(|(_, lines)| *lines > LONGEST_FUNCTION);
        let long = long.filter(|_| !is_test(&path));
        wrong.extend(long.map(|(name, lines)| format!("{path}: `{name}` has {lines} lines")));
    }
    none(&wrong);
}

#[test]
fn the_length_of_a_function_counts_from_its_signature_to_its_end() {
    let code = "\
pub(crate) fn one(
    a: u8,
) -> u8 {
    a
}
impl T for U {
    fn two(&self);
    async fn three(&self) {
        {
        }
    }
    fn four() {}
}";
    assert_eq!(functions(code), [("one", 5), ("two", 1), ("three", 4), ("four", 1)]);
}

#[test]
fn no_code_is_unsafe_and_no_test_is_ignored() {
    let mut wrong = Vec::new();
    for (path, text) in rust_files(&["src", "crates", "tests", "benches"]) {
        let tokens = tokens(&text);
        if tokens.iter().any(|token| token.is_word("unsafe")) {
            wrong.push(format!("{path}: unsafe code"));
        }
        if tokens.windows(2).any(|pair| pair[0].is_sign('[') && pair[1].is_word("ignore")) {
            wrong.push(format!("{path}: a test that is ignored"));
        }
    }
    none(&wrong);
}

#[test]
fn no_test_runs_a_program_that_it_wrote() {
    // While a test writes a file, a child of another test that is just being started holds it open
    // too, and the system runs no file that is open for writing ("Text file busy").
    let wrong: Vec<String> = rust_files(&["crates", "tests"])
        .into_iter()
        .filter(|(_, text)| tokens(text).iter().any(|token| token.is_word("0o755")))
        .map(|(path, _)| format!("{path}: makes a file executable; give it to `bash` instead"))
        .collect();
    none(&wrong);
}

#[test]
fn no_test_sleeps() {
    let mut wrong = Vec::new();
    let of_tests =
        |path: &str| path.contains("tests/") || path.starts_with("crates/ferry-testing/");
    for (path, text) in
        rust_files(&["crates", "tests"]).into_iter().filter(|(path, _)| of_tests(path))
    {
        let sleeps = tokens(&text).windows(3).any(|three| {
            // A method of that name waits for something: it is a function that only waits.
            !three[0].is_sign('.') && three[1].is_word("sleep") && three[2].is_sign('(')
        });
        let allowed = SLEEPERS.iter().any(|(file, _)| *file == path);
        match (sleeps, allowed) {
            (true, false) => wrong.push(format!("{path}: sleeps; wait for a condition instead")),
            (false, true) => wrong.push(format!("{path}: sleeps no more; strike it off the list")),
            _ => {}
        }
    }
    none(&wrong);
}

#[test]
fn the_pipeline_measures_time_with_the_clock_that_it_is_given() {
    let others = ["Instant", "tokio::time::", "std::thread::sleep"];
    let files = rust_files(&["src/pipeline", "src/platform", "crates/ferry-store/src/wakeups.rs"]);
    assert!(files.len() > 30);
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|(path, code)| {
            let used = others.iter().filter(|name| code.contains(*name));
            used.map(move |name| format!("{path}: `{name}`; take a `MonotonicClock`"))
        })
        .collect();
    none(&wrong);
}

#[test]
fn every_metric_that_is_named_exists() {
    let sources = files(&[root("src")]).into_iter().map(|path| read_if_text(&path));
    let declarations = sources.filter(|source| source.contains("\nmetrics! {\n"));
    let declared: BTreeSet<String> = declarations
        .flat_map(|source| {
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            texts(&tokens(code))
        })
        .flat_map(|text| metrics(&text))
        .collect();
    let exists = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let whole = parts.iter().find_map(|part| name.strip_suffix(part));
        let is_crate = root("crates").join(name.replace('_', "-")).is_dir();
        is_crate || declared.contains(name) || whole.is_some_and(|name| declared.contains(name))
    };
    let mut wrong = Vec::new();
    for path in files(&["dashboards", "deploy", "tests"].map(root)) {
        let (path, text) = (shown(&path), read_if_text(&path));
        // In code, what is not a text is a name of something else.
        let text = if is_rust(&path) { texts(&tokens(&text)).join(" ") } else { text };
        let unknown = metrics(&text).into_iter().filter(|name| !exists(name));
        wrong.extend(unknown.map(|name| format!("{path}: there is no metric `{name}`")));
    }
    assert!(!declared.is_empty(), "no module declares a metric");
    let dashboards = ["overview", "platform", "workers"];
    let dashboards = dashboards.map(|name| read(&format!("dashboards/{name}.json"))).concat();
    let unseen = declared.iter().filter(|name| !dashboards.contains(name.as_str()));
    wrong.extend(unseen.map(|name| format!("no panel shows `{name}`")));
    none(&wrong);
}

#[test]
fn the_example_configuration_lists_every_setting_and_can_be_loaded() {
    let example = read("examples/ferry.toml");
    let expected = example_configuration();
    assert!(example == expected, "examples/ferry.toml needs to be:\n\n{expected}");
    load(&example).expect("as it is");
    let uncomment = |line| str::strip_prefix(line, '#').filter(is_toml).unwrap_or(line);
    let uncommented = example.lines().map(uncomment).collect::<Vec<&str>>().join("\n");
    // A secret that stands there whole would be used.
    let uncommented = uncommented.replace("whsec_...", &format!("whsec_{}", "A".repeat(32)));
    let config = load(&uncommented).expect("uncommented");
    assert_eq!(config.accounts.keys().collect::<Vec<_>>(), ["default"], "{uncommented}");
}

// What the rules are made of.

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

/// The folders of the packages, as the paths of their files begin.
fn packages() -> Vec<String> {
    let crates = std::fs::read_dir(root("crates")).expect("there are crates");
    let crates = crates.map(|entry| entry.expect("it can be read").path());
    let mut found: Vec<String> = crates.map(|path| format!("{}/", shown(&path))).collect();
    found.push(String::new());
    found
}

/// Names and lengths of the functions in code as rustfmt leaves it: each ends where its first line begins.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let start = line.trim_start();
        let (before, after) = match start.split_once("fn ") {
            Some(parts) if !start.starts_with("//") => parts,
            _ => continue,
        };
        let is_item = before.split_whitespace().all(|word| {
            matches!(word, "async" | "const") || word.starts_with("pub") || word.ends_with(')')
        });
        let name = after.split(['(', '<']).next().unwrap_or_default();
        if !is_item || name.is_empty() {
            continue;
        }
        let indent = &line[..line.len() - start.len()];
        let is_end = |line: &&str| {
            let inner = line.strip_prefix(indent).unwrap_or_default();
            !inner.starts_with(' ') && inner.ends_with(['}', ';'])
        };
        let length = lines[at..].iter().position(is_end).unwrap_or(lines.len() - at);
        found.push((name, length + 1));
    }
    found
}

/// The modules that `lib.rs` declares, in its order.
fn modules(lib: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(name).collect()
}

/// `src/a/b.rs` is `a::b`; what stands beside the modules is in none.
fn module_path(path: &str, sources: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix(sources)?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let beside = matches!(path, "lib" | "main");
    (!beside).then(|| path.split('/').map(str::to_owned).collect())
}

/// The modules of the crate's root that code refers to, which lies `depth` modules below the root.
fn references(tokens: &[Token], depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    // One entry for each open brace: whether it is that of a module.
    let mut braces: Vec<bool> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Sign('{') => braces.push(at >= 2 && tokens[at - 2].is_word("mod")),
            Token::Sign('}') => drop(braces.pop()),
            token if token.is_word("crate") || token.is_word("super") => {
                let inner = braces.iter().filter(|is_module| **is_module).count();
                at = follow(tokens, at, depth + inner, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Follows a path, or a tree of them, from a module that lies `above` modules below the root;
/// answers where it ends.
fn follow(tokens: &[Token], mut at: usize, mut above: usize, found: &mut Vec<String>) -> usize {
    loop {
        match tokens.get(at) {
            Some(token) if token.is_word("crate") && is_path(tokens, at) => above = 0,
            Some(token) if token.is_word("super") && is_path(tokens, at) => {
                above = above.saturating_sub(1);
            }
            Some(Token::Sign('{')) => {
                at += 1;
                while tokens.get(at).is_some_and(|token| !token.is_sign('}')) {
                    at = follow(tokens, at, above, found);
                    at = end_of_branch(tokens, at);
                }
                return at + 1;
            }
            Some(Token::Word(name)) if above == 0 && !matches!(&**name, "crate" | "self") => {
                found.push(name.clone());
                return at + 1;
            }
            _ => return at + 1,
        }
        at += 3;
    }
}

fn is_path(tokens: &[Token], at: usize) -> bool {
    let sign = |at: usize| tokens.get(at).is_some_and(|token| token.is_sign(':'));
    sign(at + 1) && sign(at + 2)
}

/// Behind the comma, or at the brace, that ends a branch of a tree of paths.
fn end_of_branch(tokens: &[Token], mut at: usize) -> usize {
    let mut open = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Sign('{') => open += 1,
            Token::Sign('}') if open == 0 => return at,
            Token::Sign('}') => open -= 1,
            Token::Sign(',') if open == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// All words that look like the name of a metric.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_metric = |word: &&str| word.len() > 6 && word.starts_with("ferry_");
    words.filter(is_metric).map(str::to_owned).collect()
}

fn description(setting: &Setting) -> String {
    let (name, description) = (setting.name, setting.description);
    if setting.secret {
        format!("{description}; or its file, as `{name}_file`")
    } else {
        description.into()
    }
}

/// `examples/ferry.toml`: prose after `# `, settings after `#`.
fn example_configuration() -> String {
    let mut text = "\
# All settings of Ferry with their defaults. Ferry reads `ferry.toml` in the folder that it is started
# in, or the file that `--config` or FERRY_CONFIG names. The environment goes before this file, and
# `--set name=value` before both. To change a setting, take the `#` before it away.
"
    .to_owned();
    for setting in SETTINGS {
        let default = setting.default;
        let is_number = default.parse::<u64>().is_ok();
        let value = if is_number { default.to_owned() } else { format!("\"{default}\"") };
        let _ = write!(text, "\n# {}\n#{} = {value}\n", description(setting), setting.name);
    }
    text += "\n# The account that FERRY_TOKEN_URL and the like speak of too. More accounts are more tables, such as\n\
             # [accounts.north]; submissions name theirs with `--account`.\n#[accounts.default]\n";
    for setting in ACCOUNT_SETTINGS {
        let value = match setting.name {
            "token_url" => "https://identity.example.com/connect/token",
            "api_url" => "https://api.example.com/upload",
            "client_id" => "acme",
            "webhook_url" => "https://hooks.example.com/ferry",
            "webhook_secret" | "webhook_secret_old" => "whsec_...",
            _ if setting.secret => "...",
            _ => setting.default,
        };
        let _ = write!(text, "\n# {}\n#{} = \"{value}\"\n", description(setting), setting.name);
    }
    text
}

fn is_toml(line: &&str) -> bool {
    line.starts_with('[') || line.starts_with(|c: char| c.is_ascii_lowercase())
}

fn load(text: &str) -> Result<Config, String> {
    let file = Some((PathBuf::from("ferry.toml"), text.to_owned()));
    let sources = Sources { file, env: BTreeMap::new(), flags: Vec::new() };
    Config::load(&sources).map_err(|errors| errors.to_string())
}

// Files.

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root("")).unwrap_or(path).display().to_string()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Empty for what is not a text.
fn read_if_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let folders: Vec<PathBuf> = folders.iter().map(|folder| root(folder)).collect();
    let all = files(&folders).into_iter().map(|path| (shown(&path), read_if_text(&path)));
    let found: Vec<(String, String)> = all.filter(|(path, _)| is_rust(path)).collect();
    assert!(!found.is_empty(), "there is no Rust file in {folders:?}");
    found
}

/// All files in these places that belong to the repository, in a fixed order.
fn files(places: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        let foreign = [".git", "target"].iter().any(|name| place.ends_with(name));
        if place.is_dir() && !foreign {
            let entries = std::fs::read_dir(place).expect("it is a folder");
            let mut inner: Vec<PathBuf> =
                entries.map(|entry| entry.expect("it can be read").path()).collect();
            inner.sort();
            found.extend(files(&inner));
        } else if place.is_file() && !foreign {
            found.push(place.clone());
        }
    }
    found
}
