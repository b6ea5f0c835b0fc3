//! The rows of a dataset or a result, a window of them at a time.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::super::content;
use super::super::error::ApiError;
use super::super::found::Found;
use super::super::params::FirstRow;
use super::super::query::{self, PairError, filled};
use super::super::response_memory::Reserved;
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::page;
use crate::charset::text;
use crate::console::{RowsPage, RowsView, SeenRows, Source, may_be_table, preview};
use ferry_store::{SubmissionDetail, compute};
use ferry_types::contract::{RowsOnly, SubmissionView};
use ferry_types::domain::dataset::Table;
use ferry_types::domain::submission::{FEEDBACK_KEY, StoredContent, Submission};

/// Size of the largest result of which the page of the submission shows rows.
const PREVIEWED: u64 = 64 << 10;

/// The rows to show.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RowsQuery {
    table: Option<Table>,
    result: Option<String>,
    #[serde(default)]
    from: FirstRow,
    only: Option<RowsOnly>,
}

/// Shows rows of the dataset, or of a result.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query: RowsQuery = query::read(filled(&uri)?).map_err(PairError::of_query)?;
    let (from, has_feedback) = (query.from.0, query.only.is_some());
    match query.result {
        Some(_) if query.table.is_some() || has_feedback => {
            Err(ApiError::invalid("`result` has no `table` and no `only`"))
        }
        Some(key) => of_result(&shared, &reader, found, key, from).await,
        None => {
            let table = query.table.unwrap_or(Table::Data);
            let shown = RowsView { source: Source::Table(table), from, has_feedback };
            of_dataset(&shared, &reader, found, table, shown).await
        }
    }
}

async fn of_dataset(
    shared: &Shared,
    reader: &Reader,
    found: SubmissionDetail,
    table: Table,
    shown: RowsView,
) -> Result<Response, ApiError> {
    let loaded = content::loaded(shared, &reader.caller, &found.submission).await?;
    let (frame, bytes) = (reader.frame().of("Submissions"), found.submission.payload_bytes);
    let view = SubmissionView::new(found.submission, found.waiting_for);
    let shown = compute(bytes, move || {
        let events = loaded.payload.event_data.as_deref();
        let (text, has_other) = match table {
            Table::Data => (loaded.payload.data.as_str(), events.is_some()),
            Table::Events => (events.ok_or_else(|| content::no_events(view.id))?, true),
        };
        let text = (table, text, has_other);
        let known = (&*loaded.items, &mut *loaded.bookmarks(table).lock());
        Ok::<Response, ApiError>(page(&RowsPage::of_dataset(frame, &view, shown, text, known)))
    });
    shown.await
}

async fn of_result(
    shared: &Shared,
    reader: &Reader,
    found: SubmissionDetail,
    key: String,
    from: u64,
) -> Result<Response, ApiError> {
    let (memory, stored) =
        content::stored_result(shared, &reader.caller, &found.submission, &key).await?;
    let frame = reader.frame().of("Submissions");
    let view = SubmissionView::new(found.submission, found.waiting_for);
    let shown = compute(stored.bytes.len() as u64, move || {
        let content_type = stored.content_type.as_deref();
        let text = may_be_table(content_type).then(|| text(content_type, &stored.bytes));
        page(&RowsPage::of_result(frame, &view, (key, from), text.as_deref()))
    });
    Ok(Reserved(Some(memory), shown.await).into_response())
}

/// The first rows of the first result that is a small table, and its key.
pub(super) async fn previewed(
    shared: &Shared,
    reader: &Reader,
    submission: &Submission,
) -> Result<Option<(String, SeenRows)>, ApiError> {
    let is_small = |stored: &&StoredContent| {
        stored.key != FEEDBACK_KEY
            && stored.bytes <= PREVIEWED
            && may_be_table(stored.content_type.as_deref())
    };
    let Some(stored) = submission.results.iter().find(is_small) else { return Ok(None) };
    // The page is complete without it.
    let Ok(_memory) = content::reserve(shared, &reader.caller, stored.bytes) else {
        return Ok(None);
    };
    let content = shared.store().content(submission.id, &stored.key).await?;
    let rows =
        content.and_then(|content| preview(&text(content.content_type.as_deref(), &content.bytes)));
    Ok(rows.map(|rows| (stored.key.clone(), rows)))
}
