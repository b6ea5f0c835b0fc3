//! The accounts as all workers see them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use super::records::to_json;
use ferry_types::domain::account::Health;
use ferry_types::domain::limits::LimitUsage;

/// The stored form of the health of an account about which nothing is known.
pub(super) const UNKNOWN: &str =
    r#"{"pause_reason":null,"throttled_until":null,"failures":0,"probe_at":null}"#;

pub(super) fn all(connection: &Connection) -> Result<BTreeMap<String, Health>, SqliteError> {
    let mut statement = connection.prepare_cached("SELECT name, health FROM accounts")?;
    let mut rows = statement.query([])?;
    let mut accounts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        // One without a readable name is no account's.
        if let Ok(name) = row.get_ref(0)?.as_str() {
            accounts.insert(name.to_owned(), read(row, 1)?);
        }
    }
    Ok(accounts)
}

/// The account alone, if it is known.
pub(super) fn one(
    connection: &Connection,
    account: &str,
) -> Result<BTreeMap<String, Health>, SqliteError> {
    let health = load(connection, account)?;
    Ok(health.map(|health| (account.to_owned(), health)).into_iter().collect())
}

pub(super) fn load(connection: &Connection, account: &str) -> Result<Option<Health>, SqliteError> {
    let health = connection
        .prepare_cached("SELECT health FROM accounts WHERE name = ?1")?
        .query_row([account], |row| read(row, 0))
        .optional()?;
    Ok(health)
}

pub(super) fn save(
    connection: &Connection,
    account: &str,
    health: &Health,
) -> Result<(), SqliteError> {
    connection
        .prepare_cached(
            "INSERT INTO accounts (name, health) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET health = excluded.health",
        )?
        .execute(params![account, to_json(health)])?;
    Ok(())
}

/// Returns the account's usage of its limits.
pub(super) fn limit_usage(
    connection: &Connection,
    account: &str,
) -> Result<LimitUsage, SqliteError> {
    // What cannot be read is forgotten: a limit is used up for moments only.
    let read = |row: &Row<'_>| {
        let text = row.get_ref(0)?.as_str().ok();
        Ok(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    };
    let usage = connection
        .prepare_cached("SELECT limit_usage FROM accounts WHERE name = ?1")?
        .query_row([account], read)
        .optional()?;
    Ok(usage.unwrap_or_default())
}

pub(super) fn save_limit_usage(
    connection: &Connection,
    account: &str,
    limit_usage: &LimitUsage,
) -> Result<(), SqliteError> {
    connection
        .prepare_cached("UPDATE accounts SET limit_usage = ?2 WHERE name = ?1")?
        .execute(params![account, to_json(limit_usage)])?;
    Ok(())
}

fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Health> {
    Ok(parse(row.get_ref(column)?.as_str().unwrap_or("")))
}

/// Nearly always nothing is known, and nothing needs parsing. An account whose health cannot be read is
/// paused, so that it costs no other account anything.
fn parse(text: &str) -> Health {
    if text == UNKNOWN {
        return Health::default();
    }
    serde_json::from_str(text).unwrap_or_else(|error| {
        let paused = format!("the stored health of the account cannot be read: {error}");
        Health { pause_reason: Some(paused), ..Health::default() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::account::LearnedRate;

    #[test]
    fn a_learned_rate_that_cannot_be_read_costs_nothing_else_of_the_health() {
        let stored = r#"{"pause_reason":"moving","throttled_until":null,"failures":2,"probe_at":null,
            "learned_rate":{"limit":40}}"#;
        let health = parse(stored);
        assert_eq!((health.pause_reason.as_deref(), health.failures), (Some("moving"), 2));
        assert_eq!(health.learned_rate, None);
        let known = Health { learned_rate: Some(LearnedRate::default()), ..health };
        assert_eq!(parse(&to_json(&known)), known);
    }

    #[test]
    fn the_short_cut_is_the_stored_form_of_an_unknown_health() {
        assert_eq!(to_json(&Health::default()), UNKNOWN);
    }
}
