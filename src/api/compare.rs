//! Compares the datasets of two submissions.

use std::sync::Arc;

use axum::extract::State;
use schemars::JsonSchema;

use super::caller::Caller;
use super::correct::difference;
use super::error::ApiError;
use super::found::{Found, Other};
use super::json::Json;
use super::params::{RowCount, Skipped};
use super::query::Query;
use super::response_memory::Reserved;
use super::shared::Shared;
use ferry_types::domain::dataset::Difference;

/// The differing rows to list.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareQuery {
    /// Number of differing rows before the first one that is listed.
    #[serde(default)]
    pub(super) from: Skipped,
    /// Maximum number of rows.
    #[serde(default)]
    pub(super) count: RowCount,
}

/// Shows how the dataset of a later submission differs.
pub(super) async fn compare(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(found): Found,
    Other(other): Other,
    Query(CompareQuery { from, count }): Query<CompareQuery>,
) -> Result<Reserved<Json<Difference>>, ApiError> {
    let pair = (&found.submission, &other.submission);
    let (found, memory) = difference(&shared, &caller, pair, from.0, count.0).await?;
    Ok(Reserved(Some(memory), Json(found)))
}
