//! How a lease ends: committed, renewed for a while, given back, or rescued when nobody renewed it.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::blobs::save_content;
use super::effects::Effects;
use super::fault::Fault;
use super::health;
use super::rows::{COLUMNS, Record, millis, records, span_millis};
use crate::pack::Packed;
use crate::{Claim, Commit, Committed, Lease, Rescued};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{Admission, HealthPolicy, Signal};
use ferry_types::domain::submission::{Reason, ReasonCode, State, StepKind, TimelineEntry};

/// A step that was claimed so often without an outcome ends its worker: nobody claims it again.
const POISON: u32 = 5;

/// Rescued in one call.
const RESCUED: i64 = 200;

pub(super) fn commit(
    connection: &Connection,
    effects: &mut Effects,
    commit: &Commit,
    packed: &[Packed],
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<Committed, Fault> {
    let Some(mut record) = held(connection, commit.lease)? else { return Ok(Committed::Stale) };
    let transition = &commit.transition;
    let before = record.submission.state;
    let entry = match record.submission.apply(transition, now) {
        Ok(entry) => entry,
        Err(illegal) => return Ok(Committed::Illegal(illegal)),
    };
    record.deliveries = 0;
    for ((key, content), packed) in transition.contents.iter().zip(packed) {
        save_content(connection, record.seq, key, content.content_type.as_deref(), packed)?;
    }
    if let Some(entry) = entry {
        record.append(connection, &entry)?;
    }
    record.save(before, connection, effects)?;
    record_signal(
        connection,
        effects,
        &record.submission.account,
        &transition.signal,
        policy,
        now,
    )?;
    Ok(Committed::Done(before, record.submission.state))
}

/// What the step told about its account. Where few are let through at a time, one that ends makes
/// room for another.
fn record_signal(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
    signal: &Signal,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<(), Fault> {
    let before = health::load(connection, account)?.unwrap_or_default();
    let mut after = before.clone();
    after.record(signal, now, policy);
    if after != before {
        health::save(connection, account, &after)?;
    }
    if before.admit(now, policy) != Admission::Open {
        effects.wake_all();
    }
    Ok(())
}

/// The record that `lease` still holds.
fn held(connection: &Connection, lease: Lease) -> Result<Option<Record>, Fault> {
    let record = Record::find(connection, lease.id)?;
    Ok(record.filter(|record| {
        record.fence.unsigned_abs() == lease.fence && record.submission.leased_until.is_some()
    }))
}

pub(super) fn renew(
    connection: &Connection,
    leases: &[Lease],
    span: Duration,
    now: Timestamp,
) -> Result<Vec<bool>, Fault> {
    let until = millis(now).saturating_add(span_millis(span));
    let mut statement = connection.prepare_cached(
        "UPDATE submissions SET leased_until = ?3
         WHERE id = ?1 AND fence = ?2 AND leased_until IS NOT NULL",
    )?;
    let mut renew =
        |lease: &Lease| statement.execute(params![lease.id.to_string(), lease.fence as i64, until]);
    leases.iter().map(|lease| Ok(renew(lease)? > 0)).collect()
}

/// Undoes a claim whose step was not begun.
pub(super) fn release(
    connection: &Connection,
    effects: &mut Effects,
    claim: &Claim,
    now: Timestamp,
) -> Result<(), Fault> {
    let Some(mut record) = held(connection, claim.lease)? else { return Ok(()) };
    let before = record.submission.state;
    record.deliveries = record.deliveries.saturating_sub(1);
    let submission = &mut record.submission;
    submission.leased_until = None;
    submission.updated_at = now;
    if claim.kind == StepKind::Upload {
        submission.state = State::Queued;
        submission.attempts = submission.attempts.saturating_sub(1);
        if submission.reason.is_none() {
            let why = "given back by a stopping worker".to_owned();
            record.append(connection, &TimelineEntry { at: now, state: State::Queued, why })?;
        }
    }
    cancel_if_asked(&mut record, connection, now)?;
    record.save(before, connection, effects)
}

/// Looks for leases that ran out.
pub(super) fn rescue(
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<Rescued, Fault> {
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM submissions s WHERE s.leased_until < ?1 ORDER BY s.leased_until LIMIT ?2",
    ]
    .concat();
    let lost = records(&mut connection.prepare_cached(&sql)?, params![millis(now), RESCUED])?;
    let mut rescued = Rescued::default();
    for record in lost {
        match rescue_one(record, connection, effects, now)? {
            State::Cancelled => rescued.cancelled += 1,
            State::Held => rescued.held += 1,
            _ => rescued.due += 1,
        }
    }
    Ok(rescued)
}

fn rescue_one(
    mut record: Record,
    connection: &Connection,
    effects: &mut Effects,
    now: Timestamp,
) -> Result<State, Fault> {
    let before = record.submission.state;
    let submission = &mut record.submission;
    submission.leased_until = None;
    submission.due_at = Some(now);
    submission.updated_at = now;
    let uploading = submission.step == Some(StepKind::Upload);
    if uploading {
        // The attempt was begun, and nobody knows how it ended.
        submission.in_doubt = true;
        submission.state = State::Queued;
        let text = "the worker was lost during the upload, which may have arrived";
        submission.reason = Some(Reason::new(ReasonCode::Ambiguous, text));
    }
    let step = submission.step.map_or("step", StepKind::as_str);
    let text = format!("`{step}` ended its worker {} times in a row", record.deliveries);
    if record.deliveries >= POISON && submission.step == Some(StepKind::Notify) {
        // The outcome stays what it is.
        submission.stop_telling();
        record.deliveries = 0;
        let entry = TimelineEntry { at: now, state: before, why: text };
        record.append(connection, &entry)?;
    } else if record.deliveries >= POISON && !submission.cancel_requested {
        submission.reason = Some(Reason::new(ReasonCode::Poison, text));
        submission.state = State::Held;
        submission.due_at = None;
        record.deliveries = 0;
    }
    if before != record.submission.state && !record.submission.cancel_requested {
        let why = record.submission.reason.as_ref().map_or("", |reason| &reason.text).to_owned();
        let state = record.submission.state;
        record.append(connection, &TimelineEntry { at: now, state, why })?;
    }
    cancel_if_asked(&mut record, connection, now)?;
    record.save(before, connection, effects)?;
    Ok(record.submission.state)
}

fn cancel_if_asked(
    record: &mut Record,
    connection: &Connection,
    now: Timestamp,
) -> Result<(), Fault> {
    let submission = &record.submission;
    if submission.cancel_requested && !submission.state.is_final() {
        super::operate::end(record, State::Cancelled, "cancelled", now);
        let why = "cancelled".to_owned();
        record.append(connection, &TimelineEntry { at: now, state: State::Cancelled, why })?;
    }
    Ok(())
}
