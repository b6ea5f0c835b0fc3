//! Rows and submissions: how the one becomes the other, and the few statements that every
//! operation shares.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::effects::Effects;
use super::fault::Fault;
use ferry_types::domain::submission::{
    Priority, Reason, State, StepKind, Submission, TimelineEntry,
};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp};

/// What [`Record::from_row`] reads, in its order.
pub(super) const COLUMNS: &str = "s.seq, s.fence, s.deliveries, s.blocked, s.id, s.account, s.name, \
     s.state, s.reason_code, s.reason, s.priority, s.overwrite, s.result_keys, s.labels, \
     s.payload_bytes, s.created_at, s.updated_at, s.finished_at, s.deadline, s.revision_of, \
     s.processing_token, s.rejection, s.attempts, s.polls, s.failures, s.in_doubt, s.step, s.due_at, \
     s.leased_until, s.cancel_requested, s.results, s.callback, s.resume, s.traceparent";

/// A submission, and what only the store knows of it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) seq: i64,
    pub(super) fence: i64,
    pub(super) deliveries: u32,
    pub(super) blocked: bool,
    pub(super) submission: Submission,
}

impl Record {
    pub(super) fn from_row(row: &Row<'_>) -> Result<Self, Fault> {
        let mut next = 0..;
        let mut column = || next.next().unwrap_or_default();
        Ok(Self {
            seq: row.get(column())?,
            fence: row.get(column())?,
            deliveries: row.get(column())?,
            blocked: row.get(column())?,
            submission: Submission {
                id: word::<SubmissionId>(row, column())?,
                account: row.get(column())?,
                name: row.get(column())?,
                state: word::<State>(row, column())?,
                reason: reason(row, column(), column())?,
                priority: priority(row.get(column())?)?,
                overwrite: row.get(column())?,
                result_keys: json(row, column())?,
                labels: json(row, column())?,
                payload_bytes: row.get::<_, i64>(column())?.unsigned_abs(),
                created_at: time(row, column())?,
                updated_at: time(row, column())?,
                finished_at: maybe_time(row, column())?,
                deadline: time(row, column())?,
                revision_of: maybe_word(row, column())?,
                processing_token: row.get(column())?,
                rejection: row.get(column())?,
                attempts: row.get(column())?,
                polls: row.get(column())?,
                failures: row.get(column())?,
                in_doubt: row.get(column())?,
                step: maybe_word::<StepKind>(row, column())?,
                due_at: maybe_time(row, column())?,
                leased_until: maybe_time(row, column())?,
                cancel_requested: row.get(column())?,
                results: json(row, column())?,
                callback: maybe_json(row, column())?,
                resume: maybe_word::<StepKind>(row, column())?,
                traceparent: maybe_word(row, column())?,
            },
        })
    }

    /// The record of `id`, or an error if there is none.
    pub(super) fn load(connection: &Connection, id: SubmissionId) -> Result<Self, Fault> {
        Self::find(connection, id)?.ok_or_else(|| Fault::not_found(id))
    }

    pub(super) fn find(connection: &Connection, id: SubmissionId) -> Result<Option<Self>, Fault> {
        let sql = ["SELECT ", COLUMNS, " FROM submissions s WHERE s.id = ?1"].concat();
        let mut statement = connection.prepare_cached(&sql)?;
        statement.query_row([id.to_string()], |row| Ok(Self::from_row(row))).optional()?.transpose()
    }

