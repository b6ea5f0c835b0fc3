//! `ferry stats`: the queue by account and step, and its findings.

use std::time::Duration;

use clap::Args;
use console::Style;

use super::error::{CliError, Exit};
use super::line::Line;
use super::show::table;
use super::ui::Ui;
use crate::app::App;
use crate::config::StoreLocation;
use crate::queue::{ALL_IS_FINE, AbandonedWebhooks, Now, Reading, processes};
use crate::words;
use ferry_store::{Stats as Counted, Store, StoreError, UnwritableReason};
use ferry_types::contract::{
    AccountView, DamagedProcess, FindingView, ProcessState, ProcessView, ProcessesView, Severity,
    StatsView, UndeliveredView,
};
use ferry_types::domain::account::Health;
use ferry_types::domain::submission::State;

/// Longest SQLite file that is checked, in bytes.
const CHECKED_BYTES: u64 = 128 << 20;

/// Processes that are listed.
const PROCESSES: usize = 20;

/// Show what is wrong, the queue by account and step, and the processes that use the store.
#[derive(Debug, Args)]
pub(super) struct Stats {}

impl Stats {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let counted = app.store.stats().await?;
        let unwritable = unwritable(app.store.as_ref()).await;
        let found = read(&app, &counted, None, &AbandonedWebhooks::default(), unwritable).await?;
        let ProcessesView { processes, damaged } = processes(app.store.as_ref()).await?;
        let of_store = found.findings.iter().filter(|finding| finding.account.is_none());
        if ui.json {
            for finding in of_store {
                ui.object(finding)?;
            }
            for account in &found.accounts {
                ui.object(account)?;
            }
            for process in &processes {
                ui.object(process)?;
            }
            for process in &damaged {
                ui.object(process)?;
            }
        } else {
            for line in of_store.flat_map(|finding| said(finding, "")) {
                ui.out(line)?;
            }
            let healths = counted.accounts.iter().map(|account| &account.health);
            if counted != Counted::default() && is_fine(&found.findings, healths) {
                ui.out(Line::from(ALL_IS_FINE))?;
            }
            for (account, view) in counted.accounts.iter().zip(&found.accounts) {
                for line in describe(view, &account.health) {
                    ui.out(line)?;
                }
            }
            for line in listed(&processes).into_iter().chain(damaged.iter().map(unreadable)) {
                ui.out(line)?;
            }
        }
        if counted == Counted::default() {
            ui.print_note(format!("the store {} is empty", app.store.location()));
        }
        Ok(Exit::Done)
    }
}

/// The numbers of a store as people see them, and all that is wrong. Of an SQLite file that is long to read the
/// checks are left to servers and workers.
pub(super) async fn read(
    app: &App,
    stats: &Counted,
    drain: Option<Duration>,
    abandoned: &AbandonedWebhooks,
    unwritable: Option<StoreError>,
) -> Result<StatsView, StoreError> {
    if is_checked_soon(&app.config.store) {
        app.durability.refresh(app.store.as_ref()).await;
    }
    let reported = app.store.look().await?.reported;
    let failed = app.durability.failed();
    let abandoned = abandoned.of(app.store.as_ref(), None).await?;
    let (at, policy) = (app.clock.now(), &app.config.health);
    let reading = Reading {
        stats,
        drain,
        now: Now { at, policy, abandoned: &abandoned },
        checked: match (reported, unwritable) {
            (Some(loss), _) => Err(loss),
            (None, Some(error)) => Err(error.to_string()),
            (None, None) => Ok(()),
        },
        failed: &failed,
    };
    Ok(reading.view())
}

/// The error of a store that can be read, and accepts no writes.
async fn unwritable(store: &dyn Store) -> Option<StoreError> {
    let error = store.probe_write().await.err()?;
    let is_of_user =
        matches!(error, StoreError::NotWritable { reason: UnwritableReason::MissingRights, .. });
    (!is_of_user).then_some(error)
}

/// True if nothing is wrong, and no account has failures that may pass.
fn is_fine<'a>(findings: &[FindingView], mut healths: impl Iterator<Item = &'a Health>) -> bool {
    findings.is_empty() && healths.all(|health| health.failures_so_far().is_none())
}

/// True if a check of the store takes moments. Of an SQLite file it reads all.
fn is_checked_soon(store: &StoreLocation) -> bool {
    match store {
        StoreLocation::Redis(..) => true,
        StoreLocation::Sqlite(path) => {
            std::fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_BYTES)
        }
    }
}

/// A finding in lines: its sentence, then its effect.
fn said(finding: &FindingView, indent: &str) -> [Line; 2] {
    let (sign, style) = match finding.severity {
        Severity::Bad => ("!", Style::new().red().bold()),
        Severity::Warn => ("!", Style::new().yellow()),
        Severity::Note => ("-", Style::new()),
    };
    let sentence =
        Line::from(indent).and(Line::styled(style, &format!("{sign} {}", finding.sentence)));
    [sentence, Line::from(format!("{indent}  {}", finding.effect))]
}

