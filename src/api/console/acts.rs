//! Acts of operators: each is that of the API, and leads back to the page that shows what became of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::audited::Audited;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::found::{AccountPath, Found};
use super::super::json::{JsonBody, OptionalJsonBody};
use super::super::operate;
use super::super::shared::Shared;
use super::form::{Form, FormText};
use super::respond::see;
use ferry_types::contract::{PauseRequest, ResolveRequest};

type Seen = Result<Response, ApiError>;

fn submission(found: &Found) -> Response {
    see(&format!("/console/submissions/{}", found.0.submission.id))
}

/// Cancels a submission.
pub(in crate::api) async fn cancel(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    _: FormText,
) -> Seen {
    let next = submission(&found);
    operate::cancel(shared, found, action).await.map(|_| next)
}

/// Resumes a failed submission where it stopped.
pub(in crate::api) async fn retry(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    _: FormText,
) -> Seen {
    let next = submission(&found);
    operate::retry(shared, found, action).await.map(|_| next)
}

/// Fetches results or feedback again.
pub(in crate::api) async fn refetch(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    _: FormText,
) -> Seen {
    let next = submission(&found);
    operate::refetch(shared, found, action).await.map(|_| next)
}

/// Redelivers the webhook.
pub(in crate::api) async fn redeliver(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    _: FormText,
) -> Seen {
    let next = submission(&found);
    operate::redeliver(shared, found, action).await.map(|_| next)
}

/// Decides about a held submission.
pub(in crate::api) async fn resolve(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    Form(request): Form<ResolveRequest>,
) -> Seen {
    let next = submission(&found);
    operate::resolve(shared, found, action, JsonBody(request)).await.map(|_| next)
}

/// Pauses an account.
pub(in crate::api) async fn pause(
    shared: State<Arc<Shared>>,
    caller: Caller,
    account: AccountPath,
    action: Audited,
    Form(request): Form<PauseRequest>,
) -> Seen {
    let request = PauseRequest { reason: request.reason.filter(|reason| !reason.is_empty()) };
    let body = OptionalJsonBody(Some(request));
    operate::pause(shared, caller, account, action, body).await.map(|_| see("/console/accounts"))
}

/// Resumes an account.
pub(in crate::api) async fn resume(
    shared: State<Arc<Shared>>,
    account: AccountPath,
    action: Audited,
    _: FormText,
) -> Seen {
    operate::resume(shared, account, action).await.map(|_| see("/console/accounts"))
}
