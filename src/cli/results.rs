//! `ferry results`: what the Platform made of a dataset.

use std::path::{Path, PathBuf};

use clap::Args;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::show;
use super::target::Target;
use super::ui::{Ui, write_bytes};
use crate::app::App;
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
    /// Write to this file, or, for several results, into this folder.
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
        for key in &keys {
            let content = app.store.content(id, key).await?.ok_or_else(|| {
                CliError::usage(format!("submission {id} has no result `{key}`"))
                    .hint("`ferry status` shows its results")
            })?;
            let path = match (folder, &self.output) {
                (Some(folder), _) => Some(folder.join(file_name(key, &content))),
                (None, path) => path.clone(),
            };
            match &path {
                Some(path) => write(path, &content, ui)?,
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
        State::Rejected => (Exit::Rejected, format!("`ferry feedback {}` says why", view.id)),
        State::Held => (Exit::Held, format!("`ferry resolve {}` decides", view.id)),
        State::Failed | State::Cancelled => {
            (Exit::Failed, format!("`ferry status {}` says more", view.id))
        }
        _ => (Exit::Pending, format!("`ferry watch {}` waits for them", view.id)),
    };
    let what = format!(
        "submission {} is {} and has no results: {}",
        view.id,
        view.state,
        show::remark(view, now)
    );
    Err(CliError::new(exit, anyhow::Error::msg(what)).hint(hint))
}

/// A folder that is there, or that is written like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)
}

fn write(path: &Path, content: &Content, ui: &Ui) -> Result<(), CliError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    }
    std::fs::write(path, &content.bytes).map_err(|error| cannot(path, error))?;
    ui.print_note(format!("wrote {} ({})", path.display(), show::size(content.bytes.len() as u64)));
    Ok(())
}

fn cannot(path: &Path, error: std::io::Error) -> CliError {
    anyhow::Error::new(error).context(format!("cannot write `{}`", path.display())).into()
}

/// A key may be any text: only what is harmless in a file name is used.
fn file_name(key: &str, content: &Content) -> String {
    let harmless =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let stem: String = key.chars().map(harmless).collect();
    let ending =
        match content.content_type.as_deref().map(|t| t.split(';').next().unwrap_or(t).trim()) {
            Some("text/csv") => ".csv",
            Some("application/json") => ".json",
            Some("text/plain") => ".txt",
            _ => "",
        };
    format!("{stem}{ending}")
}
