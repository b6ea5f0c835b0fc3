//! The pages of the documentation, and their lines as a reader sees them.

use std::path::{Path, PathBuf};

/// A Markdown page.
pub(crate) struct Page {
    /// Path from the root of the repository.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line of a page with the kind that its place gives it.
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) is_code: bool,
}

impl Page {
    pub(crate) fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root(path));
        Self { path: path.into(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
    }

    /// All lines. Fences with their two ends are code, and so are indented blocks.
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        let (mut in_fence, mut may_indent) = (false, true);
        let mut lines = Vec::new();
        for (at, text) in self.text.lines().enumerate() {
            let is_fence = text.trim_start().starts_with("```");
            let is_indented = may_indent && !in_fence && text.starts_with("    ");
            let is_code = in_fence || is_fence || is_indented;
            // An indented line belongs to a paragraph, unless an empty line is before it.
            may_indent = text.is_empty() || is_indented;
            in_fence ^= is_fence;
            lines.push(Line { number: at + 1, text, is_code });
        }
        lines
    }

    /// The contents of all backticks outside of fences.
    pub(crate) fn inline_code(&self) -> Vec<&str> {
        let prose = self.lines().into_iter().filter(|line| !line.is_code);
        prose.flat_map(|line| line.text.split('`').skip(1).step_by(2)).collect()
    }

    /// The fences of a language, each without its two ends.
    pub(crate) fn fences(&self, language: &str) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut open = false;
        for line in self.lines().iter().filter(|line| line.is_code) {
            match line.text.strip_prefix("```") {
                Some(_) if open => open = false,
                Some(info) if info.split(' ').next() == Some(language) => {
                    open = true;
                    found.push((info.to_owned(), String::new()));
                }
                None if open => {
                    let (_, text) = found.last_mut().expect("it was opened");
                    *text += line.text;
                    text.push('\n');
                }
                // Another language, or an indented block.
                Some(_) | None => {}
            }
        }
        found
    }
}

/// Every page that these tests hold to account.
pub(crate) fn all() -> Vec<Page> {
    let mut paths: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md", "examples/README.md"]
            .map(str::to_owned)
            .into();
    paths.extend(files("docs"));
    paths.extend(files("deploy"));
    paths.retain(|path| is_page(path));
    paths.iter().map(|path| Page::read(path)).collect()
}

/// True for Markdown.
pub(crate) fn is_page(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|kind| kind == "md")
}

/// All files below a folder, in a fixed order.
pub(crate) fn files(folder: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root(folder)) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry.expect("it can be read"))).collect();
    names.sort();
    let mut found = Vec::new();
    for path in names.iter().map(|name| format!("{folder}/{name}")) {
        if root(&path).is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
