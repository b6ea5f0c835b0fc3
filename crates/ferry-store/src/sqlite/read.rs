//! Reads that change nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::changes::row_id;
use super::error::SqliteError;
use super::health;
use super::last_counts::LastCounts;
use super::name_marks;
use super::records::{COLUMNS, SqliteRecord, value};
use crate::listing::{Listed, Listing, first_millisecond};
use crate::{Cursor, DamagedRecord, Filter, Page, SubmissionDetail};
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
    pub(super) last_counts: &'a LastCounts,
}

/// An index that leads to submissions, newest first; but for `All`, within an account.
#[derive(Debug, Clone, Copy)]
pub(super) enum ListOrder<'a> {
    All,
    Label(&'a str, &'a str, &'a str),
    Name(&'a str, &'a str),
    State(&'a str, State),
}

/// Indexes that together have all submissions of some accounts that match, and few others.
fn ways<'a>(filter: &'a Filter, accounts: impl Iterator<Item = &'a str>) -> Vec<ListOrder<'a>> {
    if let Some(name) = &filter.name {
        return accounts.map(|account| ListOrder::Name(account, name)).collect();
    }
    if let Some((key, value)) = filter.labels.first_key_value() {
        return accounts.map(|account| ListOrder::Label(account, key, value)).collect();
    }
    if filter.accounts.is_empty() && filter.states.is_empty() {
        return vec![ListOrder::All];
    }
    let states = if filter.states.is_empty() { &State::ALL[..] } else { &filter.states };
    let pairs = accounts.flat_map(|account| states.iter().map(move |state| (account, *state)));
    pairs.map(|(account, state)| ListOrder::State(account, state)).collect()
}

impl ListOrder<'_> {
    /// The query for numbers in the order of acceptance, from the first parameter on, before the second, and
    /// as many as the third; and its other parameters. It reads the index alone.
    pub(super) fn query(&self) -> (&'static str, Vec<&str>) {
        match self {
            Self::All => (
                "SELECT seq FROM submissions WHERE seq >= ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
                Vec::new(),
            ),
            Self::Label(account, key, value) => (
                "SELECT submission FROM labels
                 WHERE submission >= ?1 AND submission < ?2 AND account = ?4 AND key = ?5 AND value = ?6
                 ORDER BY submission DESC LIMIT ?3",
                vec![*account, *key, *value],
            ),
            Self::Name(account, name) => (
                "SELECT seq FROM submissions INDEXED BY by_name
                 WHERE seq >= ?1 AND seq < ?2 AND account = ?4 AND name = ?5
                 ORDER BY seq DESC LIMIT ?3",
                vec![*account, *name],
            ),
            Self::State(account, state) => (
                "SELECT seq FROM submissions INDEXED BY by_state
                 WHERE seq >= ?1 AND seq < ?2 AND account = ?4 AND state = ?5
                 ORDER BY seq DESC LIMIT ?3",
                vec![*account, state.as_str()],
            ),
        }
    }
}

/// Numbers of submissions in the order of acceptance: from the first on, and before the second.
type Range = (i64, i64);

/// Numbers that are read of indexes at once, and of each one at least.
const CHUNK: usize = 256;
const SHARE: usize = 16;

/// The number of the first submission of an account since a time.
const FIRST_OF_ACCOUNT: &str = "SELECT seq FROM submissions INDEXED BY by_time
    WHERE account = ?1 AND created_at >= ?2 AND typeof(created_at) = 'integer'
    ORDER BY created_at LIMIT 1";

/// Place of the id in `COLUMNS`.
const ID: usize = 3;

