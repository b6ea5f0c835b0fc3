//! `ferry stats`: how much there is to do, and what stops it.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::line::Line;
use super::show;
use super::ui::Ui;
use crate::app::App;
use crate::queue;
use crate::words;
use ferry_store::selection::{Count, Selection};
use ferry_store::{AccountStats, LOOKED_AT, Stats as Counted, StepStats, Store, StoreError};
use ferry_types::domain::account::{Admission, BlockReason, HealthPolicy};
use ferry_types::domain::submission::{State, StepKind, WebhookState};
use ferry_types::domain::{Timestamp, until};

/// Show the queue by account and step.
#[derive(Debug, Args)]
pub(super) struct Stats {}

impl Stats {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let stats = app.store.stats().await?;
        let (now, policy) = (app.clock.now(), app.config.health);
        let (abandoned, has_more) =
            if ui.json { Default::default() } else { abandoned(app.store.as_ref()).await? };
        for account in &stats.accounts {
            let steps: Vec<&StepStats> =
                stats.steps.iter().filter(|steps| steps.account == account.account).collect();
            if ui.json {
                ui.object(&queue::account(account, &stats, now, &policy))?;
            } else {
                for line in describe(account, &steps, now, &policy) {
                    ui.out(line)?;
                }
                let count = abandoned.get(&account.account).copied().unwrap_or_default();
                if let Some(line) = webhooks(&steps, Count { count, has_more }) {
                    ui.out(Line::from(line))?;
                }
            }
        }
        if stats == Counted::default() {
            ui.print_note(format!("the store {} is empty", app.store.location()));
        }
        Ok(Exit::Done)
    }
}

/// The numbers of webhooks that were given up, by account, among the newest submissions of all accounts; true if
/// there may be more.
async fn abandoned(store: &dyn Store) -> Result<(BTreeMap<String, u64>, bool), StoreError> {
    let selection = Selection { webhook: Some(WebhookState::Failed), ..Selection::default() };
    let page = selection.page(store, None, LOOKED_AT).await?;
    let mut abandoned = BTreeMap::new();
    for found in page.found.iter().map(|found| &found.submission) {
        let is_given_up = found.step != Some(StepKind::Deliver);
        *abandoned.entry(found.account.clone()).or_default() += u64::from(is_given_up);
    }
    Ok((abandoned, page.next.is_some()))
}

/// The webhooks that were not delivered, in a line; none if there are none.
fn webhooks(steps: &[&StepStats], abandoned: Count) -> Option<String> {
    let deliveries = steps.iter().filter(|steps| steps.kind == StepKind::Deliver);
    let waiting: u64 = deliveries.map(|step| step.ready + step.scheduled + step.running).sum();
    let wait = if waiting == 1 { "1 waits".to_owned() } else { format!("{waiting} wait") };
    let wait = (waiting > 0).then(|| format!("{wait} for a delivery"));
    let least = if abandoned.has_more { "at least " } else { "" };
    let given_up = (abandoned.count > 0).then(|| {
        let count = abandoned.count;
        format!(
            "{least}{count} abandoned: `ferry webhooks redeliver --webhook failed` begins again"
        )
    });
    let parts: Vec<String> = wait.into_iter().chain(given_up).collect();
    (!parts.is_empty()).then(|| format!("  webhooks: {}", parts.join(", ")))
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
            let failing = || account.health.failures_so_far();
            outage.or_else(|| Some(format!("  {}", failing()?.words())))
        }
        Admission::Blocked(reason) => {
            Some(format!("  {}", words::blocked(&account.account, &reason, now)))
        }
    };
    lines.extend(blocked.map(Line::from));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::account::{Health, Signal};
    use ferry_types::domain::timestamp;

    #[test]
    fn a_denial_is_shown_from_the_first_one_on() {
        let (mut health, policy, now) = (Health::default(), HealthPolicy::default(), timestamp(0));
        let denied = Signal::Unhealthy("UploadData: access denied (403)".to_owned());
        health.record(&denied, StepKind::Upload, now, &policy);
        let account = AccountStats { account: "main".to_owned(), states: [].into(), health };
        let lines = describe(&account, &[], now, &policy);
        let last = lines.last().unwrap().written(false);
        let expected = "  no request has succeeded since 1970-01-01 00:00:00 UTC, 1 failure; last error: \
                        UploadData: access denied (403)";
        assert_eq!(last, expected);
    }

    #[test]
    fn webhooks_that_were_not_delivered_are_counted_with_the_next_command() {
        let none = Count::default();
        assert_eq!(webhooks(&[], none), None);
        let steps =
            StepStats { ready: 1, scheduled: 2, ..StepStats::none("main", StepKind::Deliver) };
        let waiting = webhooks(&[&steps], none).unwrap();
        assert_eq!(waiting, "  webhooks: 3 wait for a delivery");
        let both = webhooks(&[&steps], Count { count: 2, has_more: true }).unwrap();
        let expected = "  webhooks: 3 wait for a delivery, at least 2 abandoned: `ferry webhooks redeliver \
                        --webhook failed` begins again";
        assert_eq!(both, expected);
    }
}
