//! Which accounts have steps of a kind, and what they may yield now.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use super::health;
use super::records::{priority, rank};
use crate::ClaimRequest;
use crate::fair::{Availability, NextDue, Situation};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::{Timestamp, timestamp};

/// The heads of all accounts that have steps of `kind`, by account and priority.
pub(super) fn heads(connection: &Connection, kind: StepKind) -> Result<Vec<NextDue>, SqliteError> {
    // Hops through the index: how much waits behind the heads does not matter. A comparison of
    // `(account, priority)` pairs would walk over all that waits there.
    let mut same_account = connection.prepare_cached(
        "SELECT account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account = ?2 AND priority > ?3
             AND due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0
         ORDER BY priority, due_at LIMIT 1",
    )?;
    let mut next_account = connection.prepare_cached(
        "SELECT account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account > ?2
             AND due_at IS NOT NULL AND leased_until IS NULL AND has_predecessor = 0
         ORDER BY account, priority, due_at LIMIT 1",
    )?;
    let head = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut heads: Vec<NextDue> = Vec::new();
    loop {
        let (account, rank) =
            heads.last().map_or(("", -1), |head| (&head.account, rank(head.priority)));
        let mut next: Option<(String, i64, i64)> =
            same_account.query_row(params![kind.as_str(), account, rank], head).optional()?;
        if next.is_none() {
            next = next_account.query_row(params![kind.as_str(), account], head).optional()?;
        }
        let Some((account, rank, due)) = next else { return Ok(heads) };
        heads.push(NextDue { account, priority: priority(rank)?, due: timestamp(due) });
    }
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
        let situation = Situation {
            kind: request.kind,
            health: &health::load(connection, account)?.unwrap_or_default(),
            account_limits: request.account_limits.get(account),
            policy,
            now,
            limit_usage: &|| health::limit_usage(connection, account),
            leased: &|| leased(connection, account, "step != 'deliver'"),
            uploading: &|| leased(connection, account, "step = 'upload'"),
        };
        availability.insert(account.clone(), situation.availability()?);
    }
    Ok(availability)
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