impl RecordReader<'_> {
    pub(super) fn get(&self, id: SubmissionId) -> Result<Option<SubmissionDetail>, SqliteError> {
        let found = SqliteRecord::find(self.connection, id);
        let Some(record) = found.map_err(|error| error.of_record(id))? else { return Ok(None) };
        let account = health::one(self.connection, &record.submission.account)?;
        self.explain(record, &account).map(Some)
    }

    pub(super) fn list(
        &self,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, SqliteError> {
        let mut accounts = BTreeMap::new();
        for account in &filter.accounts {
            accounts.extend(health::one(self.connection, account)?);
        }
        if filter.accounts.is_empty() {
            accounts = health::all(self.connection)?;
        }
        let ways = self.ways_in_time(filter, &accounts)?;
        let mut below = after.and_then(|Cursor(seq)| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
        let mut listing = Listing::new(limit);
        loop {
            let (seqs, rest) = self.newest(&ways, below, listing.wanted().max(CHUNK))?;
            let mut seqs = seqs.into_iter();
            while !listing.is_full()
                && let Some(seq) = seqs.next()
            {
                listing.look(seq.unsigned_abs(), self.listed(seq, filter, &accounts)?);
            }
            let is_end = rest.is_none() && seqs.len() == 0;
            if is_end || listing.is_full() {
                return Ok(listing.into_page(is_end));
            }
            below = rest.unwrap_or_default();
        }
    }

    /// Indexes with the part of each in which the submissions that match stand.
    fn ways_in_time<'a>(
        &self,
        filter: &'a Filter,
        accounts: &'a BTreeMap<String, Health>,
    ) -> Result<Vec<(ListOrder<'a>, Range)>, SqliteError> {
        if filter.accounts.is_empty() {
            let range = self.range(filter, None)?;
            let ways = ways(filter, accounts.keys().map(String::as_str));
            return Ok(ways.into_iter().map(|way| (way, range)).collect());
        }
        let mut ranged = Vec::new();
        for account in &filter.accounts {
            let range = self.range(filter, Some(account))?;
            let ways = ways(filter, std::iter::once(account.as_str()));
            ranged.extend(ways.into_iter().map(|way| (way, range)));
        }
        Ok(ranged)
    }

    /// The part of the order of acceptance in which submissions of an account, or of all, were accepted in the
    /// time of a filter.
    fn range(&self, filter: &Filter, account: Option<&str>) -> Result<Range, SqliteError> {
        let first_since = |time: Timestamp| match account {
            Some(account) => self.first_of_account_since(account, first_millisecond(time)),
            None => self.first_since(first_millisecond(time)),
        };
        let from = filter.created_after.map_or(Ok(i64::MIN), first_since)?;
        let before = filter.created_before.map_or(Ok(i64::MAX), first_since)?;
        Ok((from, before))
    }

    /// The newest numbers along some indexes, and the one before which to continue. Of each index a share is read:
    /// behind the last of a whole share, those of that index are not known, and the others are left as well.
    fn newest(
        &self,
        ways: &[(ListOrder<'_>, Range)],
        below: i64,
        most: usize,
    ) -> Result<(Vec<i64>, Option<i64>), SqliteError> {
        let share = most.div_ceil(ways.len().max(1)).max(SHARE);
        let limit = i64::try_from(share).unwrap_or(i64::MAX);
        let (mut found, mut complete) = (Vec::new(), None);
        for (along, (from, before)) in ways {
            let (sql, others) = along.query();
            let below = below.min(*before);
            let parameters: [&dyn ToSql; 3] = [from, &below, &limit];
            let parameters = parameters.into_iter().chain(others.iter().map(|o| o as &dyn ToSql));
            let mut statement = self.connection.prepare_cached(sql)?;
            let seqs = statement.query_map(params_from_iter(parameters), |row| row.get(0))?;
            let seqs = seqs.collect::<Result<Vec<i64>, _>>()?;
            if seqs.len() >= share {
                complete = complete.max(seqs.last().copied());
            }
            found.extend(seqs);
        }
        found.retain(|seq| complete.is_none_or(|complete| *seq >= complete));
        found.sort_unstable_by_key(|seq| Reverse(*seq));
        found.dedup();
        Ok((found, complete))
    }

    /// A submission that was found by its number, if it matches.
    fn listed(
        &self,
        seq: i64,
        filter: &Filter,
        accounts: &BTreeMap<String, Health>,
    ) -> Result<Option<Listed>, SqliteError> {
        let sql = ["SELECT ", COLUMNS, " FROM submissions s WHERE s.seq = ?1"].concat();
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([seq])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        match SqliteRecord::from_row(row) {
            Ok(record) if filter.matches(&record.submission) => {
                Ok(Some(Ok(self.explain(record, accounts)?)))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_of_a_row() => {
                let id = row_id(row, ID, seq)?;
                Ok(Some(Err(DamagedRecord { id, cause: error.to_string() })))
            }
            Err(error) => Err(error),
        }
    }

    /// The number of the first submission of an account that was accepted at `time` or later.
    fn first_of_account_since(&self, account: &str, time: i64) -> Result<i64, SqliteError> {
        let mut statement = self.connection.prepare_cached(FIRST_OF_ACCOUNT)?;
        let found = statement.query_row(params![account, time], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(i64::MAX))
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
        let waits = submission.state == State::Queued;
        let late = waits.then(|| name_marks::late(self.connection, &submission)).transpose()?;
        let waiting_for = submission.waiting_for(&Surroundings {
            first_of_name: first.transpose()?.flatten(),
            late: late.flatten(),
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
                "SELECT id FROM submissions INDEXED BY unfinished
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

#[cfg(test)]
mod tests {
    use super::super::schema::open_writer;
    use super::*;

    #[test]
    fn an_index_is_searched_for_the_account_and_for_all_that_is_wanted_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(&dir.path().join("ferry.db")).unwrap();
        for (along, expected) in [
            (ListOrder::All, "USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (
                ListOrder::Label("main", "team", "north"),
                "(account=? AND key=? AND value=? AND submission>? AND submission<?)",
            ),
            (
                ListOrder::Name("main", "n"),
                "COVERING INDEX by_name (account=? AND name=? AND rowid>? AND rowid<?)",
            ),
            (
                ListOrder::State("main", State::Queued),
                "COVERING INDEX by_state (account=? AND state=? AND rowid>? AND rowid<?)",
            ),
        ] {
            let mut statement =
                connection.prepare(&format!("EXPLAIN QUERY PLAN {}", along.query().0)).unwrap();
            let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
            let plan = statement.query_map(params_from_iter(nothing), |row| row.get(3)).unwrap();
            let plan: Vec<String> = plan.collect::<Result<_, _>>().unwrap();
            assert!(plan.len() == 1 && plan[0].contains(expected), "{plan:?}");
        }
    }
}
