//! Compares two submissions on a page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::super::compare::{self, CompareQuery};
use super::super::error::ApiError;
use super::super::found::{Found, Other};
use super::super::json::Json;
use super::super::query::Query;
use super::super::response_memory::Reserved;
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::page;
use crate::console::{ComparePage, Compared};
use ferry_types::contract::SubmissionView;

/// Shows how the dataset of a later submission differs.
pub(in crate::api) async fn compare(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    Other(other): Other,
    query: Query<CompareQuery>,
) -> Result<Response, ApiError> {
    let (before, after) = (found.clone(), other.clone());
    let compared =
        compare::compare(State(shared), reader.caller.clone(), Found(found), Other(other), query);
    let Reserved(memory, Json(difference)) = compared.await?;
    let compared = Compared {
        before: SubmissionView::new(before.submission, before.waiting_for),
        after: SubmissionView::new(after.submission, after.waiting_for),
        difference,
    };
    let shown = page(&ComparePage::new(reader.frame().of("Submissions"), &compared, reader.now));
    Ok(Reserved(memory, shown).into_response())
}
