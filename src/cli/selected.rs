//! The submissions that an operator's command is about: some by id or name, or all that match.

use clap::Args;

use super::bulk;
use super::complete;
use super::each::for_each_id;
use super::error::{CliError, Exit};
use super::filters::Filters;
use super::target::{IdArg, NameArgs, find_all};
use super::ui::Ui;
use crate::app::App;
use ferry_store::Store;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::OperatorAction;

/// Submissions by id or name, or filters.
#[derive(Debug, Args)]
pub(super) struct Selected {
    /// The submissions: their ids, or beginnings of these that only one has.
    #[arg(value_name = "ID", conflicts_with_all = ["name", "all", "states", "labels",
        "created_after", "created_before", "webhook", "waiting_for", "revision_of"], add = complete::ids())]
    ids: Vec<IdArg>,
    /// The newest submission of this name; with another filter or --all, every one of this name.
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Of this account.
    #[arg(long, conflicts_with = "ids", add = complete::accounts())]
    account: Option<String>,
    #[command(flatten)]
    matching: AllArgs,
}

/// With --all or a filter, the command is about all that match.
#[derive(Debug, Args)]
#[command(next_help_heading = "All that match")]
struct AllArgs {
    /// All that match the other filters, or all of the store.
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    filters: Filters,
    /// Print how many would be changed and how many left unchanged, with examples, and change nothing.
    #[arg(long, conflicts_with = "ids")]
    dry_run: bool,
    /// Ask for no confirmation.
    #[arg(short, long, conflicts_with = "ids")]
    yes: bool,
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
        let Self { ids, name, account, matching } = self;
        let AllArgs { all, filters, dry_run, yes } = matching;
        if all || filters.is_given() {
            let selection = filters.into_selection(name, account.into_iter().collect());
            return Ok(Found::Matching(Box::new(bulk::Matching { selection, dry_run, yes })));
        }
        let is_named = name.is_some() || !ids.is_empty();
        if !is_named || dry_run || yes {
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
                let act = async |id| store.operate(id, action, deadline).await;
                for_each_id(verb, &ids, app, ui, act).await
            }
            Found::Matching(matching) => matching.act(action, verb, app, ui).await,
        }
    }
}
