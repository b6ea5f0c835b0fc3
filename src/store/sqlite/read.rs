//! What can be read without changing anything.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::fault::Fault;
use super::health;
use super::rows::{COLUMNS, Record, millis, records};
use crate::contract::WaitingFor;
use crate::domain::account::{Admission, Health, HealthPolicy};
use crate::domain::submission::{State, StepKind, TimelineEntry};
use crate::domain::{SubmissionId, Timestamp, timestamp, until};
use crate::store::{AccountStats, Cursor, Filter, Found, Page, Stats, StepStats};

/// Looks at submissions, and says why they do not move.
pub(super) struct Reader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) policy: &'a HealthPolicy,
    pub(super) now: Timestamp,
}

impl Reader<'_> {
    pub(super) fn get(&self, id: SubmissionId) -> Result<Option<Found>, Fault> {
        let accounts = health::all(self.connection)?;
        let record = Record::find(self.connection, id)?;
        record.map(|record| self.explain(record, &accounts)).transpose()
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, Fault> {
        // One more than asked for tells whether more follow.
        let mut found = if filter.states.is_empty() {
            self.matching(filter, None, after, limit + 1)?
        } else {
            let mut found = Vec::new();
            for state in &filter.states {
                found.extend(self.matching(filter, Some(*state), after, limit + 1)?);
            }
            found.sort_unstable_by_key(|record| std::cmp::Reverse(record.seq));
            found.dedup_by_key(|record| record.seq);
            found
        };
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|record| Cursor(record.seq.unsigned_abs()));
        let accounts = health::all(self.connection)?;
        let found = found.into_iter().map(|record| self.explain(record, &accounts));
        Ok(Page { found: found.collect::<Result<_, _>>()?, next: last.filter(|_| more) })
    }

    fn matching(
        &self,
        filter: &Filter,
        state: Option<State>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Record>, Fault> {
        let mut sql = ["SELECT ", COLUMNS, " FROM "].concat();
        let mut values: Vec<Value> = Vec::new();
        // CROSS JOIN keeps SQLite from scanning all submissions where labels are few.
        for (n, (key, value)) in filter.labels.iter().enumerate() {
            sql += &format!("labels l{n} CROSS JOIN ");
            values.extend([Value::from(key.clone()), Value::from(value.clone())]);
        }
        sql += "submissions s WHERE 1";
        for n in 0..filter.labels.len() {
            sql += &format!(" AND l{n}.key = ? AND l{n}.value = ? AND l{n}.submission = s.seq");
        }
        let mut require = |condition: &str, value: Option<Value>| {
            if let Some(value) = value {
                sql += condition;
                values.push(value);
            }
        };
        require(" AND s.seq < ?", after.map(|cursor| Value::from(cursor.0 as i64)));
        require(" AND s.state = ?", state.map(|state| Value::from(state.as_str().to_owned())));
        require(" AND s.name = ?", filter.name.clone().map(Value::from));
        require(" AND s.account = ?", filter.account.clone().map(Value::from));
        sql += " ORDER BY s.seq DESC LIMIT ?";
        values.push(Value::from(limit as i64));
        records(&mut self.connection.prepare_cached(&sql)?, params_from_iter(values))
    }

    fn explain(&self, record: Record, accounts: &BTreeMap<String, Health>) -> Result<Found, Fault> {
        let waiting_for = self.waiting_for(&record, accounts)?;
        Ok(Found { submission: record.submission, waiting_for })
    }

    fn waiting_for(
        &self,
        record: &Record,
        accounts: &BTreeMap<String, Health>,
    ) -> Result<Option<WaitingFor>, Fault> {
        let submission = &record.submission;
        if submission.state == State::Held {
            return Ok(Some(WaitingFor::Decision));
        }
        let (Some(step), Some(due)) = (submission.step, submission.due_at) else { return Ok(None) };
        if submission.leased_until.is_some() {
            return Ok(None);
        }
        if record.blocked {
            let first = self.first_of_its_name(record)?;
            return Ok(first.map(|submission| WaitingFor::Name { submission }));
        }
        let health = accounts.get(&submission.account);
        if let Some(Admission::Closed(why)) =
            health.map(|health| health.admit(self.now, self.policy))
        {
            return Ok(Some(WaitingFor::Account(why)));
        }
        Ok(Some(if due > self.now {
            WaitingFor::DueTime { at: due, step }
        } else {
            WaitingFor::Worker { step }
        }))
    }

    fn first_of_its_name(&self, record: &Record) -> Result<Option<SubmissionId>, Fault> {
        let submission = &record.submission;
        let id: Option<String> = self
            .connection
            .prepare_cached(
                "SELECT id FROM submissions
                 WHERE account = ?1 AND name = ?2 AND finished_at IS NULL ORDER BY seq LIMIT 1",
            )?
            .query_row([&submission.account, &submission.name], |row| row.get(0))
            .optional()?;
        id.map(|id| id.parse().map_err(Fault::corrupt)).transpose()
    }

    pub(super) fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, Fault> {
        let record = Record::load(self.connection, id)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT at, state, why FROM timeline WHERE submission = ?1 ORDER BY entry",
        )?;
        let mut rows = statement.query([record.seq])?;
        let mut timeline = Vec::new();
        while let Some(row) = rows.next()? {
            timeline.push(TimelineEntry {
                at: timestamp(row.get(0)?),
                state: row.get::<_, String>(1)?.parse().map_err(Fault::corrupt)?,
                why: row.get(2)?,
            });
        }
        Ok(timeline)
    }

    pub(super) fn stats(&self) -> Result<Stats, Fault> {
        let accounts = health::all(self.connection)?;
        let mut steps = Vec::with_capacity(accounts.len() * StepKind::ALL.len());
        for account in accounts.keys() {
            for kind in StepKind::ALL {
                steps.push(self.step_stats(account, kind)?);
            }
        }
        let mut stats = Stats { steps, accounts: Vec::with_capacity(accounts.len()) };
        let mut counts = self.connection.prepare_cached(
            "SELECT state, submissions FROM counts WHERE account = ?1 AND submissions > 0",
        )?;
        for (account, health) in accounts {
            let mut states = BTreeMap::new();
            let mut rows = counts.query([&account])?;
            while let Some(row) = rows.next()? {
                let state = row.get::<_, String>(0)?.parse().map_err(Fault::corrupt)?;
                states.insert(state, row.get::<_, i64>(1)?.unsigned_abs());
            }
            stats.accounts.push(AccountStats { account, health, states });
        }
        Ok(stats)
    }

    fn step_stats(&self, account: &str, kind: StepKind) -> Result<StepStats, Fault> {
        let now = millis(self.now);
        let count = |sql: &str| -> Result<(u64, Option<i64>), Fault> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let (count, oldest): (i64, Option<i64>) = statement
                .query_row(params![kind.as_str(), account, now], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            Ok((count.unsigned_abs(), oldest))
        };
        let (ready, oldest) = count(
            "SELECT count(*), min(due_at) FROM submissions
             WHERE step = ?1 AND account = ?2 AND priority IN (0, 1, 2) AND due_at <= ?3
                 AND leased_until IS NULL AND blocked = 0",
        )?;
        let (scheduled, _) = count(
            "SELECT count(*), NULL FROM submissions
             WHERE step = ?1 AND account = ?2 AND priority IN (0, 1, 2) AND due_at > ?3
                 AND leased_until IS NULL AND blocked = 0",
        )?;
        let (leased, _) = count(
            "SELECT count(*), NULL FROM submissions
             WHERE leased_until IS NOT NULL AND step = ?1 AND account = ?2 AND ?3",
        )?;
        Ok(StepStats {
            account: account.to_owned(),
            kind,
            ready,
            scheduled,
            leased,
            oldest_ready: oldest.map(|due| until(timestamp(due), self.now)),
        })
    }
}
