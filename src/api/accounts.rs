//! Shows accounts: their queue, and what stops them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;

use super::caller::Caller;
use super::error::ApiError;
use super::found::{AccountPath, unknown_account};
use super::json::Json;
use super::shared::Shared;
use super::stats;
use crate::queue::{self, Counts, Now};
use ferry_store::{AccountStats, Stats};
use ferry_types::contract::{AccountView, AccountsView};
use ferry_types::domain::account::Health;

/// Shows the accounts that the caller sees, by name.
pub(super) async fn accounts(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<AccountsView>, ApiError> {
    let mut stats = stats::of(shared.store(), &caller).await?;
    let configured = shared.parts.intake.accounts().iter().filter(|name| caller.sees(name));
    for name in configured {
        if stats.accounts.iter().all(|known| known.account != *name) {
            stats.accounts.push(idle(name));
        }
    }
    stats.accounts.sort_by(|one, other| one.account.cmp(&other.account));
    let abandoned = stats::abandoned(&shared, &caller).await?;
    let accounts = stats.accounts.iter().map(|one| view(&shared, one, &stats, &abandoned));
    Ok(Json(AccountsView { accounts: accounts.collect() }))
}

/// Shows an account that is configured here or that the store has.
pub(super) async fn one(
    State(shared): State<Arc<Shared>>,
    AccountPath(account): AccountPath,
) -> Result<Json<AccountView>, ApiError> {
    let stats = shared.store().stats_of(&account).await?;
    let is_configured = shared.parts.intake.is_configured(&account);
    let one = stats.accounts.first().cloned().or_else(|| is_configured.then(|| idle(&account)));
    let (one, only) = (one.ok_or_else(unknown_account)?, [account].into());
    let abandoned = shared.abandoned.of(shared.store(), Some(&only)).await?;
    Ok(Json(view(&shared, &one, &stats, &abandoned)))
}

/// An account of which the store knows nothing.
fn idle(account: &str) -> AccountStats {
    let (health, states) = (Health::default(), BTreeMap::new());
    AccountStats { account: account.to_owned(), health, states }
}

fn view(shared: &Shared, one: &AccountStats, stats: &Stats, abandoned: &Counts) -> AccountView {
    let (at, policy) = (shared.parts.clock.now(), &shared.parts.health);
    queue::account(one, stats, Now { at, policy, abandoned })
}
