//! Shows submissions: one, many, and the history of one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde_json::json;

use super::caller::Caller;
use super::error::ApiError;
use super::found::Found;
use super::json::Json;
use super::openapi::{Input, Operation, Output};
use super::page::{self, view};
use super::params::{Labels, Moment, PageCursor, PageSize, States, WaitQuery};
use super::query::Query;
use super::response_memory::Reserved;
use super::role::Role;
use super::shared::Shared;
use super::wait::settled;
use ferry_store::Filter;
use ferry_store::selection::{self, Count, Selection};
use ferry_types::contract::{CountView, SubmissionPage, SubmissionView, WebhookView};
use ferry_types::domain::submission::{
    State as SubmissionState, TimelineEntry, WaitReason, WebhookState,
};

/// The most submissions that are read to count them.
const MOST: u64 = 1000;

/// The tags of states that a client knows already.
#[derive(Debug)]
pub(super) struct IfNoneMatch(Vec<String>);

/// A submission with the tag of its state; without a body for a client that knows it already.
#[derive(Debug)]
pub(super) struct Tagged {
    view: SubmissionView,
    known: IfNoneMatch,
}

/// The submissions to list.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// In one of these states.
    #[serde(default)]
    state: States,
    /// With exactly this name.
    name: Option<String>,
    /// Of this account.
    account: Option<String>,
    /// With all of these labels, as KEY=VALUE.
    #[serde(default)]
    label: Labels,
    /// Accepted at this time or later.
    created_after: Option<Moment>,
    /// Accepted before this time.
    created_before: Option<Moment>,
    /// With a webhook in this state. Where few are, a page may be short, or empty, although more follow.
    webhook: Option<WebhookState>,
    /// Unfinished or held, and waiting for this reason. Where few are, a page may be short, or empty, although more follow.
    waiting_for: Option<WaitReason>,
    /// Maximum number of submissions in the page, which has fewer where they are large.
    limit: Option<PageSize>,
    /// The `next_cursor` of an earlier page, to continue there.
    cursor: Option<PageCursor>,
}

/// The submissions to count.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CountQuery {
    /// In one of these states.
    #[serde(default)]
    state: States,
    /// With exactly this name.
    name: Option<String>,
    /// Of this account.
    account: Option<String>,
    /// With all of these labels, as KEY=VALUE.
    #[serde(default)]
    label: Labels,
    /// Accepted at this time or later.
    created_after: Option<Moment>,
    /// Accepted before this time.
    created_before: Option<Moment>,
    /// With a webhook in this state.
    webhook: Option<WebhookState>,
    /// Unfinished or held, and waiting for this reason.
    waiting_for: Option<WaitReason>,
}

impl ListQuery {
    /// The newest submissions in a state.
    pub(super) fn newest(state: SubmissionState, account: Option<String>, limit: usize) -> Self {
        Self {
            state: States(vec![state]),
            name: None,
            account,
            label: Labels::default(),
            created_after: None,
            created_before: None,
            webhook: None,
            waiting_for: None,
            limit: Some(PageSize(limit)),
            cursor: None,
        }
    }
}

/// Shows a submission, as it is or when it is settled.
pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Found(mut found): Found,
    Query(WaitQuery { wait }): Query<WaitQuery>,
    known: IfNoneMatch,
) -> Result<Tagged, ApiError> {
    if let Some(limit) = wait {
        found = settled(&shared, &caller, found.submission.id, limit.0).await?;
    }
    Ok(Tagged { view: view(found), known })
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let values = parts.headers.get_all(header::IF_NONE_MATCH).iter();
        let tags = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
        Ok(Self(tags.map(|tag| tag.trim().trim_start_matches("W/").to_owned()).collect()))
    }
}

impl Input for IfNoneMatch {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let text = json!({ "type": "string" });
        operation.parameter("header", "If-None-Match", &text, "The `ETag` of a known state")
    }
}

impl IntoResponse for Tagged {
    fn into_response(self) -> Response {
        let digest = digest(&SHA256, &serde_json::to_vec(&self.view).unwrap_or_default());
        // Half of it distinguishes any two states of a submission.
        let half: [u8; 16] = std::array::from_fn(|at| digest.as_ref()[at]);
        let tag = format!("\"{:032x}\"", u128::from_be_bytes(half));
        let mut response = if self.known.0.iter().any(|known| *known == tag || known == "*") {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Json(self.view).into_response()
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl Output for Tagged {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json::<SubmissionView>(200, "The submission", &["ETag"]).empty(
            304,
            "It is as the `ETag` says",
            &["ETag"],
        )
    }
}

/// Lists submissions that match, newest first.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Reserved<Json<SubmissionPage>>, ApiError> {
    let filter = Filter {
        name: query.name,
        states: query.state.0,
        labels: query.label.0,
        account: account(&caller, query.account)?,
        created_after: query.created_after.map(|at| at.0),
        created_before: query.created_before.map(|at| at.0),
    };
    let cursor = query.cursor.map(|cursor| caller.positions.page(&cursor.0)).transpose()?;
    if is_foreign(&caller, &filter) {
        return Ok(Reserved(None, Json(SubmissionPage::default())));
    }
    let limit = query.limit.unwrap_or_default().0;
    let selection = Selection { filter, webhook: query.webhook, waiting_for: query.waiting_for };
    let (page, memory) = page::read(&shared, &caller, &selection, cursor, limit).await?;
    Ok(Reserved(Some(memory), Json(page)))
}

/// Counts submissions that match.
pub(super) async fn count(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(query): Query<CountQuery>,
) -> Result<Json<CountView>, ApiError> {
    let filter = Filter {
        name: query.name,
        states: query.state.0,
        labels: query.label.0,
        account: account(&caller, query.account)?,
        created_after: query.created_after.map(|at| at.0),
        created_before: query.created_before.map(|at| at.0),
    };
    if is_foreign(&caller, &filter) {
        return Ok(Json(CountView::default()));
    }
    let selection = Selection { filter, webhook: query.webhook, waiting_for: query.waiting_for };
    let _memory = page::reserve(&shared, &caller, selection::PAGE)?;
    let Count { count, has_more } = selection::count(shared.store(), &selection, MOST).await?;
    Ok(Json(CountView { count, has_more }))
}

/// True if the filter asks for an account that the caller does not see: nothing of it is shown, not even
/// that there is one.
fn is_foreign(caller: &Caller, filter: &Filter) -> bool {
    filter.account.as_ref().is_some_and(|account| !caller.sees(account))
}

/// The account to list: a caller that is bound to several has to name one of them.
pub(super) fn account(
    caller: &Caller,
    requested: Option<String>,
) -> Result<Option<String>, ApiError> {
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

/// Shows the timeline of a submission, oldest first.
pub(super) async fn timeline(
    State(shared): State<Arc<Shared>>,
    Found(found): Found,
) -> Result<Json<Vec<TimelineEntry>>, ApiError> {
    Ok(Json(shared.store().timeline(found.submission.id).await?))
}

/// Shows the webhook of a submission and its deliveries.
pub(super) async fn deliveries(
    caller: Caller,
    Found(found): Found,
) -> Result<Json<WebhookView>, ApiError> {
    let view = WebhookView::new(&found.submission);
    Ok(Json(if caller.role == Role::Read { view.without_path() } else { view }))
}
