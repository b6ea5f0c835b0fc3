//! `ferry watch`: follows submissions, whichever process runs them.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::follow::{fetch, follow, is_settled, view};
use super::progress::Progress;
use super::target::{IdArg, NameArgs, find_all};
use super::ui::Ui;
use super::{show, signals, values};
use crate::app::App;
use ferry_store::{DamagedRecord, Filter, Page, Store, StoreError};
use ferry_types::contract::SubmissionView;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// Time between two looks for unfinished submissions.
const DELAY: Duration = Duration::from_millis(500);

/// The most submissions that are watched when none is named.
const WATCHED: usize = 500;

/// Follow submissions until finished or held; without IDs, all unfinished ones.
///
/// With IDs, the exit code is that of their outcomes, as with `submit --wait`. No step runs in
/// this command: `ferry worker` does that.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry watch
  ferry watch 01KDXB8W4S9ZT2M3Q5R7V1C6HY --timeout 30m
  ferry watch --name march                  the newest of this name")]
pub(super) struct Watch {
    /// The submissions; if none is named, all unfinished ones, until interrupted.
    #[arg(value_name = "ID", conflicts_with = "name", add = super::complete::ids())]
    ids: Vec<IdArg>,
    #[command(flatten)]
    named: NameArgs,
    /// Stop after this duration; with IDs, the exit code is then 5 if one is pending.
    #[arg(short, long, value_name = "DURATION", value_parser = values::duration)]
    timeout: Option<Duration>,
}

impl Watch {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = find_all(&self.ids, &self.named, app.store.as_ref()).await?;
        if ids.is_empty() {
            watch_all(&app, ui, stopping(self.timeout, &app, ui)?).await?;
            return Ok(Exit::Done);
        }
        let views = until_settled(&ids, self.timeout, &app, ui).await?;
        show::outcome(&views, app.clock.now(), ui)?;
        Ok(Exit::of(&views))
    }
}

/// Shows the progress of `ids` until all are settled, a signal arrives, or `timeout` has passed.
pub(super) async fn until_settled(
    ids: &[SubmissionId],
    timeout: Option<Duration>,
    app: &App,
    ui: &Ui,
) -> Result<Vec<SubmissionView>, CliError> {
    let stop = stopping(timeout, app, ui)?;
    let mut progress = Progress::until_outcome(ui, app.clock.clone(), ids.len());
    Ok(follow(app.store.as_ref(), ids, |view| progress.seen(view), stop).await?)
}

/// Ends with a signal, or after `timeout`.
fn stopping(
    timeout: Option<Duration>,
    app: &App,
    ui: &Ui,
) -> Result<impl Future<Output = ()> + use<>, CliError> {
    signals::listen_idle(app.shutdown.clone(), ui)?;
    let shutdown = app.shutdown.clone();
    Ok(async move {
        match timeout {
            Some(timeout) => tokio::select! {
                () = tokio::time::sleep(timeout) => {}
                () = shutdown.draining() => {}
            },
            None => shutdown.draining().await,
        }
    })
}

/// Shows all unfinished submissions, until `stop` ends.
async fn watch_all(app: &App, ui: &Ui, stop: impl Future<Output = ()>) -> Result<(), CliError> {
    let mut progress = Progress::new(ui, app.clock.clone(), None);
    let mut open: HashMap<SubmissionId, State> = HashMap::new();
    let mut warned = HashSet::new();
    let mut is_waiting = false;
    tokio::pin!(stop);
    loop {
        let (views, damaged) = unsettled(app.store.as_ref(), &open).await?;
        for record in damaged {
            if !warned.contains(&record.id) {
                ui.warning(&record.to_string());
                warned.insert(record.id);
            }
        }
        if views.is_empty() && !std::mem::replace(&mut is_waiting, true) {
            ui.print_note("nothing is unfinished: waiting for submissions; Ctrl-C ends it");
        }
        is_waiting &= views.is_empty();
        for view in views {
            let before = if is_settled(view.state) {
                open.remove(&view.id)
            } else {
                open.insert(view.id, view.state)
            };
            if ui.json && before != Some(view.state) {
                ui.object(&view)?;
            }
            progress.seen(&view);
        }
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            () = tokio::time::sleep(DELAY) => {}
        }
    }
}

/// Returns what is unfinished now, and what was before; and the records among it that are damaged.
async fn unsettled(
    store: &dyn Store,
    open: &HashMap<SubmissionId, State>,
) -> Result<(Vec<SubmissionView>, Vec<DamagedRecord>), StoreError> {
    let states = State::ALL.into_iter().filter(|state| !is_settled(*state)).collect();
    let filter = Filter { states, ..Filter::default() };
    let Page { found, mut damaged, .. } = store.list(&filter, None, WATCHED).await?;
    let mut views: Vec<SubmissionView> = found.into_iter().map(view).collect();
    let listed: HashSet<SubmissionId> = views.iter().map(|view| view.id).collect();
    for id in open.keys().filter(|id| !listed.contains(id)) {
        match fetch(store, *id).await {
            Ok(view) => views.push(view),
            // Removed by its retention meanwhile.
            Err(StoreError::NotFound(_)) => {}
            Err(StoreError::Damaged { id, cause }) => {
                damaged.push(DamagedRecord { id: id.to_string(), cause });
            }
            Err(error) => return Err(error),
        }
    }
    Ok((views, damaged))
}
