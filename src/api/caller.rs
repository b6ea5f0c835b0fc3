//! The caller of a request: its role, and the accounts that it sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;
use super::key_file::KeyRecord;
use super::openapi::{Input, Operation};
use super::positions::Positions;
use super::role::Role;
use super::shares::Owner;
use crate::pipeline::IntakeError;
use ferry_types::contract::ProblemKind;

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// Its key; none where there are no keys.
    pub(super) key: Option<Arc<KeyRecord>>,
    /// Name of its key.
    pub(super) name: String,
    /// Owner of what it takes of the resources of the server.
    pub(super) owner: Owner,
    pub(super) role: Role,
    /// The only accounts that it sees; all if none.
    pub(super) accounts: Option<BTreeSet<String>>,
    /// The form in which it sees positions: sealed if it is bound to accounts.
    pub(super) positions: Positions,
}

impl Caller {
    /// The caller of a request with this head. Only routes that need a key, or are on a machine without
    /// keys, have one.
    pub(super) fn of(parts: &Parts) -> Result<&Self, ApiError> {
        parts.extensions.get().ok_or_else(|| ApiError::internal("the route has no caller"))
    }

    /// Without keys, every local process has full access.
    pub(super) fn local() -> Self {
        Self {
            key: None,
            name: "local".to_owned(),
            owner: Owner::Local,
            role: Role::Operate,
            accounts: None,
            positions: Positions::Plain,
        }
    }

    pub(super) fn sees(&self, account: &str) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
    }

    /// The account that it sees, if there is but one.
    pub(super) fn only_account(&self) -> Option<String> {
        let accounts = self.accounts.as_ref()?;
        accounts.iter().next().filter(|_| accounts.len() == 1).cloned()
    }

    /// The account of a submission that asks for this one, or for none; none leaves it to the intake.
    pub(super) fn account_for(
        &self,
        requested: Option<String>,
    ) -> Result<Option<String>, ApiError> {
        match (requested, &self.accounts) {
            (Some(requested), _) => self.may_use(&requested).map(|()| Some(requested)),
            (None, Some(accounts)) if accounts.len() != 1 => {
                let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
                let what = "it is needed, because this API key is for several";
                Err(ApiError::field("account", format!("{what}: {}", names.join(", "))))
            }
            (None, _) => Ok(self.only_account()),
        }
    }

    /// The error for which a request was not accepted, without the names of accounts that it does not see.
    pub(super) fn api_error(&self, error: IntakeError) -> ApiError {
        match error {
            IntakeError::UnknownAccount { account, .. } if self.accounts.is_some() => {
                ApiError::field("account", format!("`{account}` is not configured on this server"))
            }
            error => error.into(),
        }
    }

    /// Returns an error unless the account is one of its own.
    pub(super) fn may_use(&self, account: &str) -> Result<(), ApiError> {
        if self.sees(account) {
            return Ok(());
        }
        let what = format!("this API key is not for account `{account}`");
        Err(ApiError::new(ProblemKind::Forbidden, what))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(parts).cloned()
    }
}

impl Input for Caller {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation
    }
}
