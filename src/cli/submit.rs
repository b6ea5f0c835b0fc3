//! `ferry submit`: validates and stores datasets, and on request runs their steps at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::accept_batch::{AcceptedBatch, accept, intake_error, wait_or_show};
use super::error::{CliError, Exit};
use super::files::{read, title};
use super::ui::Ui;
use super::validate::{hint_fix, print_reports, print_warnings};
use super::wait::WaitArgs;
use super::{ndjson, values};
use crate::app::App;
use crate::pipeline::{Intake, IntakeError, Prepared, SourceLabels, decode};
use ferry_types::contract::SubmissionRequest;
use ferry_types::domain::dataset::Report;
use ferry_types::domain::submission::Priority;
use ferry_types::domain::{Timestamp, later};

/// Validate and submit datasets.
///
/// Every file becomes one submission, named after the file unless --name says otherwise. If any of
/// them is invalid, nothing is submitted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry submit march.csv
  ferry submit march.csv --events march-events.csv --wait
  ferry submit march.csv --name 2026-03 --overwrite --wait=30m
  ferry submit --ndjson submissions.ndjson       one JSON object a line: name, data, ...")]
pub(super) struct Submit {
    /// The datasets, as CSV; `-` reads stdin.
    #[arg(required_unless_present = "ndjson", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The events of the dataset, as CSV.
    #[arg(long, value_name = "FILE", conflicts_with = "ndjson")]
    events: Option<PathBuf>,
    /// Many submissions from one file, a JSON object a line; `-` reads stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "name", "overwrite", "account",
        "result_keys", "priority", "not_before", "deadline", "idempotency_key", "labels", "webhook_url"])]
    ndjson: Option<PathBuf>,
    /// Dataset name [default: the file's name without its extension].
    #[arg(short, long)]
    name: Option<String>,
    /// Overwrite a dataset of the same name.
    #[arg(long)]
    overwrite: bool,
    /// The account that uploads it [default: the only one].
    #[arg(long, add = super::complete::accounts())]
    account: Option<String>,
    /// A result to fetch; may be repeated [default: tableofresultids].
    #[arg(long = "result-key", value_name = "KEY")]
    result_keys: Vec<String>,
    /// Priority among the account's submissions: high, normal or low.
    #[arg(long, default_value = "normal")]
    priority: Priority,
    /// Do not upload before this time, such as 2026-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    not_before: Option<Timestamp>,
    /// Time after which Ferry gives up, such as 2h [default: the setting `deadline`].
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    deadline: Option<std::time::Duration>,
    /// The same key with the same content is accepted once, however often it is submitted.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Label to filter by; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    labels: Vec<(String, String)>,
    /// URL that receives the outcome as a signed webhook [default: the account's `webhook_url`].
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Submit {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        self.wait.check(&app)?;
        let stored = match &self.ndjson {
            Some(path) => ndjson::submit(&app, path, !self.wait.is_wanted(), ui).await,
            None => self.submit_files(&app, &app.intake(), ui).await,
        }?;
        match stored {
            Some(stored) => wait_or_show(app, stored, &self.wait, ui).await,
            None => Ok(Exit::Invalid),
        }
    }

    /// None if a dataset is invalid, which was reported then.
    async fn submit_files(
        &self,
        app: &App,
        intake: &Intake,
        ui: &Ui,
    ) -> Result<Option<AcceptedBatch>, CliError> {
        self.check_files()?;
        let mut batch = Vec::with_capacity(self.files.len());
        let mut invalid = false;
        for file in &self.files {
            match self.prepare(file, app, intake)? {
                Ok(prepared) => {
                    print_warnings(&prepared.reports, ui);
                    batch.push(prepared.new);
                }
                Err(reports) => {
                    print_reports(&reports, ui)?;
                    hint_fix(&reports, ui);
                    invalid = true;
                }
            }
        }
        if invalid {
            ui.print_note("nothing was submitted");
            return Ok(None);
        }
        accept(intake, batch, ui).await.map(Some)
    }

    /// Checks the options that depend on each other.
    fn check_files(&self) -> Result<(), CliError> {
        let is_stdin = |file: &&PathBuf| file.as_path() == Path::new("-");
        if self.files.iter().chain(&self.events).filter(is_stdin).count() > 1 {
            return Err(CliError::usage(
                "only one FILE can be `-`, because stdin is read once".into(),
            ));
        }
        if self.files.len() > 1 {
            for (flag, given) in [
                ("--name", self.name.is_some()),
                ("--events", self.events.is_some()),
                ("--idempotency-key", self.idempotency_key.is_some()),
            ] {
                if given {
                    return Err(CliError::usage(format!(
                        "{flag} belongs to one FILE, and there are several"
                    )));
                }
            }
        }
        let mut names = BTreeMap::new();
        for file in self.files.iter().filter(|_| !self.overwrite && self.name.is_none()) {
            if let Some(other) = names.insert(self.name(file)?, file) {
                return Err(CliError::usage(format!(
                    "`{}` and `{}` would be datasets of the same name",
                    other.display(),
                    file.display()
                ))
                .hint("submit them one by one, each with its own --name; or --overwrite"));
            }
        }
        Ok(())
    }

    fn prepare(
        &self,
        file: &Path,
        app: &App,
        intake: &Intake,
    ) -> Result<Result<Prepared, Vec<Report>>, CliError> {
        let names = SourceLabels {
            data: title(file),
            events: self.events.as_deref().map(title).unwrap_or_default(),
        };
        let limit = app.config.api.max_dataset_bytes;
        let data = read(file, limit)?;
        let events = self.events.as_deref().map(|file| read(file, limit)).transpose()?;
        let (data, events) = match decode(data, events, &names) {
            Ok(texts) => texts,
            Err(reports) => return Ok(Err(reports)),
        };
        let start = self.not_before.unwrap_or_default().max(app.clock.now());
        let request = SubmissionRequest {
            name: self.name(file)?,
            data,
            event_data: events,
            account: self.account.clone(),
            overwrite: self.overwrite,
            result_keys: self.result_keys.clone(),
            priority: self.priority,
            not_before: self.not_before,
            deadline: self.deadline.map(|duration| later(start, duration)),
            idempotency_key: self.idempotency_key.clone(),
            labels: self.labels.iter().cloned().collect(),
            webhook_url: self.webhook_url.clone(),
            ..SubmissionRequest::default()
        };
        match intake.prepare(request, &names) {
            Ok(prepared) => Ok(Ok(prepared)),
            Err(IntakeError::Dataset(reports)) => Ok(Err(reports)),
            Err(error) => Err(intake_error(error, file)),
        }
    }

    fn name(&self, file: &Path) -> Result<String, CliError> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let stem =
            file.file_stem().filter(|_| file != Path::new("-")).and_then(|stem| stem.to_str());
        stem.map(str::to_owned).ok_or_else(|| {
            CliError::usage(format!("`{}` has no name for the dataset: give --name", title(file)))
        })
    }
}
