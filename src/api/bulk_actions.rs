//! Acts on all submissions that match: a dry run first, then batches, each on its own request, so that a
//! client ends it by sending no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;

use super::audited::Audited;
use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::error::ApiError;
use super::json::{Json, JsonBody};
use super::page;
use super::read::accounts;
use super::shared::Shared;
use crate::bulk_actions::{BATCH, Bulk, BulkReport};
use crate::pipeline::MAX_ITEMS;
use crate::to_json::to_json;
use ferry_store::Filter;
use ferry_store::selection::Selection;
use ferry_types::contract::{BulkActionRequest, BulkActionView, ProblemKind};

/// The most submissions that a dry run counts.
const MOST: u64 = 1000;

/// Plans an action, or does its next batch.
pub(super) async fn run(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    action: Audited,
    JsonBody(mut request): JsonBody<BulkActionRequest>,
) -> Result<Json<BulkActionView>, ApiError> {
    if request.labels.len() > MAX_ITEMS {
        return Err(ApiError::field("labels", format!("at most {MAX_ITEMS} are allowed")));
    }
    // Each once: a store asks for the submissions of each.
    request.states = BTreeSet::from_iter(request.states).into_iter().collect();
    let Some(pinned) = request.pinned.take() else {
        action.intend(Some(format!("dry run: {}", to_json(&request)))).await?;
        return plan(&shared, &caller, request).await.map(Json);
    };
    let position = caller.positions.page(&pinned).map_err(|_| {
        let what = "`pinned` is not of a response to this API key: begin with a dry run";
        ApiError::new(ProblemKind::StateConflict, what)
    })?;
    action.intend(Some(to_json(&request))).await?;
    let operation = request.action;
    let Some((bulk, _memory)) = prepared(&shared, &caller, request)? else {
        return Ok(Json(BulkActionView::default()));
    };
    let (store, now) = (shared.store(), shared.parts.clock.now());
    let (ids, mut report) = bulk.batch(store, position, now).await?;
    for id in ids {
        let part = format!("POST /v1/submissions/{id}/{}", operation.command());
        let details = operation.resolution().map(|resolution| resolution.as_str().to_owned());
        let performed = action.part(part, details, bulk.perform(store, id)).await?;
        report.record(id, performed)?;
    }
    view(report, false, &caller).map(Json)
}

/// Plans an action, and changes nothing.
pub(super) async fn plan(
    shared: &Shared,
    caller: &Caller,
    request: BulkActionRequest,
) -> Result<BulkActionView, ApiError> {
    let Some((bulk, _memory)) = prepared(shared, caller, request)? else {
        return Ok(BulkActionView { dry_run: true, ..BulkActionView::default() });
    };
    let report = bulk.plan(shared.store(), MOST, shared.parts.clock.now()).await?;
    view(report, true, caller)
}

/// The action, with the memory for a batch; `None` if the caller sees no account that it is about.
fn prepared(
    shared: &Shared,
    caller: &Caller,
    mut request: BulkActionRequest,
) -> Result<Option<(Bulk, MemoryPermit)>, ApiError> {
    if request.ids.len() > BATCH {
        return Err(ApiError::field("ids", format!("at most {BATCH} are allowed")));
    }
    let Some(accounts) = accounts(caller, std::mem::take(&mut request.accounts))? else {
        return Ok(None);
    };
    let memory = page::reserve(shared, caller, BATCH)?;
    let (operation, ids) = (request.action, std::mem::take(&mut request.ids));
    let bulk = Bulk::new(operation, selection(request, accounts), shared.parts.deadline);
    Ok(Some((bulk.of(ids), memory)))
}

fn selection(request: BulkActionRequest, accounts: Vec<String>) -> Selection {
    let filter = Filter {
        states: request.states,
        name: request.name,
        accounts,
        labels: request.labels,
        created_after: request.created_after,
        created_before: request.created_before,
    };
    let BulkActionRequest { webhook, waiting_for, revision_of, .. } = request;
    Selection { filter, webhook, waiting_for, revision_of }
}

fn view(report: BulkReport, dry_run: bool, caller: &Caller) -> Result<BulkActionView, ApiError> {
    let pinned = report.next.map(|next| caller.positions.of_page(next)).transpose()?;
    Ok(BulkActionView {
        dry_run,
        changed: report.changed,
        unchanged: report.unchanged(),
        examples: report.examples,
        has_more: report.has_more,
        pinned,
    })
}
