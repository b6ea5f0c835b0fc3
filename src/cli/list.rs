//! `ferry list`: the submissions of the store, newest first.

use clap::Args;

use super::error::{CliError, Exit};
use super::follow::view;
use super::ui::Ui;
use super::{show, values};
use crate::app::App;
use ferry_store::{Cursor, Filter};
use ferry_types::domain::submission::State;
use ferry_types::domain::{Timestamp, until};

/// Submissions read from the store at once.
const PAGE: usize = 200;

/// List submissions, newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry list --state held --state failed
  ferry list --name march --all --json
  ferry list --label team=north --limit 100
  ferry list --created-after 2026-03-01T00:00:00Z --created-before 2026-04-01T00:00:00Z")]
pub(super) struct List {
    #[command(flatten)]
    filter: FilterArgs,
    /// Maximum number of submissions.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Continue after this cursor, which an earlier list printed.
    #[arg(long)]
    cursor: Option<u64>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
}

/// The filters.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// In this state; may be repeated.
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<State>,
    /// With exactly this name.
    #[arg(long)]
    name: Option<String>,
    /// Of this account.
    #[arg(long)]
    account: Option<String>,
    /// With this label; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label)]
    labels: Vec<(String, String)>,
    /// Accepted at this time or later.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_after: Option<Timestamp>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    created_before: Option<Timestamp>,
}

impl FilterArgs {
    pub(super) fn into_filter(self) -> Filter {
        let labels = self.labels.into_iter().collect();
        Filter {
            states: self.states,
            name: self.name,
            account: self.account,
            labels,
            created_after: self.created_after,
            created_before: self.created_before,
        }
    }
}

impl List {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let filter = self.filter.into_filter();
        let mut left = if self.all { usize::MAX } else { self.limit };
        let mut cursor = self.cursor.map(Cursor);
        let now = app.clock.now();
        let mut is_empty = true;
        while left > 0 {
            let page = app.store.list(&filter, cursor, left.min(PAGE)).await?;
            left = left.saturating_sub(page.found.len() + page.damaged.len());
            is_empty &= page.found.is_empty() && page.damaged.is_empty();
            for damaged in &page.damaged {
                ui.warning(&damaged.to_string());
            }
            let mut rows = Vec::with_capacity(page.found.len());
            for found in page.found {
                let view = view(found);
                if ui.json {
                    ui.object(&view)?;
                    continue;
                }
                rows.push(vec![
                    view.id.into(),
                    show::state(view.state),
                    (&view.name).into(),
                    (&view.account).into(),
                    format!("{} ago", show::duration(until(view.created_at, now))).into(),
                    show::remark(&view, now).into(),
                ]);
            }
            for line in show::table(&rows) {
                ui.out(line)?;
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if is_empty {
            let location = app.store.location();
            ui.print_note(if is_everything(&filter) {
                format!("the store {location} is empty")
            } else {
                format!("nothing in the store {location} matches")
            });
        }
        if let Some(Cursor(cursor)) = cursor.filter(|_| !self.all) {
            ui.print_note(format!("more submissions match: add --cursor {cursor} or --all"));
        }
        Ok(Exit::Done)
    }
}

fn is_everything(filter: &Filter) -> bool {
    let Filter { states, name, account, labels, created_after, created_before } = filter;
    let whenever = created_after.is_none() && created_before.is_none();
    states.is_empty() && name.is_none() && account.is_none() && labels.is_empty() && whenever
}
