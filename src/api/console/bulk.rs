//! Acts on many submissions: the plan, its confirmation, batches, and the receipt.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::Uri;
use axum::response::Response;

use super::super::audited::Audited;
use super::super::bulk_actions;
use super::super::error::ApiError;
use super::super::json::{Json, JsonBody};
use super::super::middleware::RequestId;
use super::super::params::{Labels, Moment, States, Words};
use super::super::query::{self, PairError, pairs};
use super::super::shared::Shared;
use super::form::Form;
use super::progress::Progress;
use super::reader::Reader;
use super::respond::{page, see};
use super::submissions::filters;
use crate::console::{BulkPlanPage, BulkReceipt, BulkReceiptPage, Filters};
use ferry_types::contract::{BulkActionRequest, OperatorAction};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{WaitReason, WebhookState};

/// The submissions of a bulk action, as the list sends them.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkQuery {
    action: Option<OperatorAction>,
    #[serde(default)]
    of: Scope,
    #[serde(default)]
    id: Vec<SubmissionId>,
    #[serde(default)]
    state: States,
    name: Option<String>,
    #[serde(default)]
    account: Words,
    #[serde(default)]
    label: Labels,
    created_after: Option<Moment>,
    created_before: Option<Moment>,
    webhook: Option<WebhookState>,
    waiting_for: Option<WaitReason>,
    revision_of: Option<SubmissionId>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scope {
    #[default]
    All,
    Chosen,
}

/// The position of an action, and if it was stopped.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    at: String,
    #[serde(default)]
    stopped: bool,
}

/// The form of a confirmation, and of each next batch.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Confirmation {
    at: String,
    typed: Option<String>,
}

/// Shows the actions; of a chosen one the plan, which changes nothing; or the receipt of one that began.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let given = pairs(&uri)?;
    if given.iter().any(|(name, _)| name == "at") {
        let position: Position = query::read(given).map_err(PairError::of_query)?;
        return receipt(&shared, &reader, &position);
    }
    let (filters, given) = filters(given);
    let query: BulkQuery = query::read(given).map_err(PairError::of_query)?;
    if query.of == Scope::Chosen && query.id.is_empty() {
        return Err(ApiError::invalid("no submission is chosen: tick some in the list"));
    }
    let (frame, chosen) = (reader.frame().of("Submissions"), chosen(&query));
    let Some(request) = request(query) else {
        return Ok(page(&BulkPlanPage::new(frame, filters, chosen)));
    };
    plan(&shared, &reader, filters, request).await
}

fn chosen(query: &BulkQuery) -> Vec<String> {
    match query.of {
        Scope::All => Vec::new(),
        Scope::Chosen => query.id.iter().map(ToString::to_string).collect(),
    }
}

fn request(query: BulkQuery) -> Option<BulkActionRequest> {
    let is_chosen = query.of == Scope::Chosen;
    Some(BulkActionRequest {
        states: query.state.0,
        name: query.name,
        accounts: query.account.0,
        labels: query.label.0,
        created_after: query.created_after.map(|at| at.0),
        created_before: query.created_before.map(|at| at.0),
        webhook: query.webhook,
        waiting_for: query.waiting_for,
        revision_of: query.revision_of,
        ids: if is_chosen { query.id } else { Vec::new() },
        ..BulkActionRequest::new(query.action?)
    })
}

async fn plan(
    shared: &Shared,
    reader: &Reader,
    filters: Filters,
    request: BulkActionRequest,
) -> Result<Response, ApiError> {
    let plan = bulk_actions::plan(shared, &reader.caller, request.clone()).await?;
    let progress = Progress::planned(&reader.caller, request, &plan);
    let at = progress.signed(&shared.parts.session_secret);
    let chosen = progress.request.ids.iter().map(ToString::to_string).collect();
    let shown = BulkPlanPage::new(reader.frame().of("Submissions"), filters, chosen);
    Ok(page(&shown.with_plan(progress.request.action, &plan, at, progress.typed())))
}

fn receipt(shared: &Shared, reader: &Reader, position: &Position) -> Result<Response, ApiError> {
    let Position { at, stopped } = position;
    let progress = Progress::read(at, &shared.parts.session_secret, &reader.caller)?;
    let receipt = BulkReceipt {
        action: progress.request.action,
        by: reader.caller.name.clone(),
        planned: progress.planned,
        has_more: progress.has_more,
        changed: progress.changed,
        examples: progress.examples,
        unchanged: progress.unchanged,
        batches: progress.batches,
        next: progress.request.pinned.map(|_| at.clone()),
        is_stopped: *stopped,
    };
    Ok(page(&BulkReceiptPage::new(reader.frame().of("Submissions"), receipt)))
}

/// Does the next batch, if the plan was confirmed.
pub(in crate::api) async fn act(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    action: Audited,
    Extension(RequestId(id)): Extension<RequestId>,
    Form(Confirmation { at, typed }): Form<Confirmation>,
) -> Result<Response, ApiError> {
    let secret = shared.parts.session_secret.clone();
    let mut progress = Progress::read(&at, &secret, &reader.caller)?;
    let expected = progress.typed();
    if expected.is_some() && expected.as_deref() != typed.as_deref().map(str::trim) {
        let what = format!("type {} to confirm; nothing was changed", progress.planned);
        return Err(ApiError::field("typed", what));
    }
    if progress.request.pinned.is_none() {
        return Ok(see(&progress.path(&secret)));
    }
    let body = JsonBody(progress.request.clone());
    let Json(batch) = bulk_actions::run(State(shared), reader.caller, action, body).await?;
    progress.add(batch, id, reader.now);
    Ok(see(&progress.path(&secret)))
}
