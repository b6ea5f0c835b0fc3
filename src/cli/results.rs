//! `ferry results`: what the Platform made of a dataset.

use std::path::{Path, PathBuf};

use clap::Args;
use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::error::{CliError, Exit};
use super::files::save;
use super::follow::fetch;
use super::target::Target;
use super::ui::{Ui, write_bytes};
use crate::app::App;
use crate::content_type::media_type;
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::State;

/// Write the results of a submission to stdout, or to files.
///
/// With --json, each result is an object with its key, its content type, and its body or the file
/// that it went to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry results 01KDXB8W4S9ZT2M3Q5R7V1C6HY > table.csv
  ferry results 01KDXB8W4S9ZT2M3Q5R7V1C6HY -o march/     one file for each result key")]
pub(super) struct Results {
    #[command(flatten)]
    target: Target,
    /// The result; needed if there are several and no -o.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Write to this file, which is replaced, or, for several results, into this folder, where no file is.
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
}

impl Results {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let id = self.target.find(app.store.as_ref()).await?;
        let view = fetch(app.store.as_ref(), id).await?;
        let keys: Vec<String> = match &self.key {
            Some(key) => vec![key.clone()],
            None => view.results.iter().map(|stored| stored.key.clone()).collect(),
        };
        if view.results.is_empty() {
            return none(&view, app.clock.now());
        }
        let folder = self.output.as_deref().filter(|path| keys.len() > 1 || is_folder(path));
        if keys.len() > 1 && folder.is_none() && !(ui.json && self.output.is_none()) {
            return Err(CliError::usage(format!("submission {} has {} results", id, keys.len()))
                .hint(format!("name one with --key ({}), or a folder with -o", keys.join(", "))));
        }
        let all: Vec<&str> = view.results.iter().map(|stored| stored.key.as_str()).collect();
        for key in &keys {
            let content = app.store.content(id, key).await?.ok_or_else(|| {
                CliError::usage(format!("submission {id} has no result `{key}`"))
                    .hint(format!("list its results: `ferry status {id}`"))
            })?;
            let path = match (folder, &self.output) {
                (Some(folder), _) => Some(folder.join(file_name(key, &all, &content))),
                (None, path) => path.clone(),
            };
            match &path {
                Some(path) => save(path, folder.is_some(), &content.bytes, ui)?,
                None if ui.json => {}
                None => write_bytes(&content.bytes)?,
            }
            if ui.json {
                ui.object(&object(key, &content, path.as_deref()))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// With the body itself, unless that went to a file.
fn object(key: &str, content: &Content, path: Option<&Path>) -> Value {
    let mut object = json!({
        "key": key,
        "content_type": content.content_type,
        "bytes": content.bytes.len(),
    });
    let (name, value) = match (path, std::str::from_utf8(&content.bytes)) {
        (Some(path), _) => ("path", path.display().to_string()),
        (None, Ok(text)) => ("body", text.to_owned()),
        (None, Err(_)) => ("body_base64", BASE64.encode(&content.bytes)),
    };
    object[name] = value.into();
    object
}

fn none(view: &SubmissionView, now: ferry_types::domain::Timestamp) -> Result<Exit, CliError> {
    let (exit, hint) = match view.state {
        State::Rejected => (Exit::Rejected, format!("see why: `ferry feedback {}`", view.id)),
        State::Held => (Exit::Held, format!("decide about it: `ferry resolve {}`", view.id)),
        State::Failed | State::Cancelled => {
            (Exit::Failed, format!("see the reason: `ferry status {}`", view.id))
        }
        _ => (Exit::Pending, format!("wait for them: `ferry watch {}`", view.id)),
    };
    let what = format!(
        "submission {} is {} and has no results: {}",
        view.id,
        view.state,
        words::remark(view, now)
    );
    Err(CliError::new(exit, anyhow::Error::msg(what)).hint(hint))
}

/// A folder that is there, or that is written like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)
}

/// Length of the longest key whose file has no other name, in bytes.
const LONGEST_STEM: usize = 100;

/// The name of a result's file. A key may be any text: only what is harmless in a file name is used. Where
/// that is the same for two of `keys`, letter case aside, a hash of the key keeps them apart.
fn file_name(key: &str, keys: &[&str], content: &Content) -> String {
    let mut stem = harmless(key);
    let is_alike = |other: &&&str| harmless(other).eq_ignore_ascii_case(&stem);
    if key.len() > LONGEST_STEM || keys.iter().filter(is_alike).count() > 1 {
        let hash = HEXLOWER.encode(digest(&SHA256, key.as_bytes()).as_ref());
        // No other name has a dot here.
        stem = format!("{stem}.{}", &hash[..32]);
    }
    let ending = match content.content_type.as_deref().map(media_type).as_deref() {
        Some("text/csv") => ".csv",
        Some("application/json") => ".json",
        Some("text/plain") => ".txt",
        _ => "",
    };
    format!("{stem}{ending}")
}

fn harmless(key: &str) -> String {
    let harmless =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    key.chars().take(LONGEST_STEM).map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn names(keys: &BTreeSet<String>) -> Vec<String> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let content_type = Some("text/csv; charset=utf-8".to_owned());
        let content = Content { content_type, bytes: Vec::new() };
        keys.iter().map(|key| file_name(key, &keys, &content)).collect()
    }

    #[test]
    fn a_key_is_the_name_of_its_file_where_no_other_is_like_it() {
        let keys = ["tableofresultids", "../x", "a/b", "A:b"].map(str::to_owned);
        let names = names(&keys.into());
        assert_eq!(names[0], "___x.csv");
        assert_eq!(names[3], "tableofresultids.csv");
        assert!(names[1].starts_with("A_b.") && names[2].starts_with("a_b."), "{names:?}");
    }

    proptest! {
        #[test]
        fn no_two_results_have_the_same_file(
            keys in prop::collection::btree_set("[aAbB./_:-]{1,3}|\\PC{1,255}", 1..32),
        ) {
            let names = names(&keys);
            let files: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(files.len(), keys.len());
            for name in names {
                prop_assert!(name.len() < 200 && !name.contains('/'), "{}", name);
            }
        }
    }
}
