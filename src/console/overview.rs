//! The overview, and the accounts.

use std::time::Duration;

use askama::Template;

use super::access::client;
use super::acts::{Act, on_account};
use super::frame::Frame;
use super::list::Row;
use super::spark::Spark;
use super::text::{Mark, Sentence, encoded, number, visible};
use super::verdict::{Finding, findings};
use crate::queue::unfinished;
use crate::words;
use ferry_types::contract::{AccountView, SettingView, StatsView, SubmissionView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{State, StepKind};

/// The number of submissions in a state.
#[derive(Debug)]
pub(crate) struct Count {
    /// The state.
    pub(crate) state: Mark,
    /// The number.
    pub(crate) total: String,
    /// The list of them.
    pub(crate) link: String,
}

/// An account in a table.
#[derive(Debug)]
pub(crate) struct AccountRow {
    /// Its name.
    pub(crate) name: String,
    /// Its page.
    pub(crate) page: String,
    /// The list of its submissions.
    pub(crate) link: String,
    /// Its condition now: that it runs, or the sentence of the worst finding.
    pub(crate) now: Sentence,
    /// True if it runs no steps, or none that succeeds.
    pub(crate) is_blocked: bool,
    /// Number of unfinished submissions.
    pub(crate) unfinished: String,
    ready: String,
    scheduled: String,
    running: String,
    oldest: String,
    /// Its submissions by state.
    pub(crate) counts: Vec<Count>,
    /// Pause and resume.
    pub(crate) acts: Vec<Act>,
    /// Its client and hosts, for those who may see settings.
    pub(crate) client: Vec<(&'static str, String)>,
    /// Its pace; none on pages that do not show it.
    pub(crate) spark: Option<Spark>,
}

impl AccountRow {
    pub(super) fn new(account: &AccountView, may_operate: bool) -> Self {
        let steps = account.steps.values();
        let sum = |count: fn(&ferry_types::contract::StepView) -> u64| {
            number(steps.clone().map(count).sum())
        };
        let oldest = steps.clone().filter_map(|step| step.oldest_ready_seconds).reduce(f64::max);
        let oldest = oldest.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        let worst = account.findings.iter().find(|found| found.sentence == account.condition);
        Self {
            name: visible(&account.account),
            page: format!("/console/accounts/{}", encoded(&account.account)),
            link: format!("/console/submissions?account={}", encoded(&account.account)),
            now: Sentence::until(&account.condition, worst.and_then(|worst| worst.until)),
            is_blocked: worst.is_some(),
            unfinished: number(unfinished(account)),
            ready: sum(|step| step.ready),
            scheduled: sum(|step| step.scheduled),
            running: sum(|step| step.running),
            oldest: oldest.map_or("–".to_owned(), words::duration),
            counts: counts([account], &format!("&account={}", encoded(&account.account))),
            acts: if may_operate { on_account(account) } else { Vec::new() },
            client: Vec::new(),
            spark: None,
        }
    }

    /// The same with the submissions that became final in each of the last minutes.
    pub(super) fn with_pace(self, minutes: &[u32]) -> Self {
        Self { spark: Some(Spark::new(minutes)), ..self }
    }
}

/// The states that have submissions, with their numbers.
fn counts<'a>(accounts: impl IntoIterator<Item = &'a AccountView>, filter: &str) -> Vec<Count> {
    let accounts: Vec<&AccountView> = accounts.into_iter().collect();
    let count = |state: State| -> u64 {
        accounts.iter().filter_map(|account| account.states.get(&state)).sum()
    };
    let counted = State::ALL.into_iter().map(|state| (state, count(state)));
    let shown = counted.filter(|(_, count)| *count > 0).map(|(state, count)| Count {
        state: state.into(),
        total: number(count),
        link: format!("/console/submissions?state={state}{filter}"),
    });
    shown.collect()
}

/// The overview.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    frame: Frame,
    findings: Vec<Finding>,
    counts: Vec<Count>,
    drain: Option<String>,
    /// The number of submissions that are uploaded later; none if there are none.
    later: Option<String>,
    accounts: Vec<AccountRow>,
    rejected: Vec<Row>,
    held: Vec<Row>,
    /// False if the queue could not be read.
    is_known: bool,
}

impl OverviewPage {
    /// The page without the queue, which could not be read.
    pub(crate) fn without_queue(self) -> Self {
        Self { is_known: false, ..self }
    }

    /// The overview of the queue, with the newest rejected and held submissions, and the pace of each account.
    pub(crate) fn new(
        frame: Frame,
        stats: &StatsView,
        [rejected, held]: &[Vec<SubmissionView>; 2],
        now: Timestamp,
        pace: impl Fn(&str) -> Vec<u32>,
    ) -> Self {
        let row = |view: &SubmissionView| Row::new(view, now);
        let drain = stats.drain_seconds.filter(|seconds| *seconds >= 1.0);
        let drain = drain.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        Self {
            findings: findings(&stats.findings, frame.may_operate()),
            counts: counts(&stats.accounts, ""),
            drain: drain.map(words::duration),
            later: later(&stats.accounts),
            accounts: stats
                .accounts
                .iter()
                .map(|one| AccountRow::new(one, false).with_pace(&pace(&one.account)))
                .collect(),
            rejected: rejected.iter().map(row).collect(),
            held: held.iter().map(row).collect(),
            is_known: true,
            frame,
        }
    }
}

/// The submissions that wait for the time of their upload.
fn later(accounts: &[AccountView]) -> Option<String> {
    let uploads = accounts.iter().filter_map(|account| account.steps.get(&StepKind::Upload));
    let count: u64 = uploads.map(|steps| steps.scheduled).sum();
    let noun = if count == 1 { "submission is" } else { "submissions are" };
    (count > 0).then(|| format!("{} {noun}", number(count)))
}

/// The accounts.
#[derive(Debug, Template)]
#[template(path = "accounts.html")]
pub(crate) struct AccountsPage {
    frame: Frame,
    accounts: Vec<AccountRow>,
}

impl AccountsPage {
    /// The accounts, and the settings of those that are configured.
    pub(crate) fn new(frame: Frame, accounts: &[AccountView], settings: &[SettingView]) -> Self {
        let may_operate = frame.may_operate();
        let settings = if frame.may_administer() { settings } else { &[] };
        let row = |account: &AccountView| AccountRow {
            client: client(&account.account, settings),
            ..AccountRow::new(account, may_operate)
        };
        Self { accounts: accounts.iter().map(row).collect(), frame }
    }
}
