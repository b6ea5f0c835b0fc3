//! `ferry list`: the submissions of the store, newest first.

mod columns;

use std::num::NonZeroUsize;

use clap::Args;

use super::complete;
use super::error::{CliError, Exit};
use super::filters::Filters;
use super::follow::view;
use super::ui::Ui;
use crate::app::App;
use columns::Columns;
use ferry_store::selection::{Count, Selection, count};
use ferry_store::{Cursor, Filter, Store, StoreError};
use ferry_types::contract::SubmissionView;

/// Submissions read from the store at once.
const PAGE: usize = 200;

/// List submissions, newest first.
///
/// On a terminal the columns have a header and fit its width; elsewhere nothing is left out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry list --state held --state failed
  ferry list --name march --all --json
  ferry list --label team=north --limit 100
  ferry list --webhook failed                 whose outcome was not delivered
  ferry list --waiting-for predecessor        behind an earlier one of their name
  ferry list --created-after 2026-03-01T00:00:00Z --created-before 2026-04-01T00:00:00Z")]
pub(super) struct List {
    /// With exactly this name.
    #[arg(short, long)]
    name: Option<String>,
    /// Of this account; may be repeated.
    #[arg(long = "account", value_name = "ACCOUNT", add = complete::accounts())]
    accounts: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// Maximum number of submissions.
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = at_least_one)]
    limit: NonZeroUsize,
    /// Continue after this cursor, which an earlier list printed.
    #[arg(long)]
    cursor: Option<u64>,
    /// All of them.
    #[arg(short, long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number from 1; --all lists all".to_owned())
}

impl List {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let selection = self.filters.into_selection(self.name, self.accounts);
        let mut left = if self.all { usize::MAX } else { self.limit.get() };
        let mut cursor = self.cursor.map(Cursor);
        let mut columns = Columns::of_terminal();
        let mut count = 0;
        while left > 0 {
            let page = selection.page(app.store.as_ref(), cursor, left.min(PAGE)).await?;
            let listed = page.found.len() + page.damaged.len();
            (left, count) = (left.saturating_sub(listed), count + listed);
            for damaged in &page.damaged {
                ui.warning(&damaged.to_string());
            }
            let views: Vec<SubmissionView> = page.found.into_iter().map(view).collect();
            if ui.json {
                views.iter().try_for_each(|view| ui.object(view))?;
            } else {
                columns
                    .lines(&views, app.clock.now())
                    .into_iter()
                    .try_for_each(|line| ui.out(line))?;
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if count == 0 {
            let location = app.store.location();
            ui.print_note(if is_everything(&selection) {
                format!("the store {location} is empty")
            } else {
                format!("nothing in the store {location} matches")
            });
        }
        if let Some(next) = cursor.filter(|_| !self.all) {
            let listed = self.cursor.is_none().then_some(count as u64);
            let more = more(app.store.as_ref(), &selection, next, listed).await?;
            let Cursor(cursor) = next;
            ui.print_note(format!("{more}: add --cursor {cursor} or --all"));
        }
        Ok(Exit::Done)
    }
}

/// The number of submissions that match after `cursor`, in words. Where `listed` is the number of all before it,
/// the counts of the store may do; else up to a thousand are read.
async fn more(
    store: &dyn Store,
    selection: &Selection,
    cursor: Cursor,
    listed: Option<u64>,
) -> Result<String, StoreError> {
    const MOST: u64 = 1000;
    if let Some(listed) = listed {
        let Count { count, has_more } = count(store, selection, listed + MOST).await?;
        let more = if has_more { "more than " } else { "" };
        return Ok(format!("{more}{}", words(count.saturating_sub(listed).max(1))));
    }
    let (mut count, mut next) = (0, Some(cursor));
    while let (Some(_), true) = (next, count < MOST) {
        let page = selection.page(store, next, PAGE).await?;
        count += (page.found.len() + page.damaged.len()) as u64;
        next = page.next;
    }
    let more = if next.is_some() { "more than " } else { "" };
    Ok(format!("{more}{}", words(count)))
}

fn words(count: u64) -> String {
    match count {
        1 => "1 more submission matches".to_owned(),
        count => format!("{count} more submissions match"),
    }
}

fn is_everything(selection: &Selection) -> bool {
    let Selection { filter, webhook, waiting_for, revision_of } = selection;
    let Filter { states, name, accounts, labels, created_after, created_before } = filter;
    let is_any_time = created_after.is_none() && created_before.is_none();
    let is_any_name = name.is_none() && accounts.is_empty() && labels.is_empty();
    let is_any_state = states.is_empty() && webhook.is_none() && waiting_for.is_none();
    is_any_name && is_any_state && is_any_time && revision_of.is_none()
}
