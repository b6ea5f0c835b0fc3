//! Reads that change nothing.

use super::data::{Data, MemoryAccount, Row};
use super::is_at_rest;
use crate::{
    AccountStats, Cursor, Event, Events, Filter, Page, Stats, StepStats, SubmissionDetail,
    first_millisecond,
};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{StepKind, Submission, Surroundings};
use ferry_types::domain::{SubmissionId, Timestamp, until};

impl Data {
    pub(super) fn found(
        &self,
        id: SubmissionId,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> Option<SubmissionDetail> {
        Some(self.explain(self.row(id)?, policy, now))
    }

    fn explain(&self, row: &Row, policy: &HealthPolicy, now: Timestamp) -> SubmissionDetail {
        let submission = row.shown();
        let MemoryAccount { health, limit_usage } =
            self.accounts.get(&submission.account).cloned().unwrap_or_default();
        let first_of_name = self.unfinished(&submission).next().map(|(_, id)| id);
        let (health, limit_usage) = (&health, &limit_usage);
        let around = Surroundings { first_of_name, health, limit_usage, policy, now };
        SubmissionDetail { waiting_for: submission.waiting_for(&around), submission }
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> Page {
        let below = after.map_or(u64::MAX, |Cursor(seq)| seq);
        let rows = self.rows.range(..below).rev();
        let mut matching = rows.filter(|(_, row)| matches(filter, &row.submission));
        let found: Vec<_> = matching.by_ref().take(limit).collect();
        let last = found.last().map(|(seq, _)| Cursor(**seq));
        let next = last.filter(|_| matching.next().is_some());
        let start = found.first().map(|(seq, _)| Cursor(**seq + 1));
        let found = found.into_iter().map(|(_, r)| self.explain(r, policy, now)).collect();
        Page { found, damaged: Vec::new(), next, start }
    }

    pub(super) fn events(&self, after: u64, limit: usize) -> Events {
        let oldest = self.events.front().map_or(self.newest, |event| event.cursor - 1);
        let events = self.events.iter().filter(|event: &&Event| event.cursor > after);
        Events {
            epoch: self.epoch(),
            events: events.take(limit).cloned().collect(),
            oldest,
            newest: self.newest,
        }
    }

    pub(super) fn stats(&self, now: Timestamp) -> Stats {
        let mut stats = Stats::default();
        for (account, known) in &self.accounts {
            let of_account = || {
                let submissions = self.rows.values().map(|row| &row.submission);
                submissions.filter(|submission| submission.account == *account)
            };
            for kind in StepKind::ALL {
                stats.steps.push(step_stats(account, kind, of_account(), now));
            }
            let mut states = std::collections::BTreeMap::new();
            for submission in of_account() {
                *states.entry(submission.state).or_default() += 1;
            }
            let health = known.health.clone();
            stats.accounts.push(AccountStats { account: account.clone(), health, states });
        }
        stats
    }
}

fn step_stats<'a>(
    account: &str,
    kind: StepKind,
    submissions: impl Iterator<Item = &'a Submission>,
    now: Timestamp,
) -> StepStats {
    let account = account.to_owned();
    let mut stats =
        StepStats { account, kind, ready: 0, scheduled: 0, running: 0, oldest_ready: None };
    for submission in submissions.filter(|submission| submission.step == Some(kind)) {
        match submission.due_at {
            _ if submission.leased_until.is_some() => stats.running += 1,
            Some(due) if due <= now => {
                stats.ready += 1;
                stats.oldest_ready = stats.oldest_ready.max(Some(until(due, now)));
            }
            Some(_) => stats.scheduled += 1,
            None => debug_assert!(is_at_rest(submission.state), "{submission:?}"),
        }
    }
    stats
}

fn matches(filter: &Filter, submission: &Submission) -> bool {
    let created = submission.created_at.timestamp_millis();
    filter.account.as_ref().is_none_or(|account| *account == submission.account)
        && filter.name.as_ref().is_none_or(|name| *name == submission.name)
        && filter.labels.iter().all(|(key, value)| submission.labels.get(key) == Some(value))
        && (filter.states.is_empty() || filter.states.contains(&submission.state))
        && filter.created_after.is_none_or(|after| created >= first_millisecond(after))
        && filter.created_before.is_none_or(|before| created < first_millisecond(before))
}
