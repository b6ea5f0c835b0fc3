//! `ferry worker`: runs the steps of the store.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tracing::{info, warn};

use super::error::{CliError, Exit};
use super::follow::{all_need_operator, is_settled, view};
use super::signals;
use super::ui::Ui;
use super::wait::require_account;
use crate::admin::Admin;
use crate::app::App;
use crate::words::counted;
use ferry_store::{Filter, Stats, StepStats, StoreError, SubmissionDetail};
use ferry_types::domain::ProcessRole;
use ferry_types::domain::submission::{State, StepKind};

/// Time between two looks of an `--until-idle` worker for something to do.
const DELAY: Duration = Duration::from_millis(200);

/// Submissions read from the store at once, to find one that continues.
const PAGE: usize = 50;

/// Run steps until stopped.
///
/// SIGTERM or Ctrl-C lets running steps finish and releases claimed ones; a second one aborts them,
/// and another worker rescues them. Any number of workers may share a store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry worker
  ferry worker --until-idle                              from cron, for instance
  ferry worker --set metrics_listen=127.0.0.1:9464       with /metrics, /healthz and /readyz")]
pub(super) struct Worker {
    /// Exit when no submission can progress. Scheduled steps are awaited, undelivered webhooks are not.
    #[arg(long)]
    until_idle: bool,
}

impl Worker {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        require_account(&app)?;
        signals::listen(app.shutdown.clone(), ui)?;
        serve_metrics(&app).await?;
        tokio::spawn(app.watching_durability());
        tokio::spawn(app.watching_store());
        tokio::spawn(app.watching_accounts());
        tokio::spawn(app.shutdown.clone().abort_late(app.config.policy.shutdown_timeout));
        for warning in &app.config.warnings {
            warn!("{warning}");
        }
        let accounts: Vec<&str> = app.config.accounts.keys().map(String::as_str).collect();
        info!(store = app.store.location(), accounts = accounts.join(", "), "worker started");
        let idle = async {
            if self.until_idle {
                // A store that is gone must not delay the end of a process that was stopped.
                let watched = tokio::select! {
                    watched = until_idle(&app) => watched,
                    () = app.shutdown.aborting() => Ok(()),
                };
                let interrupted = app.shutdown.is_draining();
                app.shutdown.drain();
                watched.map(|()| interrupted)
            } else {
                Ok(true)
            }
        };
        let workers = app.workers()?;
        let heartbeats = app.reporting(&[ProcessRole::Worker]);
        let (ended, watched) = tokio::join!(workers.run(), idle);
        heartbeats.end().await;
        app.traces.finish().await;
        ended.map_err(|error| CliError::new(Exit::Failed, error.into()))?;
        let interrupted = watched?;
        info!("stopped");
        if self.until_idle {
            let stats = tokio::select! {
                biased;
                stats = app.store.stats() => stats?,
                () = app.shutdown.aborting() => return Ok(Exit::Done),
            };
            summarize(&stats, interrupted, ui);
            if ui.json {
                let undelivered = undelivered(&stats);
                let states = states(&stats);
                ui.object(&json!({
                    "idle": !interrupted,
                    "states": states,
                    "undelivered_webhooks": undelivered,
                }))?;
            }
        }
        Ok(Exit::Done)
    }
}

async fn serve_metrics(app: &App) -> Result<(), CliError> {
    let Some(address) = app.config.metrics_listen else { return Ok(()) };
    let admin = Admin::bind(address).await;
    let admin = admin.map_err(|error| CliError::cannot_listen(address, "metrics_listen", error))?;
    info!("metrics are at http://{}/metrics", admin.address());
    tokio::spawn(admin.serve(app.metrics.clone(), app.readiness.clone()));
    tokio::spawn(app.exporting());
    Ok(())
}

/// Ends when a worker of these accounts has nothing more to do, or is to stop.
async fn until_idle(app: &App) -> Result<(), StoreError> {
    while !app.shutdown.is_draining() && (is_pushed(app).await? || has_work(app).await?) {
        tokio::select! {
            () = tokio::time::sleep(DELAY) => {}
            () = app.shutdown.draining() => {}
        }
    }
    Ok(())
}

