//! The accounts as all workers see them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;
use super::rows::to_json;
use ferry_types::domain::account::Health;
use ferry_types::domain::budget::Spent;

/// The stored form of the health of an account about which nothing is known.
pub(super) const UNKNOWN: &str =
    r#"{"paused":null,"gate_until":null,"failures":0,"probe_at":null}"#;

pub(super) fn all(connection: &Connection) -> Result<BTreeMap<String, Health>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, health FROM accounts")?;
    let mut rows = statement.query([])?;
    let mut accounts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        accounts.insert(row.get(0)?, parse(&row.get::<_, String>(1)?)?);
    }
    Ok(accounts)
}

pub(super) fn load(connection: &Connection, account: &str) -> Result<Option<Health>, Fault> {
    let text: Option<String> = connection
        .prepare_cached("SELECT health FROM accounts WHERE name = ?1")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    text.map(|text| parse(&text)).transpose()
}

pub(super) fn save(connection: &Connection, account: &str, health: &Health) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO accounts (name, health) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET health = excluded.health",
        )?
        .execute(params![account, to_json(health)])?;
    Ok(())
}

/// What the account has used of its budget.
pub(super) fn spent(connection: &Connection, account: &str) -> Result<Spent, Fault> {
    let text: Option<Option<String>> = connection
        .prepare_cached("SELECT spent FROM accounts WHERE name = ?1")?
        .query_row([account], |row| row.get(0))
        .optional()?;
    let spent = text.flatten().map(|text| serde_json::from_str(&text).map_err(Fault::corrupt));
    spent.transpose().map(Option::unwrap_or_default)
}

pub(super) fn save_spent(
    connection: &Connection,
    account: &str,
    spent: &Spent,
) -> Result<(), Fault> {
    connection
        .prepare_cached("UPDATE accounts SET spent = ?2 WHERE name = ?1")?
        .execute(params![account, to_json(spent)])?;
    Ok(())
}

/// Nearly always nothing is known, and nothing needs parsing.
fn parse(text: &str) -> Result<Health, Fault> {
    if text == UNKNOWN {
        return Ok(Health::default());
    }
    serde_json::from_str(text).map_err(Fault::corrupt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_cut_is_the_stored_form_of_an_unknown_health() {
        assert_eq!(to_json(&Health::default()), UNKNOWN);
    }
}
