//! Reads that change nothing.

use std::collections::BTreeSet;

use super::data::{Data, MemoryAccount, Row};
use super::is_at_rest;
use crate::listing::Listing;
use crate::{
    AccountStats, Cursor, Event, Events, Filter, Page, Stats, StepStats, SubmissionDetail,
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
        let late = self.late(&submission);
        let around = Surroundings { first_of_name, late, health, limit_usage, policy, now };
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
        let mut rows: Box<dyn Iterator<Item = (u64, &Row)>> = match &filter.accounts[..] {
            [] => Box::new(self.rows.range(..below).rev().map(|(seq, row)| (*seq, row))),
            accounts => Box::new(self.of_accounts(accounts.iter().map(String::as_str), below)),
        };
        let mut listing = Listing::new(limit);
        while !listing.is_full()
            && let Some((seq, row)) = rows.next()
        {
            let is_listed = filter.matches(&row.submission);
            listing.look(seq, is_listed.then(|| Ok(self.explain(row, policy, now))));
        }
        let is_end = rows.next().is_none();
        listing.into_page(is_end)
    }

    /// Those of some accounts, newest first.
    fn of_accounts<'a>(
        &self,
        accounts: impl IntoIterator<Item = &'a str>,
        below: u64,
    ) -> impl Iterator<Item = (u64, &Row)> {
        let seqs = accounts.into_iter().filter_map(|account| self.by_account.get(account));
        let seqs: BTreeSet<u64> = seqs.flat_map(|seqs| seqs.range(..below)).copied().collect();
        seqs.into_iter().rev().filter_map(|seq| Some((seq, self.rows.get(&seq)?)))
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
        for account in self.accounts.keys() {
            let of_account = self.stats_of(account, now);
            stats.steps.extend(of_account.steps);
            stats.accounts.extend(of_account.accounts);
        }
        stats
    }

    pub(super) fn stats_of(&self, account: &str, now: Timestamp) -> Stats {
        let Some(known) = self.accounts.get(account) else { return Stats::default() };
        let of_account = || self.of_accounts([account], u64::MAX).map(|(_, row)| &row.submission);
        let steps = StepKind::ALL.into_iter();
        let steps = steps.map(|kind| step_stats(account, kind, of_account(), now)).collect();
        let mut states = std::collections::BTreeMap::new();
        for submission in of_account() {
            *states.entry(submission.state).or_default() += 1;
        }
        let (account, health) = (account.to_owned(), known.health.clone());
        Stats { steps, accounts: vec![AccountStats { account, health, states }] }
    }
}

fn step_stats<'a>(
    account: &str,
    kind: StepKind,
    submissions: impl Iterator<Item = &'a Submission>,
    now: Timestamp,
) -> StepStats {
    let mut stats = StepStats::none(account, kind);
    for submission in submissions.filter(|submission| submission.step == Some(kind)) {
        let waits = submission.due_at.is_some() && submission.leased_until.is_none();
        stats.behind += u64::from(waits && submission.has_predecessor);
        match submission.due_at {
            _ if submission.leased_until.is_some() => stats.running += 1,
            Some(due) if due <= now => {
                stats.ready += 1;
                let age = Some(until(due, now));
                stats.oldest_ready = stats.oldest_ready.max(age);
                if !submission.has_predecessor {
                    stats.runnable += 1;
                    stats.oldest_runnable = stats.oldest_runnable.max(age);
                }
            }
            Some(_) => stats.scheduled += 1,
            None => debug_assert!(is_at_rest(submission.state), "{submission:?}"),
        }
    }
    stats
}