/// True if a request of another service waits to be accepted.
async fn is_pushed(app: &App) -> Result<bool, StoreError> {
    match &app.pushed {
        Some(requests) => Ok(requests.waiting().await? > 0),
        None => Ok(false),
    }
}

/// A step that runs, or one that is or will be due and waits for no person.
async fn has_work(app: &App) -> Result<bool, StoreError> {
    let stats = app.store.stats().await?;
    // Each webhook is attempted once; one that failed is attempted again for days.
    let runs =
        |steps: &StepStats| steps.running > 0 || (!steps.kind.calls_platform() && steps.ready > 0);
    if stats.steps.iter().any(runs) {
        return Ok(true);
    }
    for account in app.config.accounts.keys() {
        let is_open = |steps: &&StepStats| {
            steps.kind.calls_platform()
                && steps.account == *account
                && steps.ready + steps.scheduled > 0
        };
        if stats.steps.iter().any(|steps| is_open(&steps))
            && can_progress(app, account, &stats).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if any submission of an account continues by itself, or has its results fetched again.
async fn can_progress(app: &App, account: &str, stats: &Stats) -> Result<bool, StoreError> {
    let (settled, open): (Vec<State>, Vec<State>) =
        State::ALL.into_iter().partition(|s| is_settled(*s));
    Ok(any_progresses(app, account, open).await?
        || (has_refetches(stats, account) && any_progresses(app, account, settled).await?))
}

/// True if more polls and fetches are to come than submissions wait for one: the others are refetches,
/// which are looked for among all final submissions only then.
fn has_refetches(stats: &Stats, account: &str) -> bool {
    let steps = stats.steps.iter().filter(|steps| steps.account == account);
    let steps = steps.filter(|steps| matches!(steps.kind, StepKind::Poll | StepKind::Collect));
    let steps: u64 = steps.map(|steps| steps.ready + steps.scheduled).sum();
    let states = stats.accounts.iter().filter(|stats| stats.account == account);
    let count = |states: &BTreeMap<State, u64>, state| states.get(&state).copied().unwrap_or(0);
    let waiting = |states: &BTreeMap<State, u64>| {
        count(states, State::Processing) + count(states, State::Collecting)
    };
    steps > states.map(|stats| waiting(&stats.states)).sum()
}

async fn any_progresses(app: &App, account: &str, states: Vec<State>) -> Result<bool, StoreError> {
    let filter = Filter { states, accounts: vec![account.to_owned()], ..Filter::default() };
    let mut cursor = None;
    loop {
        let page = app.store.list(&filter, cursor, PAGE).await?;
        let is_open = |found: &SubmissionDetail| {
            !is_settled(found.submission.state) || found.submission.is_refetching()
        };
        let views = page.found.into_iter().filter(is_open).map(view).collect();
        if !all_need_operator(app.store.as_ref(), views).await? {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(false);
        }
    }
}

/// The number of submissions in each state that any is in.
fn states(stats: &Stats) -> BTreeMap<State, u64> {
    let counted = State::ALL.into_iter().map(|state| (state, stats.count(state)));
    counted.filter(|(_, count)| *count > 0).collect()
}

fn summarize(stats: &Stats, interrupted: bool, ui: &Ui) {
    let counts: Vec<String> =
        states(stats).iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { counted(0_u64, "submission") } else { counts.join(", ") };
    let what = if interrupted { "stopped before all was done" } else { "idle" };
    ui.print_note(format!("{what}: {counts}"));
    let left = undelivered(stats);
    if left > 0 {
        let is = if left == 1 { "is" } else { "are" };
        let webhooks = counted(left, "webhook");
        ui.print_note(format!(
            "{webhooks} {is} not delivered yet: `ferry worker` delivers them later"
        ));
    }
}

/// The number of webhooks that wait for an attempt or are in one.
fn undelivered(stats: &Stats) -> u64 {
    let deliveries = stats.steps.iter().filter(|steps| !steps.kind.calls_platform());
    deliveries.map(|steps| steps.ready + steps.scheduled + steps.running).sum()
}
