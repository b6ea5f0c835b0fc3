//! The rehearsal, where a simulated Platform runs in the process.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::super::audited::Audited;
use super::super::error::ApiError;
use super::super::json::{Json, JsonBody};
use super::super::rehearsal;
use super::super::shared::Shared;
use super::super::stats;
use super::form::Form;
use super::reader::Reader;
use super::respond::{page, see};
use crate::console::RehearsePage;
use ferry_types::contract::{Drill, RehearsalRequest};

/// The form of a drill.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct DrillForm {
    drill: Option<Drill>,
    on: bool,
    share: Option<String>,
}

/// Shows the drills, and what the overview says now.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
) -> Result<Response, ApiError> {
    rehearsal::of(&shared, &reader.caller)?;
    let Json(stats) = stats::stats(State(shared.clone()), reader.caller.clone()).await?;
    let view = rehearsal::view(&shared, &reader.caller, &stats)?;
    Ok(page(&RehearsePage::new(reader.frame().of("Rehearse"), &view, &stats.findings)))
}

/// Begins or ends a drill, or ends all of them.
pub(in crate::api) async fn act(
    state: State<Arc<Shared>>,
    reader: Reader,
    action: Audited,
    Form(DrillForm { drill, on, share }): Form<DrillForm>,
) -> Result<Response, ApiError> {
    let share = share.map(|text| text.trim().parse()).transpose();
    let share = share.map_err(|_| ApiError::field("share", "expected a number from 0 to 1"))?;
    let body = JsonBody(RehearsalRequest { drill, on, share });
    rehearsal::change(state, reader.caller, action, body).await.map(|_| see("/console/rehearse"))
}