    /// Writes what may have changed since it was loaded in state `before`, and frees the Name for
    /// the next submission if this one has ended.
    pub(super) fn save(
        &self,
        before: State,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<(), Fault> {
        let s = &self.submission;
        let results = if s.results.is_empty() { "[]".to_owned() } else { to_json(&s.results) };
        // A column that is named is indexed anew, even if it stays the same.
        let state = if s.state == before { "" } else { "state = ?1, " };
        let ended = if s.state.is_final() == before.is_final() {
            ""
        } else {
            "finished_at = ?2, blocked = ?3, "
        };
        let sql = format!(
            "UPDATE submissions SET {state}{ended}deliveries = ?4, reason_code = ?5, reason = ?6,
                 overwrite = ?7, updated_at = ?8, deadline = ?9, processing_token = ?10,
                 rejection = ?11, attempts = ?12, polls = ?13, failures = ?14, in_doubt = ?15,
                 step = ?16, due_at = ?17, leased_until = ?18, cancel_requested = ?19,
                 results = ?20, callback = ?21, resume = ?22
             WHERE seq = ?23"
        );
        connection.prepare_cached(&sql)?.execute(params![
            s.state.as_str(),
            s.finished_at.map(millis),
            self.blocked,
            self.deliveries,
            s.reason.as_ref().map(|reason| reason.code.as_str()),
            s.reason.as_ref().map(|reason| &reason.text),
            s.overwrite,
            millis(s.updated_at),
            millis(s.deadline),
            s.processing_token,
            s.rejection,
            s.attempts,
            s.polls,
            s.failures,
            s.in_doubt,
            s.step.map(StepKind::as_str),
            s.due_at.map(millis),
            s.leased_until.map(millis),
            s.cancel_requested,
            results,
            s.callback.as_ref().map(to_json),
            s.resume.map(StepKind::as_str),
            self.seq,
        ])?;
        effects.moved(s, before);
        if let (Some(kind), Some(due)) = (s.step, s.due_at)
            && s.leased_until.is_none()
            && !self.blocked
        {
            effects.scheduled(kind, due);
        }
        if s.state.is_final() && !before.is_final() {
            self.free_name(connection, effects)?;
        }
        Ok(())
    }

    /// The earliest submission of the account and Name that waited for this one waits no more.
    fn free_name(&self, connection: &Connection, effects: &mut Effects) -> Result<(), Fault> {
        let s = &self.submission;
        let freed: Option<String> = connection
            .prepare_cached(
                "UPDATE submissions SET blocked = 0, due_at = max(due_at, ?3)
                 WHERE seq = (SELECT min(seq) FROM submissions
                              WHERE account = ?1 AND name = ?2 AND finished_at IS NULL)
                     AND blocked = 1
                 RETURNING step",
            )?
            .query_row(params![s.account, s.name, millis(s.updated_at)], |row| row.get(0))
            .optional()?;
        if let Some(step) = freed {
            let kind = step.parse().map_err(Fault::corrupt)?;
            effects.scheduled(kind, s.updated_at);
        }
        Ok(())
    }

    pub(super) fn append(
        &self,
        connection: &Connection,
        entry: &TimelineEntry,
    ) -> Result<(), Fault> {
        append(connection, self.seq, entry)
    }
}

/// The most lines of a timeline: its first, and the newest.
const TIMELINE: i64 = 200;

/// Adds a line to a timeline; a long one loses the second.
pub(super) fn append(
    connection: &Connection,
    seq: i64,
    entry: &TimelineEntry,
) -> Result<(), Fault> {
    let number: i64 = connection
        .prepare_cached(
            "INSERT INTO timeline SELECT ?1, 1 + coalesce(max(entry), 0), ?2, ?3, ?4
             FROM timeline WHERE submission = ?1 RETURNING entry",
        )?
        .query_row(params![seq, millis(entry.at), entry.state.as_str(), entry.why], |row| {
            row.get(0)
        })?;
    if number > TIMELINE {
        connection
            .prepare_cached("DELETE FROM timeline WHERE submission = ?1 AND entry = ?2")?
            .execute([seq, number - TIMELINE + 1])?;
    }
    Ok(())
}

/// All records that `statement` yields.
pub(super) fn records(
    statement: &mut CachedStatement<'_>,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Record>, Fault> {
    let mut rows = statement.query(parameters)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(Record::from_row(row)?);
    }
    Ok(records)
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.timestamp_millis()
}

/// Milliseconds of a span; those beyond what SQLite can hold are for ever.
pub(super) fn span_millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

pub(super) const fn rank(priority: Priority) -> i64 {
    priority as i64
}

pub(super) fn priority(rank: i64) -> Result<Priority, Fault> {
    let priority = Priority::ALL.into_iter().find(|priority| self::rank(*priority) == rank);
    priority.ok_or_else(|| Fault::corrupt(format!("`{rank}` is not a priority")))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps of strings have a JSON form")
}

pub(super) fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T, Fault> {
    row.get_ref(column)?.as_str().map_err(Fault::corrupt)?.parse().map_err(Fault::corrupt)
}

pub(super) fn maybe_word<T: std::str::FromStr<Err: std::fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, Fault> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(Fault::corrupt)?;
    text.map(|text| text.parse().map_err(Fault::corrupt)).transpose()
}

fn reason(row: &Row<'_>, code: usize, text: usize) -> Result<Option<Reason>, Fault> {
    let Some(code) = maybe_word(row, code)? else { return Ok(None) };
    Ok(Some(Reason { code, text: row.get(text)? }))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, Fault> {
    let text = row.get_ref(column)?.as_str().map_err(Fault::corrupt)?;
    serde_json::from_str(text).map_err(Fault::corrupt)
}

fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<Option<T>, Fault> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(Fault::corrupt)?;
    text.map(|text| serde_json::from_str(text).map_err(Fault::corrupt)).transpose()
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Fault> {
    Ok(timestamp(row.get(column)?))
}

fn maybe_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row.get::<_, Option<i64>>(column)?.map(timestamp))
}
