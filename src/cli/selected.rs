//! The submissions that an operator's command is about: some by id or name, or all that match.

use clap::Args;

use super::bulk;
use super::complete;
use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::target::{IdArg, NameArgs, find_all};
use super::ui::Ui;
use super::values;
use crate::app::App;
use crate::bulk_actions::perform;
use ferry_store::selection::Selection;
use ferry_store::{Filter, Store};
use ferry_types::domain::submission::{OperatorAction, State, WebhookState};
use ferry_types::domain::{SubmissionId, Timestamp};

/// Submissions by id or name, or filters.
#[derive(Debug, Args)]
pub(super) struct Selected {
    /// The submissions: their ids, or beginnings of these that only one has.
    #[arg(value_name = "ID", conflicts_with_all = ["name", "all", "states", "labels",
        "created_after", "created_before", "webhook"], add = complete::ids())]
    ids: Vec<IdArg>,
    /// The newest submission of this name; with another filter or --all, every one of this name.
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Of this account.
    #[arg(long, conflicts_with = "ids", add = complete::accounts())]
    account: Option<String>,
    #[command(flatten)]
    filters: Filters,
}

/// Filters: with any of them, the command is about all that match.
#[derive(Debug, Args)]
#[command(next_help_heading = "All that match")]
struct Filters {
    /// All that match the other filters, or all of the store.
    #[arg(short, long)]
    all: bool,
    /// In this state; may be repeated.
    #[arg(long = "state", value_name = "STATE", add = complete::states())]
    states: Vec<State>,
    /// With this label; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    labels: Vec<(String, String)>,
    /// Accepted at this time or later.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_after: Option<Timestamp>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_before: Option<Timestamp>,
    /// With a webhook in this state: `failed`, `pending`, `delivered` or `gone`.
    #[arg(long, value_name = "STATE")]
    webhook: Option<WebhookState>,
    /// Print how many would be changed and how many refused, with examples, and change nothing.
    #[arg(long, conflicts_with = "ids")]
    dry_run: bool,
    /// Ask for no confirmation.
    #[arg(short, long, conflicts_with = "ids")]
    yes: bool,
}

impl Filters {
    fn is_given(&self) -> bool {
        let is_timed = self.created_after.is_some() || self.created_before.is_some();
        let is_of_kind = !self.states.is_empty() || !self.labels.is_empty();
        self.all || is_of_kind || is_timed || self.webhook.is_some()
    }
}

/// The submissions.
pub(super) enum Found {
    /// These.
    Some(Vec<SubmissionId>),
    /// All that match.
    Matching(Box<bulk::Matching>),
}

impl Selected {
    /// The submissions that are meant.
    pub(super) async fn find(self, store: &dyn Store) -> Result<Found, CliError> {
        let Self { ids, name, account, filters } = self;
        if filters.is_given() {
            let labels = filters.labels.into_iter().collect();
            let filter = Filter {
                states: filters.states,
                name,
                account,
                labels,
                created_after: filters.created_after,
                created_before: filters.created_before,
            };
            let selection = Selection { filter, webhook: filters.webhook };
            let (dry_run, yes) = (filters.dry_run, filters.yes);
            return Ok(Found::Matching(Box::new(bulk::Matching { selection, dry_run, yes })));
        }
        let is_named = name.is_some() || !ids.is_empty();
        if !is_named || filters.dry_run || filters.yes {
            let what = "no filter is given: `--dry-run` and `--yes` are for all that match";
            let what = if is_named { what } else { "no submission is named" };
            return Err(CliError::usage(what.to_owned())
                .hint("give an ID or --name; or a filter such as --state, or --all"));
        }
        find_all(&ids, &NameArgs { name, account }, store).await.map(Found::Some)
    }

    /// Does `action` to each of them.
    pub(super) async fn act(
        self,
        action: OperatorAction,
        verb: &str,
        app: &App,
        ui: &Ui,
    ) -> Result<Exit, CliError> {
        let (store, deadline) = (app.store.as_ref(), app.config.policy.deadline);
        match self.find(store).await? {
            Found::Some(ids) => {
                for_each_id(verb, &ids, app, ui, async |id| {
                    perform(action, store, id, deadline).await
                })
                .await
            }
            Found::Matching(matching) => matching.act(action, verb, app, ui).await,
        }
    }
}
