//! The page of the decision about a held submission, with its evidence.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};

use super::super::content;
use super::super::error::ApiError;
use super::super::found::Found;
use super::super::json::Json;
use super::super::read;
use super::super::response_memory::Reserved;
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::{page, see};
use crate::console::{HeldPage, Text};
use ferry_store::Payload;
use ferry_types::contract::{ProblemKind, SubmissionView};
use ferry_types::domain::dataset::{Table, check};
use ferry_types::domain::submission;

/// Shows the evidence and the decisions; one that is not held leads to its page.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
) -> Result<Response, ApiError> {
    let id = found.submission.id;
    if found.submission.state != submission::State::Held {
        return Ok(see(&format!("/console/submissions/{id}")));
    }
    let (memory, texts) = match content::submitted(&shared, &reader.caller, &found.submission).await
    {
        Ok((memory, payload)) => (Some(memory), texts(payload).await),
        Err(error) if error.problem.kind() == Some(ProblemKind::NotFound) => (None, Vec::new()),
        Err(error) => return Err(error),
    };
    let Json(timeline) = read::timeline(State(shared), Found(found.clone())).await?;
    let view = SubmissionView::new(found.submission, found.waiting_for);
    let frame = reader.frame().of("Submissions");
    let shown = page(&HeldPage::new(frame, &view, &texts, timeline, reader.now));
    Ok(Reserved(memory, shown).into_response())
}

/// Counts and hashes beside the threads that serve requests: a dataset may be large.
async fn texts(payload: Payload) -> Vec<Text> {
    let read = tokio::task::spawn_blocking(move || {
        let data = ("data", Table::Data, Some(payload.data));
        let events = ("event_data", Table::Events, payload.event_data);
        let text = |(name, table, text): (&'static str, Table, Option<String>)| {
            let text = text?;
            let sha256 = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
            let rows = check(table, name, text.as_bytes()).0.rows;
            Some(Text { name, rows, bytes: text.len() as u64, sha256 })
        };
        [data, events].into_iter().filter_map(text).collect()
    });
    read.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
