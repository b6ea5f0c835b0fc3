//! Operations on accounts, the reads that a retry needs, and the removal of old submissions.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::effects::Effects;
use super::error::SqliteError;
use super::health;
use super::records::{COLUMNS, SqliteRecord, duration_millis, millis, value};
use crate::cold::Cold;
use crate::{BATCH, POSTPONED, StoreError};
use ferry_types::domain::submission::{SameName, State, Submission};
use ferry_types::domain::{SubmissionId, later};

pub(super) fn pause(
    connection: &Connection,
    account: &str,
    reason: &str,
) -> Result<(), SqliteError> {
    let mut health = health::load(connection, account)?.unwrap_or_default();
    health.pause_reason = Some(reason.to_owned());
    health::save(connection, account, &health)
}

/// Effect of a resumption.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resumed {
    /// True if there was a pause, a throttling, an open breaker or a postponed step.
    pub(super) changed: bool,
    /// True if there may be more postponed steps than those that are due now.
    pub(super) is_partial: bool,
}

pub(super) fn resume(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
) -> Result<Resumed, SqliteError> {
    let mut health = health::load(connection, account)?
        .ok_or_else(|| SqliteError::Store(StoreError::UnknownAccount(account.to_owned())))?;
    let ended = health.resume();
    health::save(connection, account, &health)?;
    let now = effects.now();
    let mut statement = connection.prepare_cached(
        "UPDATE submissions SET due_at = ?2 WHERE seq IN (
             SELECT seq FROM submissions INDEXED BY ready
             WHERE step IN ('poll', 'collect') AND account = ?1 AND priority IN (0, 1, 2)
                 AND due_at > ?3 AND leased_until IS NULL AND has_predecessor = 0
             LIMIT ?4)",
    )?;
    let postponed = millis(later(now, POSTPONED));
    let moved = statement.execute(params![account, millis(now), postponed, BATCH as i64])?;
    effects.wake_all();
    Ok(Resumed { changed: ended || moved > 0, is_partial: moved == BATCH })
}

/// The other submissions of a record's name that a retry has to know of.
pub(super) fn same_name(
    connection: &Connection,
    record: &SqliteRecord,
) -> Result<SameName, SqliteError> {
    // For a retry alone, so that nothing else gets slower with the submissions of a name.
    if record.submission.state != State::Failed {
        return Ok(SameName::default());
    }
    let find = |condition: &str| -> Result<Option<SubmissionId>, SqliteError> {
        let sql = format!(
            "SELECT id FROM submissions WHERE name = ?1 AND account = ?2 AND {condition}
                 AND has_predecessor >= 0"
        );
        let submission = &record.submission;
        let mut statement = connection.prepare_cached(&sql)?;
        let parameters = params![submission.name, submission.account, record.seq];
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            // One that cannot be read blocks no other.
            if let Ok(id) = value(row, 0) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    };
    Ok(SameName {
        predecessor: find("seq < ?3 AND finished_at IS NULL")?,
        newer_unfinished: find("seq > ?3 AND finished_at IS NULL")?,
        newer_uploaded: newer_uploaded(connection, record)?,
    })
}

/// A newer submission of the same account and name whose dataset may be at the Platform.
fn newer_uploaded(
    connection: &Connection,
    record: &SqliteRecord,
) -> Result<Option<SubmissionId>, SqliteError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM submissions s WHERE name = ?1 AND account = ?2 AND seq > ?3
             AND finished_at IS NOT NULL AND has_predecessor >= 0"
    );
    let submission = &record.submission;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![submission.name, submission.account, record.seq])?;
    while let Some(row) = rows.next()? {
        // One that cannot be read blocks no other.
        let newer = SqliteRecord::from_row(row).ok().map(|newer| newer.submission);
        if let Some(newer) = newer.filter(Submission::is_maybe_at_platform) {
            return Ok(Some(newer.id));
        }
    }
    Ok(None)
}

/// A submission that is removed. What cannot be read of it does not keep it from its removal.
struct Old {
    seq: i64,
    counted: Option<(String, State)>,
    cold: Option<Cold>,
}

impl Old {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let counted = row.get(1).ok().zip(value(row, 2).ok());
        let cold = row.get_ref(3)?.as_blob().ok().and_then(|mut cold| Cold::read(&mut cold).ok());
        Ok(Self { seq: row.get(0)?, counted, cold })
    }
}

pub(super) fn sweep(
    connection: &Connection,
    effects: &mut Effects,
    retention: Duration,
) -> Result<u64, SqliteError> {
    let before = millis(effects.now()).saturating_sub(duration_millis(retention));
    let mut statement = connection.prepare_cached(
        "SELECT seq, account, state, cold FROM submissions WHERE finished_at < ?1
         ORDER BY finished_at LIMIT ?2",
    )?;
    let old: Vec<Old> =
        statement.query_map(params![before, BATCH as i64], Old::read)?.collect::<Result<_, _>>()?;
    let mut label = connection.prepare_cached(
        "DELETE FROM labels WHERE account = ?1 AND key = ?2 AND value = ?3 AND submission = ?4",
    )?;
    for Old { seq, counted, cold } in &old {
        if let (Some(cold), Some((account, _))) = (cold, counted) {
            for (key, value) in cold.labels() {
                label.execute(params![account, key, value, seq])?;
            }
        } else {
            // It must not keep the others, and is looked for from end to end.
            let all = "DELETE FROM labels WHERE submission = ?1";
            connection.prepare_cached(all)?.execute([seq])?;
        }
        for sql in [
            "DELETE FROM payloads WHERE submission = ?1",
            "DELETE FROM contents WHERE submission = ?1",
            "DELETE FROM timeline WHERE submission = ?1",
            "DELETE FROM submissions WHERE seq = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
        if let Some((account, state)) = counted {
            effects.counted(account, *state, -1);
        }
    }
    super::events::sweep(connection, before)?;
    Ok(old.len() as u64)
}
