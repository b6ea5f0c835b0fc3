//! Shows submissions: one, many, and how one came to be as it is.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};

use super::Shared;
use super::caller::Caller;
use super::error::ApiError;
use super::middleware::json;
use super::params::Params;
use super::wait::settled;
use ferry_store::{Cursor, Filter};
use ferry_types::contract::{DamagedSubmission, SubmissionPage, SubmissionView, WebhookView};

/// Submissions in a list, unless asked for otherwise.
const PAGE: u64 = 50;

/// The most submissions in a list.
const LARGEST_PAGE: u64 = 500;

/// One submission, as it is or when it is settled.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut params = Params::of(&uri);
    let wait = params.duration("wait")?;
    params.done()?;
    let mut found = caller.find(shared.parts.store.as_ref(), &id).await?;
    if let Some(limit) = wait {
        found = settled(&shared, found.submission.id, limit).await?;
    }
    let view = SubmissionView::new(found.submission, found.waiting_for);
    Ok(tagged(json(StatusCode::OK, &view), &view, &headers))
}

/// With a tag of what it says; without a body for whoever knows that already.
fn tagged(mut response: Response, view: &SubmissionView, headers: &HeaderMap) -> Response {
    let digest = digest(&SHA256, &serde_json::to_vec(view).unwrap_or_default());
    // Half of it tells any two states of a submission apart.
    let half: [u8; 16] = std::array::from_fn(|at| digest.as_ref()[at]);
    let tag = format!("\"{:032x}\"", u128::from_be_bytes(half));
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let value = value.to_str().unwrap_or_default();
        value
            .split(',')
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|t| t == tag || t == "*")
    });
    if known {
        response = StatusCode::NOT_MODIFIED.into_response();
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Submissions that match, newest first.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let mut params = Params::of(&uri);
    let mut filter = Filter { name: params.take("name")?, ..Filter::default() };
    for value in params.take_all("state").iter().flat_map(|words| words.split(',')) {
        let state = value.parse();
        filter.states.push(
            state.map_err(|error| ApiError::invalid(format!("the parameter `state`: {error}")))?,
        );
    }
    filter.labels = params.labels()?;
    filter.account = account(&caller, params.take("account")?)?;
    filter.created_after = params.time("created_after")?;
    filter.created_before = params.time("created_before")?;
    let expected = format!("a number from 1 to {LARGEST_PAGE}");
    let limit = params.number("limit", &expected)?.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::invalid(format!("the parameter `limit`: expected {expected}")));
    }
    let cursor = params.number("cursor", "the `next_cursor` of an earlier answer")?.map(Cursor);
    params.done()?;
    let submissions = match &filter.account {
        // Nothing of a foreign account, not even that there is one.
        Some(account) if !caller.sees(account) => SubmissionPage::default(),
        _ => {
            let page = shared.parts.store.list(&filter, cursor, limit as usize).await?;
            let view = |found: ferry_store::SubmissionDetail| {
                SubmissionView::new(found.submission, found.waiting_for)
            };
            SubmissionPage {
                submissions: page.found.into_iter().map(view).collect(),
                damaged: page.damaged.into_iter().map(damaged).collect(),
                next_cursor: page.next.map(|Cursor(cursor)| cursor.to_string()),
            }
        }
    };
    Ok(json(StatusCode::OK, &submissions))
}

fn damaged(record: ferry_store::DamagedRecord) -> DamagedSubmission {
    DamagedSubmission { id: record.id, cause: record.cause }
}

/// The account to list: a caller that is bound to several has to name one of them.
fn account(caller: &Caller, requested: Option<String>) -> Result<Option<String>, ApiError> {
    match (&caller.accounts, requested) {
        (Some(accounts), None) if accounts.len() != 1 => {
            let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
            let what = "the parameter `account` is needed, because this API key is for several";
            Err(ApiError::invalid(format!("{what}: {}", names.join(", "))))
        }
        (_, None) => Ok(caller.only_account()),
        (_, requested) => Ok(requested),
    }
}

/// What happened to a submission, oldest first.
pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let store = shared.parts.store.as_ref();
    let found = caller.find(store, &id).await?;
    Ok(json(StatusCode::OK, &store.timeline(found.submission.id).await?))
}

/// Who is told of a submission's outcome, and how that went.
pub(super) async fn deliveries(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let found = caller.find(shared.parts.store.as_ref(), &id).await?;
    Ok(json(StatusCode::OK, &WebhookView::new(&found.submission)))
}
