//! The submission or the account that a path names: what the caller does not see is not there.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::caller::Caller;
use super::error::ApiError;
use super::key_file::key_name;
use super::openapi::{Input, Operation};
use super::query::excerpt;
use super::shared::Shared;
use ferry_store::{StoreError, SubmissionDetail};
use ferry_types::contract::ProblemKind::{DamagedSubmission, NotFound, StoreUnavailable};
use ferry_types::domain::SubmissionId;

/// The submission of `{id}`, as the store has it.
#[derive(Debug)]
pub(super) struct Found(pub(super) SubmissionDetail);

/// The submission of `{other}`, as the store has it.
#[derive(Debug)]
pub(super) struct Other(pub(super) SubmissionDetail);

/// The `{key}` of a result.
#[derive(Debug)]
pub(super) struct ResultKey(pub(super) String);

/// The name of `{account}`, which the caller sees.
#[derive(Debug)]
pub(super) struct AccountPath(pub(super) String);

/// The `{name}` of an API key.
#[derive(Debug)]
pub(super) struct KeyPath(pub(super) String);

#[derive(Debug, serde::Deserialize)]
struct NameOnly {
    name: String,
}

#[derive(Debug, serde::Deserialize)]
struct IdOnly {
    id: String,
}

#[derive(Debug, serde::Deserialize)]
struct OtherOnly {
    other: String,
}

#[derive(Debug, serde::Deserialize)]
struct KeyOnly {
    key: String,
}

#[derive(Debug, serde::Deserialize)]
struct AccountOnly {
    account: String,
}

async fn part<T: serde::de::DeserializeOwned + Send>(parts: &mut Parts) -> Result<T, ApiError> {
    let Path(path) = Path::<T>::from_request_parts(parts, &())
        .await
        .map_err(|error| ApiError::not_found(error.body_text()))?;
    Ok(path)
}

/// The submission with this id, if the caller sees it.
async fn find(shared: &Shared, caller: &Caller, id: &str) -> Result<SubmissionDetail, ApiError> {
    let is_bound = caller.accounts.is_some();
    let of_key = if is_bound { " of this API key's accounts that can be read" } else { "" };
    let none = || ApiError::not_found(format!("there is no submission `{}`{of_key}", excerpt(id)));
    let parsed: SubmissionId = id.parse().map_err(|_| none())?;
    let found = match shared.store().get(parsed).await {
        // The account of a damaged record is unknown.
        Err(StoreError::Damaged { .. }) if is_bound => None,
        found => found?,
    };
    found.filter(|found| caller.sees(&found.submission.account)).ok_or_else(none)
}

impl FromRequestParts<Arc<Shared>> for Found {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, shared).await?;
        let IdOnly { id } = part(parts).await?;
        find(shared, &caller, &id).await.map(Self)
    }
}

impl FromRequestParts<Arc<Shared>> for Other {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, shared).await?;
        let OtherOnly { other } = part(parts).await?;
        find(shared, &caller, &other).await.map(Self)
    }
}

impl Input for Other {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.path::<SubmissionId>("other", "Id of the later submission")
    }
}

impl Input for Found {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.path::<SubmissionId>("id", "Id of the submission").problems(&[
            NotFound,
            DamagedSubmission,
            StoreUnavailable,
        ])
    }
}

impl<S: Sync> FromRequestParts<S> for ResultKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let KeyOnly { key } = part(parts).await?;
        Ok(Self(key))
    }
}

impl Input for ResultKey {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let key = serde_json::json!({ "type": "string", "examples": ["tableofresultids"] });
        operation.parameter("path", "key", &key, "Result key")
    }
}

impl<S: Sync> FromRequestParts<S> for AccountPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let AccountOnly { account } = part(parts).await?;
        if caller.sees(&account) { Ok(Self(account)) } else { Err(unknown_account()) }
    }
}

impl Input for AccountPath {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let account = serde_json::json!({ "type": "string", "examples": ["default"] });
        operation
            .parameter("path", "account", &account, "Name of the account")
            .problems(&[NotFound, StoreUnavailable])
    }
}

/// The account is neither configured nor in the store, or the caller does not see it.
pub(super) fn unknown_account() -> ApiError {
    ApiError::not_found("the account is unknown")
}

impl<S: Sync> FromRequestParts<S> for KeyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let NameOnly { name } = part(parts).await?;
        // No key has another name, and it is written into the audit log.
        key_name(&name).map(Self).map_err(|_| ApiError::not_found("there is no key of this name"))
    }
}

impl Input for KeyPath {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let name = serde_json::json!({ "type": "string", "examples": ["billing"] });
        operation.parameter("path", "name", &name, "Name of the key").problems(&[NotFound])
    }
}
