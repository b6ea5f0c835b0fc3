//! One account: what stops it, since when and until when, its steps, and its settings.

use std::time::Duration;

use askama::Template;

use super::access::AccessFacts;
use super::frame::Frame;
use super::overview::AccountRow;
use super::system::SettingRow;
use super::text::{Moment, Sentence, number};
use super::verdict::{Finding, findings};
use crate::words;
use ferry_types::contract::{AccountView, SettingView, StepView};
use ferry_types::domain::submission::StepKind;

/// The steps of a kind.
#[derive(Debug)]
pub(crate) struct Steps {
    kind: StepKind,
    ready: String,
    scheduled: String,
    running: String,
    oldest: String,
}

/// An outage, as the circuit breaker has it.
#[derive(Debug)]
pub(crate) struct OutageFacts {
    since: Option<Moment>,
    failures: String,
    error: Option<Sentence>,
    next_probe: Moment,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    frame: Frame,
    account: AccountRow,
    /// All that is wrong with it.
    findings: Vec<Finding>,
    outage: Option<OutageFacts>,
    steps: Vec<Steps>,
    /// Its access to the Platform; none for those who may not see settings.
    access: Option<AccessFacts>,
    /// Its settings; none for those who may not see them.
    settings: Option<Vec<SettingRow>>,
}

impl AccountPage {
    /// The page of an account, with the submissions that became final in each of the last minutes.
    pub(crate) fn new(
        frame: Frame,
        view: &AccountView,
        minutes: &[u32],
        settings: &[SettingView],
        access: Option<AccessFacts>,
    ) -> Self {
        let own = settings.iter().filter(|one| one.account.as_ref() == Some(&view.account));
        let own: Vec<SettingRow> = own.map(SettingRow::new).collect();
        let outage = view.outage.as_ref().map(|outage| OutageFacts {
            since: outage.since.map(Moment::from),
            failures: number(outage.failures.into()),
            error: outage.last_error.as_deref().map(Sentence::from),
            next_probe: outage.next_probe_at.into(),
        });
        Self {
            account: AccountRow::new(view, frame.may_operate()).with_pace(minutes),
            // The act that ends a pause stands below.
            findings: findings(&view.findings, false),
            outage,
            access,
            steps: view.steps.iter().map(|(kind, view)| steps(*kind, view)).collect(),
            settings: frame.may_administer().then_some(own),
            frame,
        }
    }
}

fn steps(kind: StepKind, view: &StepView) -> Steps {
    let oldest = view.oldest_ready_seconds;
    let oldest = oldest.map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
    Steps {
        kind,
        ready: number(view.ready),
        scheduled: number(view.scheduled),
        running: number(view.running),
        oldest: oldest.map_or("–".to_owned(), words::duration),
    }
}
