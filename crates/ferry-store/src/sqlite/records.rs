//! Rows and submissions: how the one becomes the other, and the few statements that every
//! operation shares.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use tracing::error;

use super::effects::Effects;
use super::error::SqliteError;
use crate::Lease;
use crate::cold::{Cold, ColdRef, Hot};
use ferry_types::domain::submission::{
    Priority, Ruled, State, StepKind, Submission, TimelineEntry,
};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp};

/// What [`SqliteRecord::from_row`] reads, in its order.
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
        Self::find(connection, id)?.ok_or_else(|| SqliteError::not_found(id))
    }

    pub(super) fn find(
        connection: &Connection,
        id: SubmissionId,
    ) -> Result<Option<Self>, SqliteError> {
        let sql = ["SELECT ", COLUMNS, " FROM submissions s WHERE s.id = ?1"].concat();
        let mut statement = connection.prepare_cached(&sql)?;
        statement.query_row([id.to_string()], |row| Ok(Self::from_row(row))).optional()?.transpose()
    }

    /// Whether `lease` still holds its step.
    pub(super) fn is_held_by(&self, lease: &Lease) -> bool {
        self.fence.unsigned_abs() == lease.fence
            && self.claimed_by == lease.claimed_by.to_string()
            && self.submission.step == Some(lease.kind)
            && self.submission.leased_until.is_some()
    }

    /// Changes the submission by a rule, and writes what follows from it.
    pub(super) fn change<E>(
        mut self,
        connection: &Connection,
        effects: &mut Effects,
        rule: impl FnOnce(&mut Submission) -> Ruled<E>,
    ) -> Result<State, SqliteError>
    where
        SqliteError: From<E>,
    {
        let before = self.submission.clone();
        let entry = rule(&mut self.submission)?;
        if let Some(entry) = entry {
            append(connection, self.seq, &entry)?;
        }
        if self.submission != before {
            self.save(before.state, connection, effects)?;
        }
        Ok(self.submission.state)
    }

    /// Writes what may have changed since it was loaded in state `before`, and gives the Name to the next
    /// submission if this one has ended.
    fn save(
        &self,
        before: State,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<(), SqliteError> {
        let s = &self.submission;
        // A column that is named is indexed anew, even if it stays the same.
        let state = if s.state == before { "" } else { "state = ?1, " };
        let has_ended = s.state.is_final() && s.state != before;
        let ended = if !has_ended && s.state.is_final() == before.is_final() {
            ""
        } else {
            "finished_at = ?2, has_predecessor = ?3, "
        };
        let sql = format!(
            "UPDATE submissions SET {state}{ended}upload_attempts = ?4, updated_at = ?5, deadline = ?6,
                 step = ?7, due_at = ?8, leased_until = ?9, cold = ?10
             WHERE seq = ?11"
        );
        connection.prepare_cached(&sql)?.execute(params![
            s.state.as_str(),
            s.finished_at.map(millis),
            s.has_predecessor,
            s.upload_attempts,
            millis(s.updated_at),
            millis(s.deadline),
            s.step.map(StepKind::as_str),
            s.due_at.map(millis),
            s.leased_until.map(millis),
            cold(s),
            self.seq,
        ])?;
        effects.moved(s, before);
        effects.waits(s);
        if s.state.is_final() && !before.is_final() {
            self.hand_on(connection, effects)?;
        }
        Ok(())
    }

    /// The earliest submission of the account and Name that waited for this one waits no more. One that
    /// cannot be read must not keep this one from its end.
    fn hand_on(&self, connection: &Connection, effects: &mut Effects) -> Result<(), SqliteError> {
        let ended = &self.submission;
        let sql = [
            "SELECT ",
            COLUMNS,
            " FROM submissions s
              WHERE s.account = ?1 AND s.name = ?2 AND s.finished_at IS NULL ORDER BY s.seq LIMIT 1",
        ]
        .concat();
        let next = records(
            connection,
            &mut connection.prepare_cached(&sql)?,
            [&ended.account, &ended.name],
        )?;
        for mut next in next.into_iter().filter(|next| next.submission.has_predecessor) {
            next.submission.follow(ended.updated_at);
            let due = next.submission.due_at.map(millis);
            connection
                .prepare_cached(
                    "UPDATE submissions SET has_predecessor = 0, due_at = ?2 WHERE seq = ?1",
                )?
                .execute(params![next.seq, due])?;
            effects.waits(&next.submission);
        }
        Ok(())
    }
}

/// The cold part of a submission.
pub(super) fn cold(submission: &Submission) -> Vec<u8> {
    let mut packed = Vec::with_capacity(256);
    ColdRef::from(&**submission).write(&mut packed);
    packed
}

/// The most lines of a timeline: its first, and the newest.
const TIMELINE: i64 = 200;

/// Adds a line to a timeline; a long one loses the second.
pub(super) fn append(
    connection: &Connection,
    seq: i64,
    entry: &TimelineEntry,
) -> Result<(), SqliteError> {
    let number: i64 = connection
        .prepare_cached(
            "INSERT INTO timeline SELECT ?1, 1 + coalesce(max(entry), 0), ?2, ?3, ?4
             FROM timeline WHERE submission = ?1 RETURNING entry",
        )?
        .query_row(params![seq, millis(entry.at), entry.state.as_str(), entry.message], |row| {
            row.get(0)
        })?;
    if number > TIMELINE {
        connection
            .prepare_cached("DELETE FROM timeline WHERE submission = ?1 AND entry = ?2")?
            .execute([seq, number - TIMELINE + 1])?;
    }
    Ok(())
}

/// All records that `statement` yields, each of which has to be readable.
pub(super) fn all_records(
    statement: &mut CachedStatement<'_>,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SqliteRecord>, SqliteError> {
    let mut rows = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(SqliteRecord::from_row(row)?);
    }
    Ok(records)
}

/// All records that `statement` yields. One that cannot be read costs itself alone: it is left out, and no
/// longer due.
pub(super) fn records(
    connection: &Connection,
    statement: &mut CachedStatement<'_>,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SqliteRecord>, SqliteError> {
    let mut rows = statement.query(parameters)?;
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match SqliteRecord::from_row(row) {
            Ok(record) => records.push(record),
            Err(error) if error.is_of_a_row() => damaged.push((row.get::<_, i64>(0)?, error)),
            Err(error) => return Err(error),
        }
    }
    drop(rows);
    for (seq, error) in damaged {
        set_aside(connection, seq, &error)?;
    }
    Ok(records)
}

/// Takes a row that cannot be read out of the way of the others.
pub(super) fn set_aside(
    connection: &Connection,
    seq: i64,
    error: &SqliteError,
) -> Result<(), SqliteError> {
    error!(
        submission.seq = seq,
        "corrupt record in row {seq}, its step will not run: restore a backup or resubmit ({error})"
    );
    let sql = "UPDATE submissions SET due_at = NULL, leased_until = NULL WHERE seq = ?1";
    connection.prepare_cached(sql)?.execute([seq])?;
    Ok(())
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.timestamp_millis()
}

/// Milliseconds of a span; those beyond what SQLite can hold are for ever.
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
