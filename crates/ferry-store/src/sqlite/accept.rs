//! Takes new submissions in: all of a batch or none.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::blobs::{read_payload, save_payload};
use super::effects::Effects;
use super::fault::Fault;
use super::rows::{Record, append, millis, rank, to_json};
use crate::pack::PackedPayload;
use crate::{Accepted, Deadline, NewSubmission};
use ferry_types::domain::submission::{Callback, State, StepKind, Submission, TimelineEntry};
use ferry_types::domain::{SubmissionId, Timestamp, later};

pub(super) fn accept(
    connection: &Connection,
    effects: &mut Effects,
    batch: &[(NewSubmission, PackedPayload)],
    now: Timestamp,
) -> Result<Vec<Accepted>, Fault> {
    batch.iter().map(|(new, packed)| accept_one(connection, effects, new, packed, now)).collect()
}

fn accept_one(
    connection: &Connection,
    effects: &mut Effects,
    new: &NewSubmission,
    packed: &PackedPayload,
    now: Timestamp,
) -> Result<Accepted, Fault> {
    if let Some(known) = known(connection, new)? {
        return if same_content(connection, &known, new)? {
            Ok(Accepted::Known(known.submission.id))
        } else {
            Ok(Accepted::Conflict(known.submission.id))
        };
    }
    let blocked: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM submissions
                            WHERE account = ?1 AND name = ?2 AND finished_at IS NULL)",
        )?
        .query_row([&new.account, &new.name], |row| row.get(0))?;
    let due = new.not_before.map_or(now, |not_before| not_before.max(now));
    let seq = insert(connection, new, now, due, blocked)?;
    save_payload(connection, seq, packed)?;
    let mut label = connection.prepare_cached("INSERT INTO labels VALUES (?1, ?2, ?3)")?;
    for (key, value) in &new.labels {
        label.execute(params![key, value, seq])?;
    }
    connection
        .prepare_cached("INSERT OR IGNORE INTO accounts (name, health) VALUES (?1, ?2)")?
        .execute(params![new.account, super::health::UNKNOWN])?;
    let entry = TimelineEntry { at: now, state: State::Queued, why: "accepted".to_owned() };
    append(connection, seq, &entry)?;
    effects.accepted(new, now);
    if !blocked {
        effects.scheduled(StepKind::Upload, due);
    }
    Ok(Accepted::New(new.id))
}

fn insert(
    connection: &Connection,
    new: &NewSubmission,
    now: Timestamp,
    due: Timestamp,
    blocked: bool,
) -> Result<i64, Fault> {
    let deadline = match new.deadline {
        Deadline::At(deadline) => deadline,
        Deadline::After(span) => later(due, span),
    };
    connection
        .prepare_cached(
            "INSERT INTO submissions (id, account, name, state, priority, overwrite,
                 overwrite_asked, result_keys, labels, payload_bytes, created_at, updated_at,
                 deadline, revision_of, idempotency_key, step, due_at, blocked, callback,
                 traceparent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                 ?17, ?18)",
        )?
        .execute(params![
            new.id.to_string(),
            new.account,
            new.name,
            State::Queued.as_str(),
            rank(new.priority),
            new.overwrite,
            to_json(&new.result_keys),
            to_json(&new.labels),
            new.payload.bytes() as i64,
            millis(now),
            millis(deadline),
            new.revision_of.map(|id| id.to_string()),
            new.idempotency_key,
            StepKind::Upload.as_str(),
            millis(due),
            blocked,
            new.callback_url.as_deref().map(|url| to_json(&Callback::new(url))),
            new.traceparent.map(|parent| parent.to_string()),
        ])
        .map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => {
                Fault::not_allowed(format!("there is already a submission {}", new.id))
            }
            _ => error.into(),
        })?;
    Ok(connection.last_insert_rowid())
}

/// A submission that was accepted before.
struct Known {
    submission: Submission,
    overwrite_asked: bool,
}

/// The submission that was accepted before with the same idempotency key.
fn known(connection: &Connection, new: &NewSubmission) -> Result<Option<Known>, Fault> {
    let Some(key) = &new.idempotency_key else { return Ok(None) };
    let found: Option<(String, bool)> = connection
        .prepare_cached(
            "SELECT id, overwrite_asked FROM submissions
             WHERE account = ?1 AND idempotency_key = ?2",
        )?
        .query_row([&new.account, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((id, overwrite_asked)) = found else { return Ok(None) };
    let id: SubmissionId = id.parse().map_err(Fault::corrupt)?;
    Ok(Some(Known { submission: Record::load(connection, id)?.submission, overwrite_asked }))
}

fn same_content(
    connection: &Connection,
    known: &Known,
    new: &NewSubmission,
) -> Result<bool, Fault> {
    let old = &known.submission;
    Ok(old.name == new.name
        && known.overwrite_asked == new.overwrite
        && old.result_keys == new.result_keys
        && old.payload_bytes == new.payload.bytes()
        && read_payload(connection, old.id)? == new.payload)
}
