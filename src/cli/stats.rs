//! `ferry stats`: how much there is to do, and what stops it.

use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::line::Line;
use super::show;
use super::ui::Ui;
use crate::app::App;
use crate::queue;
use crate::words;
use ferry_store::{AccountStats, Stats as Counted, StepStats};
use ferry_types::domain::account::{Admission, BlockReason, HealthPolicy};
use ferry_types::domain::submission::State;
use ferry_types::domain::{Timestamp, until};

/// Show the queue by account and step.
#[derive(Debug, Args)]
pub(super) struct Stats {}

impl Stats {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let stats = app.store.stats().await?;
        let (now, policy) = (app.clock.now(), app.config.health);
        for account in &stats.accounts {
            let steps: Vec<&StepStats> =
                stats.steps.iter().filter(|steps| steps.account == account.account).collect();
            if ui.json {
                ui.object(&queue::account(account, &stats, now, &policy))?;
            } else {
                for line in describe(account, &steps, now, &policy) {
                    ui.out(line)?;
                }
            }
        }
        if stats == Counted::default() {
            ui.print_note(format!("the store {} is empty", app.store.location()));
        }
        Ok(Exit::Done)
    }
}

/// The queue of an account, in lines.
pub(super) fn describe(
    account: &AccountStats,
    steps: &[&StepStats],
    now: Timestamp,
    policy: &HealthPolicy,
) -> Vec<Line> {
    let states: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| Some(format!("{} {state}", account.states.get(&state)?)))
        .collect();
    let states = if states.is_empty() { "no submissions".to_owned() } else { states.join(", ") };
    let mut lines = vec![Line::from(format!("account `{}`: {states}", account.account))];
    let mut rows =
        vec![["step", "ready", "scheduled", "running", "oldest"].map(Line::from).to_vec()];
    for steps in steps {
        rows.push(vec![
            steps.kind.into(),
            steps.ready.into(),
            steps.scheduled.into(),
            steps.running.into(),
            steps.oldest_ready.map_or("-".to_owned(), words::duration).into(),
        ]);
    }
    lines.extend(show::table(&rows).into_iter().map(|row| Line::from("  ").and(row)));
    let outage = account.health.outage().map(|outage| {
        let probe = match until(now, outage.next_probe_at) {
            Duration::ZERO => "a probe is due".to_owned(),
            delay => format!("next probe in {}", words::duration(delay)),
        };
        format!("  {}", outage.words(&probe))
    });
    let blocked = match account.health.admit(now, policy) {
        Admission::Open
        | Admission::UpTo(_)
        | Admission::Blocked(BlockReason::BreakerOpen { .. }) => {
            let failing = || account.health.failing(now, policy);
            outage.or_else(|| Some(format!("  {}", failing()?.words())))
        }
        Admission::Blocked(reason) => {
            Some(format!("  {}", words::blocked(&account.account, &reason, now)))
        }
    };
    lines.extend(blocked.map(Line::from));
    lines
}
