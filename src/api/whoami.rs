//! Shows the caller of a request.

use super::caller::Caller;
use super::json::Json;
use ferry_types::contract::WhoamiView;

/// Shows the caller: its role, and the accounts that it sees.
pub(super) async fn whoami(caller: Caller) -> Json<WhoamiView> {
    Json(WhoamiView {
        name: caller.name,
        role: caller.role.as_str().to_owned(),
        accounts: caller.accounts.map(|accounts| accounts.into_iter().collect()),
    })
}
