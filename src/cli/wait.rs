//! `--wait`: runs the workers in this process until some submissions are settled.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use clap::Args;
use tracing::debug;

use super::error::{CliError, Exit};
use super::follow::{all_need_operator, follow, is_settled};
use super::progress::Progress;
use super::ui::Ui;
use super::{show, signals, values};
use crate::app::App;
use crate::config::ConfigErrors;
use ferry_store::Store;
use ferry_types::contract::{SubmissionView, WaitingFor};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::BlockReason;

/// Time between two looks for submissions that need an operator.
const DELAY: Duration = Duration::from_millis(300);

/// The options of waiting.
#[derive(Debug, Args)]
pub(super) struct WaitArgs {
    /// Run its steps in this process and wait for the outcome, for at most DURATION if one is given;
    /// without one, waiting also ends when no submission can progress without an operator. Webhooks are
    /// left to `ferry worker` and `ferry serve`.
    #[arg(short, long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
        default_missing_value = "max", value_parser = limit)]
    wait: Option<Limit>,
}

#[derive(Debug, Clone, Copy)]
struct Limit(Option<Duration>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "max" {
        Ok(Limit(None))
    } else {
        values::duration(text).map(|duration| Limit(Some(duration)))
    }
}

impl WaitArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.wait.is_some()
    }

    /// To be called before anything is accepted: to wait, an account must be configured.
    pub(super) fn check(&self, app: &App) -> Result<(), CliError> {
        if self.is_wanted() { require_account(app) } else { Ok(()) }
    }
}

/// Fails without an account, or without the secrets of one, because nothing can be uploaded.
pub(super) fn require_account(app: &App) -> Result<(), CliError> {
    let missing: Vec<String> = app.config.without_secrets.values().flatten().cloned().collect();
    if !missing.is_empty() {
        return Err(ConfigErrors::of_settings(missing).into());
    }
    if app.config.accounts.is_empty() {
        return Err(CliError::usage(
            "no account is configured: nothing can be uploaded".to_owned(),
        )
        .hint(
            "export FERRY_TOKEN_URL, FERRY_API_URL, FERRY_CLIENT_ID, FERRY_CLIENT_SECRET and \
                 FERRY_API_KEY; or rehearse with `ferry simulate`, which prints such lines",
        ));
    }
    Ok(())
}

/// Runs steps of the store until `ids` are settled, and prints their outcomes.
pub(super) async fn run_until_settled(
    app: App,
    ids: &[SubmissionId],
    waiting: &WaitArgs,
    ui: &Ui,
) -> Result<Exit, CliError> {
    signals::listen(app.shutdown.clone(), ui)?;
    // A webhook that this process cannot sign would lose an attempt.
    let workers = app.workers()?.without_deliveries();
    tokio::spawn(app.watching_store());
    let shutdown = app.shutdown.clone();
    let limit = waiting.wait.and_then(|limit| limit.0);
    let (unsettled, distinct) = (UnsettledSet::default(), ids.iter().copied().collect());
    let stop = async {
        let over = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => unsettled.needs_operator(app.store.as_ref(), &distinct).await,
            }
        };
        tokio::select! {
            () = over => {}
            () = shutdown.draining() => {}
        }
    };
    let follower = async {
        let mut progress = Progress::until_outcome(ui, app.clock.clone(), ids.len());
        let seen = |view: &SubmissionView| {
            unsettled.seen(view);
            progress.seen(view);
        };
        let views = follow(app.store.as_ref(), ids, seen, stop).await;
        let interrupted = shutdown.is_draining();
        shutdown.drain();
        views.map(|views| (views, interrupted))
    };
    let (ended, views) = tokio::join!(workers.run(), follower);
    app.traces.finish().await;
    ended.map_err(|error| CliError::new(Exit::Failed, error.into()))?;
    let (views, interrupted) = views?;
    show::outcome(&views, app.clock.now(), ui)?;
    let why = match (interrupted, limit) {
        (true, _) => "interrupted",
        (false, Some(_)) => "the limit of --wait is reached",
        (false, None) => "no submission can progress without an operator",
    };
    warn_of_unsettled(&views, why, ui);
    Ok(Exit::of(&views))
}

fn warn_of_unsettled(views: &[SubmissionView], why: &str, ui: &Ui) {
    let stored = match views.iter().filter(|view| !is_settled(view.state)).count() {
        0 => return,
        1 => "the submission is".to_owned(),
        count => format!("{count} submissions are"),
    };
    ui.warning(&format!(
        "{why}: {stored} stored; `ferry worker` continues, `ferry watch ID` follows it"
    ));
}

/// The unsettled submissions, to notice when nothing more happens by itself.
#[derive(Default)]
struct UnsettledSet {
    /// With its view, if it waits for what only a person may change.
    waiting: RefCell<HashMap<SubmissionId, Option<SubmissionView>>>,
    seen: RefCell<HashSet<SubmissionId>>,
}

impl UnsettledSet {
    fn seen(&self, view: &SubmissionView) {
        self.seen.borrow_mut().insert(view.id);
        if is_settled(view.state) {
            self.waiting.borrow_mut().remove(&view.id);
        } else {
            let may_need_operator = view.waiting_for.as_ref().is_some_and(may_need_operator);
            self.waiting.borrow_mut().insert(view.id, may_need_operator.then(|| view.clone()));
        }
    }

    /// Ends when all of `ids` are settled or wait for a person.
    async fn needs_operator(&self, store: &dyn Store, ids: &HashSet<SubmissionId>) {
        loop {
            tokio::time::sleep(DELAY).await;
            let views: Option<Vec<_>> = self.waiting.borrow().values().cloned().collect();
            let all_seen = self.seen.borrow().len() == ids.len();
            let Some(views) = views.filter(|_| all_seen) else { continue };
            match all_need_operator(store, views).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => debug!(%error, "cannot read what the submissions wait for, retrying"),
            }
        }
    }
}

fn may_need_operator(waiting: &WaitingFor) -> bool {
    matches!(
        waiting,
        WaitingFor::Account(BlockReason::Paused { .. })
            | WaitingFor::Predecessor { .. }
            | WaitingFor::Resolution
    )
}
