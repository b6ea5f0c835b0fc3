//! Actions of operators on submissions and accounts.

use std::sync::Arc;

use axum::extract::State;

use super::audited::Audited;
use super::caller::Caller;
use super::error::ApiError;
use super::found::{AccountPath, Found, unknown_account};
use super::json::{Json, JsonBody, OptionalJsonBody};
use super::shared::Shared;
use ferry_store::SubmissionDetail;
use ferry_types::contract::{PauseRequest, PauseView, ResolveRequest, SubmissionView, WebhookView};
use ferry_types::domain::account::{pause_reason, pause_record};

type Changed = Result<Json<SubmissionView>, ApiError>;

/// Cancels a submission.
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
    action: Audited,
) -> Changed {
    action.intend(None).await?;
    Ok(view(shared.store().cancel(found.submission.id).await?))
}

/// Resumes a failed submission where it stopped.
pub(super) async fn retry(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
    action: Audited,
) -> Changed {
    action.intend(None).await?;
    Ok(view(shared.store().retry(found.submission.id, shared.parts.deadline).await?))
}

/// Fetches results or feedback of a final submission again.
pub(super) async fn refetch(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
    action: Audited,
) -> Changed {
    action.intend(None).await?;
    Ok(view(shared.store().refetch(found.submission.id, shared.parts.deadline).await?))
}

/// Decides about a held submission.
pub(super) async fn resolve(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
    action: Audited,
    JsonBody(ResolveRequest { resolution }): JsonBody<ResolveRequest>,
) -> Changed {
    let (id, deadline) = (found.submission.id, shared.parts.deadline);
    action.intend(Some(resolution.as_str().to_owned())).await?;
    Ok(view(shared.store().resolve(id, resolution, deadline).await?))
}

/// Delivers the webhook, again if it was delivered.
pub(super) async fn redeliver(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
    action: Audited,
) -> Result<Json<WebhookView>, ApiError> {
    action.intend(None).await?;
    let found = shared.store().redeliver(found.submission.id).await?;
    Ok(Json(WebhookView::new(&found.submission)))
}

/// Pauses an account that is configured or has submissions.
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    AccountPath(account): AccountPath,
    action: Audited,
    OptionalJsonBody(body): OptionalJsonBody<PauseRequest>,
) -> Result<Json<PauseView>, ApiError> {
    if !shared.parts.intake.is_configured(&account) {
        let stats = shared.store().stats_of(&account).await?;
        if stats.accounts.is_empty() {
            return Err(unknown_account());
        }
    }
    let reason = body.and_then(|requested| requested.reason);
    let reason = reason.unwrap_or_else(|| "paused by an operator".to_owned());
    let reason = pause_reason(&reason).map_err(|what| ApiError::field("reason", what))?;
    action.intend(Some(reason.clone())).await?;
    let by = format!("`{}` over the API", caller.name);
    let recorded = pause_record(&reason, &by, shared.parts.clock.now());
    shared.store().pause(&account, &recorded).await?;
    Ok(Json(PauseView { account, pause_reason: Some(recorded), changed: true }))
}

/// Resumes an account.
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    AccountPath(account): AccountPath,
    action: Audited,
) -> Result<Json<PauseView>, ApiError> {
    action.intend(None).await?;
    let changed = shared.store().resume(&account).await?;
    Ok(Json(PauseView { account, pause_reason: None, changed }))
}

fn view(found: SubmissionDetail) -> Json<SubmissionView> {
    Json(SubmissionView::new(found.submission, found.waiting_for))
}