/// The processes that use the store, in lines.
fn listed(processes: &[ProcessView]) -> Vec<Line> {
    let line = |process: &ProcessView| {
        let said = words::process(process);
        match process.state {
            ProcessState::Silent => Line::styled(Style::new().yellow(), &format!("! {said}")),
            ProcessState::Running | ProcessState::Stopping => Line::from(said),
        }
    };
    let more = processes.len().saturating_sub(PROCESSES) as u64;
    let more = (more > 0).then(|| {
        let what = if more == 1 { "process" } else { "processes" };
        format!("{more} more {what}: --json lists all").into()
    });
    processes.iter().take(PROCESSES).map(line).chain(more).collect()
}

/// A process whose heartbeat cannot be read, in a line.
fn unreadable(process: &DamagedProcess) -> Line {
    let said = words::damaged_process(process);
    Line::styled(Style::new().yellow(), &format!("! {said}"))
}

/// The webhooks that were not delivered, in a line; none if there are none.
fn webhooks(webhooks: UndeliveredView) -> Option<String> {
    let UndeliveredView { waiting, abandoned } = webhooks;
    let wait = if waiting == 1 { "1 waits".to_owned() } else { format!("{waiting} wait") };
    let wait = (waiting > 0).then(|| format!("{wait} for a delivery"));
    let least = if abandoned.has_more { "at least " } else { "" };
    let given_up = (abandoned.count > 0).then(|| format!("{least}{} abandoned", abandoned.count));
    let parts: Vec<String> = wait.into_iter().chain(given_up).collect();
    (!parts.is_empty()).then(|| format!("  webhooks: {}", parts.join(", ")))
}

/// The queue of an account, in lines.
pub(super) fn describe(view: &AccountView, health: &Health) -> Vec<Line> {
    let states: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| Some(format!("{} {state}", view.states.get(&state)?)))
        .collect();
    let states = if states.is_empty() { "no submissions".to_owned() } else { states.join(", ") };
    let mut lines = vec![Line::from(format!("account `{}`: {states}", view.account))];
    let mut rows =
        vec![["step", "ready", "scheduled", "running", "oldest"].map(Line::from).to_vec()];
    for (kind, steps) in &view.steps {
        let oldest =
            steps.oldest_ready_seconds.map(|age| Duration::from_secs_f64(age.clamp(0.0, 1e9)));
        rows.push(vec![
            kind.into(),
            steps.ready.into(),
            steps.scheduled.into(),
            steps.running.into(),
            oldest.map_or("-".to_owned(), words::duration).into(),
        ]);
    }
    lines.extend(table(&rows).into_iter().map(|row| Line::from("  ").and(row)));
    lines.extend(webhooks(view.webhooks).map(Line::from));
    let stops = view.findings.iter().any(|finding| finding.sentence == view.condition);
    let is_usual = stops || ["", "runs"].contains(&view.condition.as_str());
    lines.extend((!is_usual).then(|| Line::from(format!("  {}", view.condition))));
    // From the first one on: a denial is seen before it is retried for long.
    let failures = health.failures_so_far().filter(|_| !stops);
    let failures = failures.map(|failing| words::failing(&view.account, &failing.into()));
    lines.extend(failures.map(|sentence| Line::from(format!("  {sentence}"))));
    lines.extend(view.findings.iter().flat_map(|finding| said(finding, "  ")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::contract::CountView;
    use ferry_types::domain::account::{HealthPolicy, Signal};
    use ferry_types::domain::submission::StepKind;
    use ferry_types::domain::timestamp;

    #[test]
    fn a_denial_is_shown_from_the_first_one_on() {
        let (mut health, policy, now) = (Health::default(), HealthPolicy::default(), timestamp(0));
        let denied = Signal::Unhealthy("UploadData: access denied (403)".to_owned());
        health.record(&denied, StepKind::Upload, now, &policy);
        assert!(is_fine(&[], [&Health::default()].into_iter()));
        assert!(!is_fine(&[], [&health].into_iter()), "the next line says otherwise");
        let view = AccountView { account: "main".to_owned(), ..AccountView::default() };
        let lines = describe(&view, &health);
        let last = lines.last().unwrap().written(false);
        let expected = "  no request of account `main` has succeeded since 1970-01-01 00:00:00 UTC, 1 \
                        failure, last error: UploadData: access denied (403)";
        assert_eq!(last, expected);
    }

    #[test]
    fn webhooks_that_were_not_delivered_are_counted() {
        let (none, two) = (CountView::default(), CountView { count: 2, has_more: true });
        let said = |waiting, abandoned| webhooks(UndeliveredView { waiting, abandoned });
        assert_eq!(said(0, none), None);
        assert_eq!(said(3, none).unwrap(), "  webhooks: 3 wait for a delivery");
        let both = "  webhooks: 1 waits for a delivery, at least 2 abandoned";
        assert_eq!(said(1, two).unwrap(), both);
    }
}
