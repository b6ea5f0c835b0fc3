//! Reads that change nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::changes::row_id;
use super::error::SqliteError;
use super::health;
use super::records::{COLUMNS, SqliteRecord, value};
use crate::{Cursor, DamagedRecord, Filter, Page, SubmissionDetail, first_millisecond};
use ferry_types::domain::account::{Health, HealthPolicy};
use ferry_types::domain::limits::LimitUsage;
use ferry_types::domain::submission::{State, Submission, Surroundings, TimelineEntry};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp};

/// Looks at submissions, and says why they do not move.
pub(super) struct RecordReader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) policy: &'a HealthPolicy,
    /// The store's time.
    pub(super) now: Timestamp,
    /// Milliseconds by which the wall clock is ahead of it.
    pub(super) offset: i64,
}

/// Which index leads to the submissions that match, newest first, without passing many others.
#[derive(Debug, Clone, Copy)]
enum ListOrder<'a> {
    All,
    Labels,
    Name,
    Range(&'a str, State),
}

fn ways<'a>(filter: &'a Filter, accounts: &'a BTreeMap<String, Health>) -> Vec<ListOrder<'a>> {
    if !filter.labels.is_empty() {
        return vec![ListOrder::Labels];
    }
    if filter.name.is_some() {
        return vec![ListOrder::Name];
    }
    if filter.account.is_none() && filter.states.is_empty() {
        return vec![ListOrder::All];
    }
    let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
    let accounts: Vec<&String> =
        filter.account.as_ref().map_or_else(|| accounts.keys().collect(), |account| vec![account]);
    let pairs = accounts.into_iter().flat_map(|account| states.iter().map(move |s| (account, *s)));
    pairs.map(|(account, state)| ListOrder::Range(account, state)).collect()
}

/// A query under construction.
#[derive(Debug, Default)]
struct Query {
    tables: String,
    conditions: String,
    values: Vec<Value>,
}

impl Query {
    fn require(&mut self, condition: &str, value: impl Into<Value>) {
        self.conditions += &format!(" AND {condition}");
        self.values.push(value.into());
    }

    /// Requires the labels, and gives the column that the list is in the order of.
    fn labels(&mut self, filter: &Filter) -> &'static str {
        for (n, (key, value)) in filter.labels.iter().enumerate() {
            // CROSS JOIN fixes the order: from the first label to the others to the submissions.
            self.tables += &format!("labels l{n} CROSS JOIN ");
            self.require(&format!("l{n}.key = ?"), key.clone());
            self.require(&format!("l{n}.value = ?"), value.clone());
            let others = if n == 0 { "s.seq" } else { &format!("l{n}.submission") };
            self.conditions += &format!(" AND {others} = l0.submission");
        }
        if filter.labels.is_empty() { "s.seq" } else { "l0.submission" }
    }

    /// Requires all else; a column with a `+` is not looked up in an index.
    fn rest(&mut self, filter: &Filter, along: ListOrder<'_>) {
        if let Some(name) = &filter.name {
            let column = if matches!(along, ListOrder::Name) { "s.name" } else { "+s.name" };
            self.require(&format!("{column} = ?"), name.clone());
        }
        if let Some(account) = &filter.account {
            self.require("+s.account = ?", account.clone());
        }
        if !filter.states.is_empty() {
            let states = filter.states.iter().map(|state| format!("'{state}'"));
            let states = states.collect::<Vec<_>>().join(", ");
            self.conditions += &format!(" AND +s.state IN ({states})");
        }
    }
}

/// A row of a list, by the order of acceptance.
type Listed = (i64, Result<SqliteRecord, DamagedRecord>);

fn listed_row(row: &Row<'_>) -> Result<Listed, SqliteError> {
    let seq = row.get(0)?;
    match SqliteRecord::from_row(row) {
        Ok(record) => Ok((seq, Ok(record))),
        Err(error) if error.is_of_a_row() => {
            let id = row_id(row, ID, seq)?;
            Ok((seq, Err(DamagedRecord { id, cause: error.to_string() })))
        }
        Err(error) => Err(error),
    }
}

/// Place of the id in `COLUMNS`.
const ID: usize = 3;

