//! What people ask for: pause, resume, cancel, retry, resolve; and what age asks for: removal.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::effects::Effects;
use super::fault::Fault;
use super::health;
use super::rows::{Record, millis, span_millis};
use crate::{Resolution, StoreError};
use ferry_types::domain::account::Health;
use ferry_types::domain::submission::{Reason, ReasonCode, State, StepKind, TimelineEntry};
use ferry_types::domain::{SubmissionId, Timestamp, later};

/// Removed in one call.
const SWEPT: i64 = 200;

pub(super) fn pause(connection: &Connection, account: &str, reason: &str) -> Result<(), Fault> {
    let mut health = health::load(connection, account)?.unwrap_or_default();
    health.paused = Some(reason.to_owned());
    health::save(connection, account, &health)
}

pub(super) fn resume(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
) -> Result<bool, Fault> {
    let before = health::load(connection, account)?
        .ok_or_else(|| Fault::Refused(StoreError::UnknownAccount(account.to_owned())))?;
    health::save(connection, account, &Health::default())?;
    effects.wake_all();
    Ok(before != Health::default())
}

pub(super) fn cancel(
    connection: &Connection,
    effects: &mut Effects,
    id: SubmissionId,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut record = Record::load(connection, id)?;
    let before = record.submission.state;
    if before.is_final() {
        return Err(Fault::not_allowed(format!(
            "submission {id} is {before} and cannot be cancelled"
        )));
    }
    if record.submission.leased_until.is_some() {
        if record.submission.cancel_requested {
            return Ok(());
        }
        record.submission.cancel_requested = true;
        let why = "to be cancelled as soon as the running step ends".to_owned();
        record.append(connection, &TimelineEntry { at: now, state: before, why })?;
    } else {
        end(&mut record, State::Cancelled, "cancelled", now);
        note(&record, connection, now)?;
    }
    record.save(before, connection, effects)
}

pub(super) fn retry(
    connection: &Connection,
    effects: &mut Effects,
    id: SubmissionId,
    deadline: Duration,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut record = Record::load(connection, id)?;
    let submission = &record.submission;
    if submission.state != State::Failed {
        return Err(Fault::not_allowed(format!(
            "submission {id} is {}: only a failed one can be retried",
            submission.state
        )));
    }
    let superseded: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM submissions
                            WHERE name = ?1 AND account = ?2 AND seq > ?3)",
        )?
        .query_row(params![submission.name, submission.account, record.seq], |row| row.get(0))?;
    if superseded {
        return Err(Fault::not_allowed(format!(
            "submission {id} cannot be retried: a newer one of its Name `{}` exists",
            submission.name
        )));
    }
    go_on(&mut record, "retried", deadline, now);
    note(&record, connection, now)?;
    record.save(State::Failed, connection, effects)
}

pub(super) fn resolve(
    connection: &Connection,
    effects: &mut Effects,
    id: SubmissionId,
    resolution: Resolution,
    deadline: Duration,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut record = Record::load(connection, id)?;
    let submission = &mut record.submission;
    if submission.state != State::Held {
        return Err(Fault::not_allowed(format!(
            "submission {id} is {}: only a held one can be resolved",
            submission.state
        )));
    }
    match resolution {
        Resolution::Retry => go_on(&mut record, "resolved: to be retried", deadline, now),
        Resolution::Overwrite if submission.step == Some(StepKind::Upload) => {
            submission.overwrite = true;
            go_on(&mut record, "resolved: to overwrite what is there", deadline, now);
        }
        Resolution::Overwrite => {
            return Err(Fault::not_allowed(format!(
                "submission {id} is held after its upload: there is nothing to overwrite"
            )));
        }
        Resolution::Fail => end(&mut record, State::Failed, "resolved: given up", now),
    }
    note(&record, connection, now)?;
    record.save(State::Held, connection, effects)
}

pub(super) fn notify(
    connection: &Connection,
    effects: &mut Effects,
    id: SubmissionId,
    now: Timestamp,
) -> Result<(), Fault> {
    let mut record = Record::load(connection, id)?;
    let submission = &mut record.submission;
    let state = submission.state;
    if !state.is_final() {
        return Err(Fault::not_allowed(format!(
            "submission {id} is {state}: it has no outcome yet"
        )));
    }
    if submission.callback.is_none() {
        return Err(Fault::not_allowed(format!("submission {id} has no `callback_url`")));
    }
    if submission.leased_until.is_some() {
        return Ok(());
    }
    if submission.step != Some(StepKind::Notify) {
        submission.resume = submission.step.replace(StepKind::Notify);
    }
    submission.due_at = Some(now);
    submission.updated_at = now;
    submission.failures = 0;
    let why = "the outcome is to be told again".to_owned();
    record.append(connection, &TimelineEntry { at: now, state, why })?;
    record.save(state, connection, effects)
}

/// Ends a submission that no worker holds.
pub(super) fn end(record: &mut Record, state: State, why: &str, now: Timestamp) {
    let submission = &mut record.submission;
    submission.state = state;
    submission.reason = Some(Reason::new(ReasonCode::Operator, why));
    submission.updated_at = now;
    submission.finished_at = Some(now);
    submission.close(now);
    record.blocked = false;
}

/// Makes the step that a submission stopped at due, with a clean slate.
fn go_on(record: &mut Record, why: &str, deadline: Duration, now: Timestamp) {
    let submission = &mut record.submission;
    let step = submission.stopped_at();
    submission.state = step.waiting_state();
    submission.step = Some(step);
    submission.resume = None;
    submission.leased_until = None;
    submission.reason = Some(Reason::new(ReasonCode::Operator, why));
    submission.updated_at = now;
    submission.finished_at = None;
    submission.due_at = Some(now);
    submission.deadline = later(now, deadline);
    submission.failures = 0;
    submission.cancel_requested = false;
    record.deliveries = 0;
}

/// The timeline's line for what a person did.
fn note(record: &Record, connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    let submission = &record.submission;
    let why = submission.reason.as_ref().map_or("", |reason| &reason.text).to_owned();
    record.append(connection, &TimelineEntry { at: now, state: submission.state, why })
}

pub(super) fn sweep(
    connection: &Connection,
    effects: &mut Effects,
    retention: Duration,
    now: Timestamp,
) -> Result<u64, Fault> {
    let before = millis(now).saturating_sub(span_millis(retention));
    let mut statement = connection.prepare_cached(
        "SELECT seq, account, state, labels FROM submissions WHERE finished_at < ?1
         ORDER BY finished_at LIMIT ?2",
    )?;
    let old: Vec<(i64, String, String, String)> = statement
        .query_map(params![before, SWEPT], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut label = connection
        .prepare_cached("DELETE FROM labels WHERE key = ?1 AND value = ?2 AND submission = ?3")?;
    for (seq, account, state, labels) in &old {
        let labels: BTreeMap<String, String> =
            serde_json::from_str(labels).map_err(Fault::corrupt)?;
        for (key, value) in labels {
            label.execute(params![key, value, seq])?;
        }
        for sql in [
            "DELETE FROM payloads WHERE submission = ?1",
            "DELETE FROM contents WHERE submission = ?1",
            "DELETE FROM timeline WHERE submission = ?1",
            "DELETE FROM submissions WHERE seq = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
        effects.counted(account, state.parse().map_err(Fault::corrupt)?, -1);
    }
    super::events::sweep(connection, before)?;
    Ok(old.len() as u64)
}
