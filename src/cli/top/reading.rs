//! Reads the store for `ferry top`, again and again, beside the screen.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::super::line::Line;
use super::super::{follow, stats, status};
use super::selected::Selected;
use crate::app::App;
use crate::queue::{AbandonedWebhooks, processes};
use crate::words;
use ferry_store::{Filter, Stats, StoreError};
use ferry_types::causes::chain;
use ferry_types::contract::{StatsView, SubmissionView};
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, Timestamp};

/// Failures that are read.
const NEWEST: usize = 50;

/// The store as it was at a moment.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) at: Timestamp,
    pub(super) stats: StatsView,
    /// Submissions that became final in a second; none if too little was observed.
    pub(super) pace: Option<f64>,
    /// Number of processes that use the store, in words; none if there are none.
    pub(super) processes: Option<String>,
    /// The newest submissions that failed, were rejected or are held.
    pub(super) failures: Vec<SubmissionView>,
    /// Records among them that cannot be read.
    pub(super) damaged: Vec<String>,
    /// The inspected account or submission, and its lines.
    pub(super) inspected: Option<(Selected, Vec<String>)>,
}

/// Reads the store every `interval`, and whenever something else is inspected, for as long as there is
/// a reader.
pub(super) async fn read_on(
    app: Arc<App>,
    interval: Duration,
    mut inspecting: watch::Receiver<Option<Selected>>,
    readings: mpsc::Sender<Result<Reading, String>>,
) {
    let abandoned = AbandonedWebhooks::default();
    loop {
        let selected = inspecting.borrow_and_update().clone();
        let reading = read(&app, selected, &abandoned).await.map_err(|error| chain(&error));
        if readings.send(reading).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            changed = inspecting.changed() => if changed.is_err() { return },
        }
    }
}

async fn read(
    app: &App,
    selected: Option<Selected>,
    abandoned: &AbandonedWebhooks,
) -> Result<Reading, StoreError> {
    let stats = app.store.stats().await?;
    let seen_at = Instant::now();
    app.throughput.observe(&stats, seen_at);
    let filter =
        Filter { states: vec![State::Failed, State::Rejected, State::Held], ..Filter::default() };
    let page = app.store.list(&filter, None, NEWEST).await?;
    let mut failures: Vec<SubmissionView> = page.found.into_iter().map(follow::view).collect();
    failures.sort_by_key(|view| Reverse(view.updated_at));
    let now = app.clock.now();
    let drain = app.throughput.drain(&stats, seen_at);
    let view = stats::read(app, &stats, drain, abandoned, None).await?;
    let inspected = match selected {
        Some(selected) => {
            let lines = inspect(&selected, &stats, &view, app, now).await?;
            Some((selected, lines))
        }
        None => None,
    };
    Ok(Reading {
        at: now,
        processes: words::process_counts(&processes(app.store.as_ref()).await?),
        pace: app.throughput.per_second(&stats, seen_at),
        stats: view,
        failures,
        damaged: page.damaged.iter().map(ToString::to_string).collect(),
        inspected,
    })
}

/// The lines of `ferry stats` about an account, or of `ferry status` about a submission.
async fn inspect(
    selected: &Selected,
    stats: &Stats,
    view: &StatsView,
    app: &App,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let lines = match selected {
        Selected::Account(name) => account(name, stats, view),
        Selected::Submission { id, .. } => submission(*id, app, now).await?,
    };
    Ok(lines.iter().map(|line| line.written(false)).collect())
}

fn account(name: &str, stats: &Stats, view: &StatsView) -> Vec<Line> {
    let mut known = stats.accounts.iter().zip(&view.accounts);
    match known.find(|(account, _)| account.account == name) {
        Some((account, view)) => stats::describe(view, &account.health),
        None => vec![format!("account `{name}` is no longer in the store").into()],
    }
}

async fn submission(id: SubmissionId, app: &App, now: Timestamp) -> Result<Vec<Line>, StoreError> {
    match app.store.get(id).await {
        Ok(Some(found)) => {
            Ok(status::describe(&follow::view(found), &app.store.timeline(id).await?, now))
        }
        Ok(None) => Ok(vec![format!("submission {id} is no longer in the store").into()]),
        Err(error @ StoreError::Damaged { .. }) => Ok(vec![error.into()]),
        Err(error) => Err(error),
    }
}
