//! The modules of `ferry-types` and `ferry`, in the order of their layers, with their first sentences.

use super::pages::root;
use super::render::table;

/// Each crate that is described by modules, lowest first.
const CRATES: &[&str] = &["crates/ferry-types/src", "src"];

/// One row for each module that a `lib.rs` declares, in its order.
pub(crate) fn modules() -> String {
    let read = |path: &str| std::fs::read_to_string(root(path));
    let rows = CRATES.iter().flat_map(|folder| {
        let lib = read(&format!("{folder}/lib.rs")).expect("a crate has it");
        let names: Vec<String> = lib.lines().filter_map(declared).map(str::to_owned).collect();
        names.into_iter().map(move |name| {
            let paths = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")];
            let text = paths.iter().find_map(|path| read(path).ok()).expect("it has a file");
            vec![format!("`{name}`"), first_sentence(&text)]
        })
    });
    table(&["module", "contents"], rows)
}

/// The module that a line declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line);
    rest.strip_prefix("mod ")?.strip_suffix(';')
}

/// The first sentence of the documentation of a file.
fn first_sentence(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ").replace("[`", "`").replace("`]", "`");
    let sentence = paragraph.split(". ").next().unwrap_or_default();
    format!("{}.", sentence.trim_end_matches('.'))
}

#[test]
fn a_module_is_described_by_its_first_sentence() {
    assert_eq!(declared("pub mod pace;"), Some("pace"));
    assert_eq!(declared("mod pace;"), Some("pace"));
    assert_eq!(declared("mod pace {"), None);
    let text = "//! Looks at [`a::b`], which\n//! is long. And more.\n//!\n//! Else.\nuse x;\n";
    assert_eq!(first_sentence(text), "Looks at `a::b`, which is long.");
}