impl RecordReader<'_> {
    pub(super) fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, SqliteError> {
        let found = SqliteRecord::find(self.connection, id);
        let Some(record) = found.map_err(|error| error.of_record(id))? else { return Ok(None) };
        let health = health::load(self.connection, &record.submission.account)?;
        let account = health.map(|health| (record.submission.account.clone(), health));
        self.explain(record, &account.into_iter().collect()).map(Some)
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, SqliteError> {
        // One more than requested shows that more follow.
        let wanted = limit.saturating_add(1);
        let accounts = health::all(self.connection)?;
        let mut found = Vec::new();
        for along in ways(filter, &accounts) {
            found.extend(self.matching(filter, along, after, wanted)?);
        }
        found.sort_unstable_by_key(|(seq, _)| Reverse(*seq));
        found.dedup_by_key(|(seq, _)| *seq);
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|(seq, _)| Cursor(seq.unsigned_abs()));
        let start = found.first().map(|(seq, _)| Cursor(seq.unsigned_abs() + 1));
        let mut page = Page { next: last.filter(|_| more), start, ..Page::default() };
        for (_, record) in found {
            match record {
                Ok(record) => page.found.push(self.explain(record, &accounts)?),
                Err(damaged) => page.damaged.push(damaged),
            }
        }
        Ok(page)
    }

    /// The submissions that match, newest first.
    fn matching(
        &self,
        filter: &Filter,
        along: ListOrder<'_>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Vec<Listed>, SqliteError> {
        let mut query = Query::default();
        let seq = query.labels(filter);
        if let Some(Cursor(after)) = after {
            query.require(&format!("{seq} < ?"), i64::try_from(after).unwrap_or(i64::MAX));
        }
        for (time, is_lower) in [(filter.created_after, true), (filter.created_before, false)] {
            let Some(time) = time else { continue };
            let comparison = if is_lower { ">=" } else { "<" };
            query.require(
                &format!("{seq} {comparison} ?"),
                self.first_since(first_millisecond(time))?,
            );
            let column = format!("+s.created_at {comparison} ?");
            query.require(&column, first_millisecond(time));
        }
        if let ListOrder::Range(account, state) = along {
            query.require("s.account = ?", account.to_owned());
            query.require("s.state = ?", state.as_str().to_owned());
        } else {
            query.rest(filter, along);
        }
        let Query { tables, conditions, mut values } = query;
        values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {COLUMNS} FROM {tables} submissions s WHERE 1{conditions}
             ORDER BY {seq} DESC LIMIT ?"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut listed = Vec::new();
        while let Some(row) = rows.next()? {
            listed.push(listed_row(row)?);
        }
        Ok(listed)
    }

    /// The number in the order of acceptance from which on all were accepted at `time` or later, found by
    /// halves: a list need not pass what is older or newer.
    fn first_since(&self, time: i64) -> Result<i64, SqliteError> {
        let connection = self.connection;
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(seq) FROM submissions")?
            .query_row([], |row| row.get(0))?;
        let mut at_or_after = connection.prepare_cached(
            "SELECT created_at FROM submissions WHERE seq >= ? AND typeof(created_at) = 'integer'
             ORDER BY seq LIMIT 1",
        )?;
        let (mut from, mut to) = (0, last.unwrap_or_default() + 1);
        while from < to {
            let middle = from + (to - from) / 2;
            let created: Option<i64> =
                at_or_after.query_row([middle], |row| row.get(0)).optional()?;
            if created.is_none_or(|created| created >= time) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        Ok(from)
    }

    fn explain(
        &self,
        record: SqliteRecord,
        accounts: &BTreeMap<String, Health>,
    ) -> Result<SubmissionDetail, SqliteError> {
        let submission = record.submission;
        let first = submission.has_predecessor.then(|| self.first_of_its_name(&submission));
        let limit_usage = match submission.due_at {
            Some(due) if due <= self.now => {
                health::limit_usage(self.connection, &submission.account)?
            }
            _ => LimitUsage::default(),
        };
        let waiting_for = submission.waiting_for(&Surroundings {
            first_of_name: first.transpose()?.flatten(),
            health: accounts.get(&submission.account).unwrap_or(&Health::default()),
            limit_usage: &limit_usage,
            policy: self.policy,
            now: self.now,
        });
        Ok(SubmissionDetail { submission, waiting_for })
    }

    fn first_of_its_name(
        &self,
        submission: &Submission,
    ) -> Result<Option<SubmissionId>, SqliteError> {
        let id = self
            .connection
            .prepare_cached(
                "SELECT id FROM submissions
                 WHERE account = ?1 AND name = ?2 AND finished_at IS NULL AND has_predecessor >= 0
                 ORDER BY seq LIMIT 1",
            )?
            .query_row([&submission.account, &submission.name], |row| Ok(value(row, 0).ok()))
            .optional()?;
        Ok(id.flatten())
    }

    pub(super) fn timeline(&self, id: SubmissionId) -> Result<Vec<TimelineEntry>, SqliteError> {
        let record = SqliteRecord::load(self.connection, id)?;
        let mut statement = self.connection.prepare_cached(
            "SELECT at, state, message FROM timeline WHERE submission = ?1 ORDER BY entry",
        )?;
        let mut rows = statement.query([record.seq])?;
        let mut timeline = Vec::new();
        while let Some(row) = rows.next()? {
            timeline.push(TimelineEntry {
                at: timestamp(row.get(0)?),
                state: row.get::<_, String>(1)?.parse().map_err(SqliteError::corrupt)?,
                message: row.get(2)?,
            });
        }
        Ok(timeline)
    }
}
