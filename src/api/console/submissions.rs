//! The list of submissions, one of them, and what was stored for it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::super::content::{self, FeedbackQuery};
use super::super::error::ApiError;
use super::super::found::{Found, ResultKey};
use super::super::json::Json;
use super::super::page as listed;
use super::super::query::{self, PairError, Pairs, Query, pairs};
use super::super::read::{self, ListQuery};
use super::super::response_memory::Reserved;
use super::super::shared::Shared;
use super::attachment::{Part, attached};
use super::reader::Reader;
use super::respond::{page, page_with, see};
use super::rows::previewed;
use crate::console::{Detail, FeedbackPage, Filters, ListPage, SubmissionPage};
use ferry_store::{Filter, StoreError, SubmissionDetail};
use ferry_types::contract::{ProblemKind, SubmissionView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{self, Submission};

/// Submissions of a name that are looked at for revisions, and revisions that are shown.
const OF_A_NAME: usize = 20;
const REVISIONS: usize = 3;

/// Shows the submissions that match.
pub(in crate::api) async fn list(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let (filters, pairs) = filters(pairs(&uri)?);
    // An id that was put into the filter opens its submission.
    if let Ok(id) = filters.name.trim().parse::<SubmissionId>()
        && let Ok(Some(found)) = shared.store().get(id).await
        && reader.caller.sees(&found.submission.account)
    {
        return Ok(see(&format!("/console/submissions/{id}")));
    }
    let query: ListQuery = query::read(pairs).map_err(PairError::of_query)?;
    let listed = read::list(State(shared), reader.caller.clone(), Query(query)).await?;
    let Reserved(memory, Json(found)) = listed;
    let frame = reader.frame().of("Submissions");
    let shown = page(&ListPage::new(frame, filters, found, reader.now));
    Ok(Reserved(memory, shown).into_response())
}

/// The filters of a form, whose empty fields do not count, and the parameters of the API that they are.
pub(super) fn filters(given: Pairs) -> (Filters, Pairs) {
    let mut filters = Filters::default();
    let mut pairs = Pairs::new();
    for (name, value) in given.into_iter().filter(|(_, value)| !value.is_empty()) {
        let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
        if name == "account" {
            filters.accounts.extend(parts.clone().map(str::to_owned));
        }
        if name == "state" {
            filters.states.extend(parts.filter_map(|part| part.parse::<submission::State>().ok()));
        }
        let is_time = matches!(&*name, "created_after" | "created_before");
        let field = match &*name {
            "name" => Some(&mut filters.name),
            "label" => Some(&mut filters.label),
            "created_after" => Some(&mut filters.created_after),
            "created_before" => Some(&mut filters.created_before),
            "webhook" => Some(&mut filters.webhook),
            "waiting_for" => Some(&mut filters.waiting_for),
            _ => None,
        };
        // A further label counts too: none may be lost on the way to an act on all that match.
        let other = match (&*name, field) {
            ("revision_of", _) => Some("revision_of"),
            ("label", Some(field)) if !field.is_empty() => Some("label"),
            (_, Some(field)) => {
                field.clone_from(&value);
                None
            }
            (_, None) => None,
        };
        filters.others.extend(other.map(|name| (name, value.clone())));
        filters.is_continued |= name == "cursor";
        pairs.push((name, if is_time { in_utc(value) } else { value }));
    }
    (filters, pairs)
}

/// A time as browsers send it, which is in UTC here.
pub(super) fn in_utc(value: String) -> String {
    match value.len() {
        16 => value + ":00Z",
        19 => value + "Z",
        _ => value,
    }
}

/// Shows a submission.
pub(in crate::api) async fn get(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
) -> Result<Response, ApiError> {
    Ok(page(&page_of(&shared, &reader, found).await?))
}

/// The page of a submission.
async fn page_of(
    shared: &Arc<Shared>,
    reader: &Reader,
    found: SubmissionDetail,
) -> Result<SubmissionPage, ApiError> {
    let Json(timeline) = read::timeline(State(shared.clone()), Found(found.clone())).await?;
    let Json(webhook) = read::deliveries(reader.caller.clone(), Found(found.clone())).await?;
    let preview = previewed(shared, reader, &found.submission).await?;
    let revisions = revisions(shared, reader, &found.submission).await?;
    let payload_bytes = found.submission.payload_bytes;
    let view = SubmissionView::new(found.submission, found.waiting_for);
    let detail = Detail { view, timeline, webhook, payload_bytes, preview, revisions };
    Ok(SubmissionPage::new(reader.frame().of("Submissions"), detail, reader.now))
}

/// The response to an act on a submission: its page, also where its state no longer allows the act.
pub(super) async fn acted<T>(
    shared: &Arc<Shared>,
    reader: &Reader,
    id: SubmissionId,
    done: Result<T, ApiError>,
) -> Result<Response, ApiError> {
    match done {
        Ok(_) => Ok(see(&format!("/console/submissions/{id}"))),
        Err(error) if error.problem.kind() == Some(ProblemKind::StateConflict) => {
            let found = shared.store().get(id).await?.ok_or(StoreError::NotFound(id))?;
            let now = page_of(shared, reader, found).await?.after_conflict(&error.problem.detail);
            Ok(page_with(StatusCode::CONFLICT, &now))
        }
        Err(error) => Err(error),
    }
}

/// The newest revisions of a final submission, among the newest submissions of its name.
async fn revisions(
    shared: &Shared,
    reader: &Reader,
    submission: &Submission,
) -> Result<Vec<(SubmissionId, submission::State)>, ApiError> {
    if !submission.state.is_final() {
        return Ok(Vec::new());
    }
    // The page is complete without them.
    let Ok(_memory) = listed::reserve(shared, &reader.caller, OF_A_NAME) else {
        return Ok(Vec::new());
    };
    let (name, accounts) = (Some(submission.name.clone()), vec![submission.account.clone()]);
    let filter = Filter { name, accounts, ..Filter::default() };
    let page = shared.store().list(&filter, None, OF_A_NAME).await?;
    let revisions = page.found.into_iter().map(|found| found.submission);
    let revisions = revisions.filter(|other| other.revision_of == Some(submission.id));
    Ok(revisions.take(REVISIONS).map(|revision| (revision.id, revision.state)).collect())
}

/// A result, which is stored and not shown.
pub(in crate::api) async fn result(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    ResultKey(key): ResultKey,
) -> Result<Response, ApiError> {
    let (name, of) = (found.submission.name.clone(), key.clone());
    let (found, key) = (Found(found), ResultKey(key));
    let response = content::result(State(shared), reader.caller, found, key).await?;
    Ok(attached(response, &name, Part::Result(&of)))
}

/// The dataset as a file.
pub(in crate::api) async fn data(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
) -> Result<Response, ApiError> {
    let name = found.submission.name.clone();
    let response = content::data(State(shared), reader.caller, Found(found)).await?;
    Ok(attached(response, &name, Part::Data))
}

/// The events of a dataset as a file.
pub(in crate::api) async fn event_data(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
) -> Result<Response, ApiError> {
    let name = found.submission.name.clone();
    let response = content::event_data(State(shared), reader.caller, Found(found)).await?;
    Ok(attached(response, &name, Part::Events))
}

/// Shows the feedback by cause, or returns it as a file.
pub(in crate::api) async fn feedback(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    Found(found): Found,
    Query(query): Query<FeedbackQuery>,
) -> Result<Response, ApiError> {
    if query.is_file() {
        let (name, caller) = (found.submission.name.clone(), reader.caller);
        let part = query.table().map_or(Part::Feedback, Part::WithFeedback);
        let file = content::feedback(State(shared), caller, Found(found), Query(query)).await?;
        return Ok(attached(file, &name, part));
    }
    let (memory, items) =
        content::feedback_items(&shared, &reader.caller, &found.submission).await?;
    let view = SubmissionView::new(found.submission, found.waiting_for);
    let shown = page(&FeedbackPage::new(reader.frame().of("Submissions"), &view, &items));
    Ok(Reserved(Some(memory), shown).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_of_a_list_is_one_of_its_links_and_acts() {
        let pairs = [
            ("label", "a=1"),
            ("account", "north"),
            ("label", "b=2"),
            ("account", "south"),
            ("name", "march"),
            ("revision_of", "01M8"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let (filters, _) = filters(pairs.into_iter().map(owned).collect());
        let mut fields = filters.fields();
        fields.sort_unstable();
        let mut expected = pairs;
        expected.sort_unstable();
        assert_eq!(fields, expected);
    }
}
