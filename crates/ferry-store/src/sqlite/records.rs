//! Rows and submissions: how the one becomes the other, and the few statements that every
//! operation shares.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use crate::cold::{Cold, ColdRef, Hot};
use crate::{Lease, TIMELINE};
use ferry_types::domain::submission::{Priority, State, StepKind, Submission, TimelineEntry};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp};

/// Columns that [`SqliteRecord::from_row`] reads, in its order.
pub(super) const COLUMNS: &str = "s.seq, s.fence, s.claimed_by, s.id, s.account, s.name, s.state, s.priority, \
     s.upload_attempts, s.created_at, s.updated_at, s.finished_at, s.deadline, s.step, s.due_at, \
     s.leased_until, s.has_predecessor, s.cold";

/// A submission, and what only the store knows of it.
#[derive(Debug)]
pub(super) struct SqliteRecord {
    pub(super) seq: i64,
    pub(super) fence: i64,
    pub(super) claimed_by: String,
    pub(super) submission: Submission,
}

impl SqliteRecord {
    pub(super) fn from_row(row: &Row<'_>) -> Result<Self, SqliteError> {
        let mut next = 0..;
        let mut column = || next.next().unwrap_or_default();
        let (seq, fence, claimed_by) = (row.get(column())?, row.get(column())?, row.get(column())?);
        let hot = Hot {
            id: value::<SubmissionId>(row, column())?,
            account: row.get(column())?,
            name: row.get(column())?,
            state: value::<State>(row, column())?,
            priority: priority(row.get(column())?)?,
            upload_attempts: row.get(column())?,
            created_at: time(row, column())?,
            updated_at: time(row, column())?,
            finished_at: maybe_time(row, column())?,
            deadline: time(row, column())?,
            step: maybe_value::<StepKind>(row, column())?,
            due_at: maybe_time(row, column())?,
            leased_until: maybe_time(row, column())?,
            has_predecessor: row.get(column())?,
        };
        let mut cold = row.get_ref(column())?.as_blob().map_err(SqliteError::corrupt)?;
        let cold = Cold::read(&mut cold).map_err(SqliteError::corrupt)?;
        Ok(Self { seq, fence, claimed_by, submission: cold.with(hot) })
    }

    /// The record of `id`, or an error if there is none.
    pub(super) fn load(connection: &Connection, id: SubmissionId) -> Result<Self, SqliteError> {
        let found = Self::find(connection, id).map_err(|error| error.of_record(id))?;
        found.ok_or_else(|| SqliteError::not_found(id))
    }

    pub(super) fn find(
        connection: &Connection,
        id: SubmissionId,
    ) -> Result<Option<Self>, SqliteError> {
        let sql = ["SELECT ", COLUMNS, " FROM submissions s WHERE s.id = ?1"].concat();
        let mut statement = connection.prepare_cached(&sql)?;
        statement.query_row([id.to_string()], |row| Ok(Self::from_row(row))).optional()?.transpose()
    }

    /// True if `lease` still owns its step.
    pub(super) fn is_owned_by(&self, lease: &Lease) -> bool {
        self.fence.unsigned_abs() == lease.fence
            && self.claimed_by == lease.claimed_by.to_string()
            && self.submission.step == Some(lease.kind)
            && self.submission.leased_until.is_some()
    }
}

/// The cold part of a submission.
pub(super) fn cold(submission: &Submission) -> Vec<u8> {
    let mut packed = Vec::with_capacity(256);
    ColdRef::from(&**submission).write(&mut packed);
    packed
}

/// Adds a line to a timeline; a long one loses the second.
pub(super) fn append(
    connection: &Connection,
    seq: i64,
    entry: &TimelineEntry,
) -> Result<(), SqliteError> {
    let number: i64 = connection
        .prepare_cached(
            // A number that is damaged comes after all others, and does not count.
            "INSERT INTO timeline VALUES (?1, 1 + coalesce((SELECT entry FROM timeline
                 WHERE submission = ?1 AND entry < '' ORDER BY entry DESC LIMIT 1), 0), ?2, ?3, ?4)
             RETURNING entry",
        )?
        .query_row(params![seq, millis(entry.at), entry.state.as_str(), entry.message], |row| {
            row.get(0)
        })?;
    let most = TIMELINE as i64;
    if number > most {
        connection
            .prepare_cached("DELETE FROM timeline WHERE submission = ?1 AND entry = ?2")?
            .execute([seq, number - most + 1])?;
    }
    Ok(())
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.timestamp_millis()
}

/// Milliseconds of a duration; those beyond what SQLite can hold are for ever.
pub(super) fn duration_millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) const fn rank(priority: Priority) -> i64 {
    priority as i64
}

pub(super) fn priority(rank: i64) -> Result<Priority, SqliteError> {
    let priority = Priority::ALL.into_iter().find(|priority| self::rank(*priority) == rank);
    priority.ok_or_else(|| SqliteError::corrupt(format!("`{rank}` is not a priority")))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps of strings have a JSON form")
}

pub(super) fn value<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, SqliteError> {
    row.get_ref(column)?
        .as_str()
        .map_err(SqliteError::corrupt)?
        .parse()
        .map_err(SqliteError::corrupt)
}

pub(super) fn maybe_value<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, SqliteError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(SqliteError::corrupt)?;
    text.map(|text| text.parse().map_err(SqliteError::corrupt)).transpose()
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, SqliteError> {
    Ok(timestamp(row.get(column)?))
}

fn maybe_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, SqliteError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(timestamp))
}
