//! What people ask for of accounts, what a retry has to know, and what age asks for: removal.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::effects::Effects;
use super::error::SqliteError;
use super::health;
use super::records::{SqliteRecord, duration_millis, millis};
use crate::StoreError;
use crate::cold::Cold;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::Health;
use ferry_types::domain::submission::{SameName, State};

/// Removed in one call.
const SWEPT: i64 = 200;

pub(super) fn pause(
    connection: &Connection,
    account: &str,
    reason: &str,
) -> Result<(), SqliteError> {
    let mut health = health::load(connection, account)?.unwrap_or_default();
    health.pause_reason = Some(reason.to_owned());
    health::save(connection, account, &health)
}

pub(super) fn resume(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
) -> Result<bool, SqliteError> {
    let before = health::load(connection, account)?
        .ok_or_else(|| SqliteError::Refused(StoreError::UnknownAccount(account.to_owned())))?;
    health::save(connection, account, &Health::default())?;
    effects.wake_all();
    Ok(before != Health::default())
}

/// The other submissions of a record's Name that a retry has to know of.
pub(super) fn same_name(
    connection: &Connection,
    record: &SqliteRecord,
) -> Result<SameName, SqliteError> {
    // For a retry alone, so that nothing else gets slower with the submissions of a Name.
    if record.submission.state != State::Failed {
        return Ok(SameName::default());
    }
    let find = |condition: &str| -> Result<Option<SubmissionId>, SqliteError> {
        let sql = format!(
            "SELECT id FROM submissions WHERE name = ?1 AND account = ?2 AND {condition} LIMIT 1"
        );
        let submission = &record.submission;
        let id: Option<String> = connection
            .prepare_cached(&sql)?
            .query_row(params![submission.name, submission.account, record.seq], |row| row.get(0))
            .optional()?;
        id.map(|id| id.parse().map_err(SqliteError::corrupt)).transpose()
    };
    Ok(SameName {
        predecessor: find("seq < ?3 AND finished_at IS NULL")?,
        newer_unfinished: find("seq > ?3 AND finished_at IS NULL")?,
        newer_completed: find("seq > ?3 AND state = 'completed'")?,
    })
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
    let old: Vec<(i64, String, String, Vec<u8>)> = statement
        .query_map(params![before, SWEPT], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut label = connection
        .prepare_cached("DELETE FROM labels WHERE key = ?1 AND value = ?2 AND submission = ?3")?;
    for (seq, account, state, cold) in &old {
        if let Ok(cold) = Cold::read(&mut &cold[..]) {
            for (key, value) in cold.labels() {
                label.execute(params![key, value, seq])?;
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
        if let Ok(state) = state.parse() {
            effects.counted(account, state, -1);
        }
    }
    super::events::sweep(connection, before)?;
    Ok(old.len() as u64)
}
