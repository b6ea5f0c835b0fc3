//! Ends of a lease: it is committed, released, or rescued once it expired unrenewed.

use std::collections::HashSet;
use std::time::Duration;

use rusqlite::{Connection, ToSql, params};
use tracing::error;

use super::blobs::save_content;
use super::changes::{records, set_aside};
use super::effects::Effects;
use super::error::SqliteError;
use super::health;
use super::process_locks::EndedProcess;
use super::records::{COLUMNS, SqliteRecord, duration_millis, millis};
use crate::compression::Compressed;
use crate::{BATCH, Claim, Commit, Committed, Lease, Rescued, StoreError};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::{Admission, HealthPolicy, Signal};
use ferry_types::domain::submission::{LifecycleError, StepKind};

/// Records one decision. A corrupt record fails alone, as a step that no worker owns.
pub(super) fn commit(
    connection: &Connection,
    effects: &mut Effects,
    (commit, packed): &(Commit, Vec<Compressed>),
    policy: &HealthPolicy,
) -> Result<Committed, SqliteError> {
    let id = commit.lease.id;
    let record = match SqliteRecord::find(connection, id) {
        Err(error) if error.is_of_a_row() => {
            error!(submission.id = %id, %error, "corrupt record, the outcome of its step is not stored");
            None
        }
        found => found?,
    };
    let Some(record) = record else { return Ok(Committed::Stale) };
    let account = record.submission.account.clone();
    let signal = &commit.transition.signal;
    let committed = if record.is_owned_by(&commit.lease) {
        apply(record, connection, effects, commit, packed)?
    } else {
        Committed::Stale
    };
    if matches!(committed, Committed::Done(..)) || signal.outlives_its_step() {
        record_signal(connection, effects, &account, (signal, commit.lease.kind), policy)?;
    }
    Ok(committed)
}

fn apply(
    record: SqliteRecord,
    connection: &Connection,
    effects: &mut Effects,
    commit: &Commit,
    packed: &[Compressed],
) -> Result<Committed, SqliteError> {
    let now = effects.now();
    let (seq, before) = (record.seq, record.submission.state);
    let transition = &commit.transition;
    let after = match record.change(connection, effects, |s| s.apply(transition, now)) {
        Err(SqliteError::Store(StoreError::NotAllowed(LifecycleError::Illegal(illegal)))) => {
            return Ok(Committed::Illegal(illegal));
        }
        after => after?,
    };
    for ((key, content), packed) in transition.contents.iter().zip(packed) {
        save_content(connection, seq, key, content.content_type.as_deref(), packed)?;
    }
    Ok(Committed::Done(before, after))
}

/// Records the step's signal about its account. While the account admits few steps at a time, one
/// that ends makes room for another, so workers wake.
fn record_signal(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
    (signal, kind): (&Signal, StepKind),
    policy: &HealthPolicy,
) -> Result<(), SqliteError> {
    let now = effects.now();
    let before = health::load(connection, account)?.unwrap_or_default();
    let mut after = before.clone();
    after.record(signal, kind, now, policy);
    if after != before {
        health::save(connection, account, &after)?;
    }
    if before.admit(now, policy) != Admission::Open {
        effects.wake_all();
    }
    Ok(())
}

/// Some of the leased records that fulfill `condition`.
fn leased(
    connection: &Connection,
    effects: &mut Effects,
    condition: &str,
    value: &dyn ToSql,
) -> Result<Vec<SqliteRecord>, SqliteError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM submissions s WHERE {condition} ORDER BY s.leased_until LIMIT ?1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    records(connection, effects, &mut statement, params![BATCH as i64, value])
}

pub(super) fn renew(
    connection: &Connection,
    leases: &[Lease],
    duration: Duration,
    now: Timestamp,
) -> Result<Vec<bool>, SqliteError> {
    let until = millis(now).saturating_add(duration_millis(duration));
    let mut statement = connection.prepare_cached(
        "UPDATE submissions SET leased_until = ?3
         WHERE id = ?1 AND fence = ?2 AND claimed_by = ?4 AND step = ?5
             AND leased_until IS NOT NULL",
    )?;
    let mut renew = |lease: &Lease| {
        statement.execute(params![
            lease.id.to_string(),
            lease.fence as i64,
            until,
            lease.claimed_by.to_string(),
            lease.kind.as_str(),
        ])
    };
    leases.iter().map(|lease| Ok(renew(lease)? > 0)).collect()
}

/// Undoes a claim whose step was not begun.
pub(super) fn release(
    connection: &Connection,
    effects: &mut Effects,
    claim: &Claim,
) -> Result<(), SqliteError> {
    let now = effects.now();
    let record = match SqliteRecord::find(connection, claim.lease.id) {
        Err(error) if error.is_of_a_row() => None,
        found => found?.filter(|record| record.is_owned_by(&claim.lease)),
    };
    match record.map(|record| record.change(connection, effects, |s| s.release(now))) {
        // Its lease runs out, and it is set aside.
        Some(Err(error)) if error.is_of_a_row() => Ok(()),
        released => released.transpose().map(drop),
    }
}

/// Looks for leases of processes that have ended, and for those that had expired at a time.
pub(super) fn rescue(
    connection: &Connection,
    effects: &mut Effects,
    ended: &[EndedProcess],
    expired: Option<Timestamp>,
) -> Result<Rescued, SqliteError> {
    let now = effects.now();
    let mut lost = match expired {
        Some(at) => leased(connection, effects, "s.leased_until < ?2", &millis(at))?,
        None => Vec::new(),
    };
    for process in ended {
        let of_process = "s.leased_until IS NOT NULL AND substr(s.claimed_by, 1, 16) = ?2";
        lost.extend(leased(connection, effects, of_process, &process.name)?);
    }
    let mut rescued = Rescued::default();
    let mut seen = HashSet::new();
    for record in lost.into_iter().filter(|record| seen.insert(record.seq)) {
        let (seq, before) = (record.seq, record.submission.state);
        match record.change(connection, effects, |s| s.rescue(now)) {
            Ok(after) => rescued.count(before, after),
            Err(error) if error.is_of_a_row() => set_aside(connection, effects, seq, &error)?,
            Err(error) => return Err(error),
        }
    }
    // Text and bytes come after all numbers: a lease that ends then would never end.
    let sql = "SELECT seq FROM submissions WHERE leased_until >= '' LIMIT ?1";
    let mut endless = connection.prepare_cached(sql)?;
    let endless =
        endless.query_map([BATCH as i64], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
    for seq in endless {
        set_aside(connection, effects, seq, &SqliteError::corrupt("no end of its lease"))?;
    }
    Ok(rescued)
}
