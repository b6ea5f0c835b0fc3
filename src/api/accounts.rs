//! Shows accounts: their queue, and what stops them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::found::{AccountPath, unknown_account};
use super::json::Json;
use super::shared::Shared;
use crate::queue;
use ferry_store::AccountStats;
use ferry_types::contract::{AccountView, AccountsView};
use ferry_types::domain::account::Health;

/// Shows the accounts that the caller sees, by name.
pub(super) async fn accounts(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<AccountsView>, ApiError> {
    let mut accounts = known(&shared).await?;
    accounts.retain(|name, _| caller.sees(name));
    Ok(Json(AccountsView { accounts: accounts.into_values().collect() }))
}

/// Shows an account.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    AccountPath(account): AccountPath,
) -> Result<Json<AccountView>, ApiError> {
    known(&shared).await?.remove(&account).map(Json).ok_or_else(unknown_account)
}

/// The accounts that are configured here or that the store has, by name.
async fn known(shared: &Shared) -> Result<BTreeMap<String, AccountView>, ApiError> {
    let mut stats = shared.store().stats().await?;
    for name in shared.parts.intake.accounts() {
        if stats.accounts.iter().all(|known| known.account != *name) {
            let (account, health, states) = (name.clone(), Health::default(), BTreeMap::new());
            stats.accounts.push(AccountStats { account, health, states });
        }
    }
    let (now, policy) = (shared.parts.clock.now(), &shared.parts.health);
    let view = |one| queue::account(one, &stats, now, policy);
    Ok(stats.accounts.iter().map(|one| (one.account.clone(), view(one))).collect())
}
