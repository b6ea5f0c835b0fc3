//! Acts on all submissions that match: a dry run first, then batches, each on its own request, so that a
//! client ends it by sending no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;

use super::audited::Audited;
use super::caller::Caller;
use super::error::ApiError;
use super::json::{Json, JsonBody};
use super::page;
use super::read::account;
use super::shared::Shared;
use crate::bulk_actions::{BATCH, Bulk, BulkReport};
use crate::pipeline::MAX_ITEMS;
use ferry_store::Filter;
use ferry_store::selection::Selection;
use ferry_types::contract::{BulkActionRequest, BulkActionView, ProblemKind};
use ferry_types::domain::submission::OperatorAction;

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
    let operation = OperatorAction::from(request.action);
    request.account = account(&caller, request.account)?;
    let pinned = request.pinned.take();
    let position = pinned.as_deref().map(|pinned| caller.positions.page(pinned)).transpose();
    let position = position.map_err(|_| {
        let what = "`pinned` is not of a response to this API key: begin with a dry run";
        ApiError::new(ProblemKind::StateConflict, what)
    })?;
    let dry_run = if pinned.is_none() { "dry run: " } else { "" };
    let details = serde_json::to_string(&request).unwrap_or_default();
    action.intend(Some(format!("{dry_run}{details}"))).await?;
    if request.account.as_ref().is_some_and(|account| !caller.sees(account)) {
        return Ok(Json(BulkActionView { dry_run: pinned.is_none(), ..BulkActionView::default() }));
    }
    let _memory = page::reserve(&shared, &caller, BATCH)?;
    let bulk = Bulk::new(operation, selection(request), shared.parts.deadline);
    let (store, now) = (shared.store(), shared.parts.clock.now());
    let report = match position {
        None => bulk.plan(store, MOST, now).await?,
        Some(position) => {
            let (ids, mut report) = bulk.batch(store, position, now).await?;
            for id in ids {
                let part = format!("POST /v1/submissions/{id}/{}", operation.as_str());
                let details = match operation {
                    OperatorAction::Resolve(resolution) => Some(resolution.as_str().to_owned()),
                    _ => None,
                };
                let performed = action.part(part, details, bulk.perform(store, id)).await?;
                report.record(id, performed)?;
            }
            report
        }
    };
    Ok(Json(view(report, position.is_none(), &caller)?))
}

fn selection(request: BulkActionRequest) -> Selection {
    let filter = Filter {
        states: request.states,
        name: request.name,
        account: request.account,
        labels: request.labels,
        created_after: request.created_after,
        created_before: request.created_before,
    };
    Selection { filter, webhook: request.webhook }
}

fn view(report: BulkReport, dry_run: bool, caller: &Caller) -> Result<BulkActionView, ApiError> {
    let pinned = report.next.map(|next| caller.positions.of_page(next)).transpose()?;
    Ok(BulkActionView {
        dry_run,
        changed: report.changed,
        refused: report.refused(),
        examples: report.examples,
        has_more: report.has_more,
        pinned,
    })
}
