//! Takes new submissions in: all of a batch or none.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::blobs::save_payload;
use super::changes::{self, First};
use super::effects::Effects;
use super::error::SqliteError;
use super::records::{append, cold, millis, rank, value};
use crate::compression::CompressedPayload;
use crate::{Accepted, NewSubmission, StoreError};
use ferry_types::domain::submission::{StepKind, Submission};
use ferry_types::domain::{SubmissionId, Timestamp};

pub(super) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    batch: &[(NewSubmission, CompressedPayload)],
) -> Result<Vec<Accepted>, SqliteError> {
    batch.iter().map(|(new, packed)| accept_one(connection, effects, new, packed)).collect()
}

fn accept_one(
    connection: &Connection,
    effects: &mut Effects,
    new: &NewSubmission,
    packed: &CompressedPayload,
) -> Result<Accepted, SqliteError> {
    let now = effects.now();
    if let Some((id, digest)) = known(connection, new)? {
        let same = digest == new.digest();
        return Ok(if same { Accepted::Duplicate(id) } else { Accepted::Conflict(id) });
    }
    let first = changes::first(connection, effects, &new.account, &new.name)?;
    let has_predecessor = !matches!(first, First::Nothing);
    let submission = new.submission(now, has_predecessor);
    let seq = insert(connection, new, &submission)?;
    save_payload(connection, seq, packed)?;
    let mut label = connection.prepare_cached("INSERT INTO labels VALUES (?1, ?2, ?3, ?4)")?;
    for (key, value) in &new.labels {
        label.execute(params![new.account, key, value, seq])?;
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO accounts (name, health) VALUES (?1, ?2)")?
        .execute(params![new.account, super::health::UNKNOWN])?;
    append(connection, seq, &submission.acceptance())?;
    effects.accepted(&submission);
    Ok(Accepted::New(new.id))
}

/// Applies [`Submission::move_start`] to all that wait for a start.
pub(super) fn move_starts(
    connection: &Connection,
    step: i64,
    now: Timestamp,
) -> Result<(), SqliteError> {
    connection.execute(
        "UPDATE submissions AS s SET due_at = max(due_at - ?1, ?2)
         WHERE step = 'upload' AND leased_until IS NULL AND fence = 0 AND due_at > ?2
             AND NOT EXISTS (SELECT 1 FROM late_uploads l
                 WHERE l.account = s.account AND l.name = s.name AND l.until = s.due_at)",
        [step, millis(now)],
    )?;
    Ok(())
}

fn insert(
    connection: &Connection,
    new: &NewSubmission,
    submission: &Submission,
) -> Result<i64, SqliteError> {
    let s = submission;
    connection
        .prepare_cached(
            "INSERT INTO submissions (id, account, name, state, priority, created_at, updated_at,
                 deadline, step, due_at, has_predecessor, idempotency_key, digest, cold)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            s.id.to_string(),
            s.account,
            s.name,
            s.state.as_str(),
            rank(s.priority),
            millis(s.created_at),
            millis(s.updated_at),
            millis(s.deadline),
            s.step.map(StepKind::as_str),
            s.due_at.map(millis),
            s.has_predecessor,
            new.idempotency_key,
            new.digest(),
            cold(s),
        ])
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => SqliteError::Store(StoreError::Taken(new.id)),
            _ => error.into(),
        })?;
    Ok(connection.last_insert_rowid())
}

/// The submission that was accepted before with the same idempotency key, and the digest of its content.
fn known(
    connection: &Connection,
    new: &NewSubmission,
) -> Result<Option<(SubmissionId, String)>, SqliteError> {
    let Some(key) = &new.idempotency_key else { return Ok(None) };
    let found = connection
        .prepare_cached(
            "SELECT id, digest FROM submissions WHERE account = ?1 AND idempotency_key = ?2",
        )?
        .query_row([&new.account, key], |row| Ok((value::<SubmissionId>(row, 0), row.get(1))))
        .optional()?;
    let Some((id, digest)) = found else { return Ok(None) };
    let id = id?;
    Ok(Some((id, digest.map_err(|error| SqliteError::from(error).of_record(id))?)))
}
