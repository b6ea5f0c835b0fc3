//! Which accounts have steps of a kind, and what they may yield now.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::changes::set_aside;
use super::effects::Effects;
use super::error::SqliteError;
use super::health;
use super::records::{millis, priority, rank};
use crate::ClaimRequest;
use crate::fair::{self, Availability, NextDue, Situation};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{Priority, StepKind};
use ferry_types::domain::{Timestamp, timestamp};

/// The heads of all accounts that have steps of `kind`, by account and priority.
pub(super) fn heads(
    connection: &Connection,
    effects: &mut Effects,
    kind: StepKind,
) -> Result<Vec<NextDue>, SqliteError> {
    // Hops through the index: how much waits behind the heads does not matter. A comparison of
    // `(account, priority)` pairs would walk over all that waits there.
    let mut same_account = connection.prepare_cached(
        "SELECT seq, account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account = ?2 AND priority > ?3
             AND due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0
         ORDER BY priority, due_at LIMIT 1",
    )?;
    let mut next_account = connection.prepare_cached(
        "SELECT seq, account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account > ?2
             AND due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0
         ORDER BY account, priority, due_at LIMIT 1",
    )?;
    let mut heads: Vec<NextDue> = Vec::new();
    loop {
        let (account, rank) =
            heads.last().map_or(("", -1), |head| (&head.account, rank(head.priority)));
        let mut next =
            same_account.query_row(params![kind.as_str(), account, rank], head).optional()?;
        if next.is_none() {
            next = next_account.query_row(params![kind.as_str(), account], head).optional()?;
        }
        match next {
            None => return Ok(heads),
            Some((_, Ok(head))) => heads.push(head),
            Some((seq, Err(error))) if error.is_of_a_row() => {
                set_aside(connection, effects, seq, &error)?;
            }
            Some((_, Err(error))) => return Err(error),
        }
    }
}

type Head = (i64, Result<NextDue, SqliteError>);

fn head(row: &Row<'_>) -> rusqlite::Result<Head> {
    let read = || -> Result<NextDue, SqliteError> {
        let priority: Priority = priority(row.get(2)?)?;
        Ok(NextDue { account: row.get(1)?, priority, due: timestamp(row.get(3)?) })
    };
    Ok((row.get(0)?, read()))
}

pub(super) fn availability(
    connection: &Connection,
    heads: &[NextDue],
    request: &ClaimRequest,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<BTreeMap<String, Availability>, SqliteError> {
    let mut availability = BTreeMap::new();
    for NextDue { account, .. } in heads {
        if availability.contains_key(account) {
            continue;
        }
        let health = health::load(connection, account)?.unwrap_or_default();
        let situation = Situation {
            kind: request.kind,
            health: &health,
            account_limits: fair::limits(request, account, &health, now),
            policy,
            now,
            limit_usage: &|| health::limit_usage(connection, account),
            leased: &|| leased(connection, account, "step != 'deliver'"),
            uploading: &|| leased(connection, account, "step = 'upload'"),
            is_due: &|kind| is_due(connection, account, kind, now),
        };
        availability.insert(account.clone(), situation.availability()?);
    }
    Ok(availability)
}

/// True if a step of the kind can be leased now but for the health of its account.
fn is_due(
    connection: &Connection,
    account: &str,
    kind: StepKind,
    now: Timestamp,
) -> Result<bool, SqliteError> {
    let mut due = connection.prepare_cached(
        "SELECT 1 FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account = ?2 AND priority IN (0, 1, 2) AND due_at <= ?3
             AND due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0
         LIMIT 1",
    )?;
    Ok(due.exists(params![kind.as_str(), account, millis(now)])?)
}

/// The account stands aside in the condition so that only what is leased is looked at.
fn leased(connection: &Connection, account: &str, condition: &str) -> Result<u64, SqliteError> {
    let sql = [
        "SELECT count(*) FROM submissions
         WHERE leased_until IS NOT NULL AND +account = ?1 AND ",
        condition,
    ]
    .concat();
    let leased: i64 = connection.prepare_cached(&sql)?.query_row([account], |row| row.get(0))?;
    Ok(leased.unsigned_abs())
}
