//! Numbers of steps and submissions, counted along indexes alone.

use std::collections::BTreeMap;
use std::time::Instant;

use rusqlite::params;

use super::error::SqliteError;
use super::health;
use super::last_counts::Counted;
use super::read::RecordReader;
use super::records::{millis, value};
use crate::{AccountStats, Stats, StepStats};
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{timestamp, until};

impl RecordReader<'_> {
    /// The numbers of all accounts, or of one.
    pub(super) fn stats(&self, only: Option<&str>) -> Result<Stats, SqliteError> {
        let accounts = match only {
            Some(account) => health::one(self.connection, account)?,
            None => health::all(self.connection)?,
        };
        let mut stats = Stats::default();
        for (account, health) in accounts {
            for kind in StepKind::ALL {
                stats.steps.push(self.step_stats(&account, kind)?);
            }
            let states = self.states(&account)?;
            stats.accounts.push(AccountStats { account, health, states });
        }
        Ok(stats)
    }

    /// The submissions of an account by state.
    fn states(&self, account: &str) -> Result<BTreeMap<State, u64>, SqliteError> {
        let mut counts = self.connection.prepare_cached(
            "SELECT state, submissions FROM counts WHERE account = ?1 AND submissions > 0",
        )?;
        let mut states = BTreeMap::new();
        let mut rows = counts.query([account])?;
        while let Some(row) = rows.next()? {
            // A count that cannot be read is left out.
            if let (Ok(state), Ok(count)) = (value(row, 0), row.get::<_, i64>(1)) {
                states.insert(state, count.unsigned_abs());
            }
        }
        Ok(states)
    }

    fn step_stats(&self, account: &str, kind: StepKind) -> Result<StepStats, SqliteError> {
        let started = Instant::now();
        let counted = if let Some(last) = self.last_counts.get(account, kind, started) {
            last
        } else {
            let counted = self.counted(account, kind)?;
            self.last_counts.put(account, kind, counted, (started, Instant::now()));
            counted
        };
        let (waiting, waiting_scheduled) = counted.behind;
        let age = |due: Option<i64>| due.map(|due| until(timestamp(due), self.now));
        Ok(StepStats {
            account: account.to_owned(),
            kind,
            ready: counted.runnable + waiting,
            runnable: counted.runnable,
            behind: waiting + waiting_scheduled,
            scheduled: counted.scheduled + waiting_scheduled,
            running: self.running(account, kind)?,
            oldest_ready: age(counted.oldest),
            oldest_runnable: age(counted.oldest_runnable),
        })
    }

    fn counted(&self, account: &str, kind: StepKind) -> Result<Counted, SqliteError> {
        let now = millis(self.now);
        let count = |sql: &str| -> Result<(u64, Option<i64>), SqliteError> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let (count, oldest): (i64, Option<i64>) = statement
                .query_row(params![kind.as_str(), account, now], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            Ok((count.unsigned_abs(), oldest))
        };
        let (runnable, oldest) = count(
            "SELECT count(*), min(due_at) FROM submissions
             WHERE step = ?1 AND account = ?2 AND priority IN (0, 1, 2) AND due_at <= ?3
                 AND leased_until IS NULL AND has_predecessor = 0",
        )?;
        let (scheduled, _) = count(
            "SELECT count(*), NULL FROM submissions
             WHERE step = ?1 AND account = ?2 AND priority IN (0, 1, 2) AND due_at > ?3
                 AND leased_until IS NULL AND has_predecessor = 0",
        )?;
        let (waiting, waiting_oldest, waiting_scheduled) = self.waiting_for_names(account, kind)?;
        Ok(Counted {
            runnable,
            scheduled,
            behind: (waiting, waiting_scheduled),
            oldest: [oldest, waiting_oldest].into_iter().flatten().min(),
            oldest_runnable: oldest,
        })
    }

    /// Steps that workers hold.
    fn running(&self, account: &str, kind: StepKind) -> Result<u64, SqliteError> {
        let mut leased = self.connection.prepare_cached(
            "SELECT count(*) FROM submissions INDEXED BY leased_by_account
             WHERE account = ?1 AND step = ?2 AND leased_until IS NOT NULL",
        )?;
        let count: i64 = leased.query_row([account, kind.as_str()], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Of the submissions that wait for an earlier one of their name: how many are due, since when,
    /// and how many are due later.
    fn waiting_for_names(
        &self,
        account: &str,
        kind: StepKind,
    ) -> Result<(u64, Option<i64>, u64), SqliteError> {
        let mut due = self.connection.prepare_cached(
            "SELECT count(*), min(due_at) FROM submissions
             WHERE has_predecessor = 1 AND step = ?1 AND account = ?2 AND due_at <= ?3",
        )?;
        let mut later = self.connection.prepare_cached(
            "SELECT count(*) FROM submissions
             WHERE has_predecessor = 1 AND step = ?1 AND account = ?2 AND due_at > ?3",
        )?;
        let parameters = params![kind.as_str(), account, millis(self.now)];
        let (due, oldest): (i64, _) =
            due.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let later: i64 = later.query_row(parameters, |row| row.get(0))?;
        Ok((due.unsigned_abs(), oldest, later.unsigned_abs()))
    }
}
