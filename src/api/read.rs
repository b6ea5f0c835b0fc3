//! Shows submissions: one, many, and the history of one.

use std::collections::BTreeSet;
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
use super::params::{Labels, Moment, PageCursor, PageSize, States, WaitQuery, Words};
use super::query::Query;
use super::response_memory::Reserved;
use super::role::Role;
use super::shared::Shared;
use super::wait::settled;
use crate::pipeline::MAX_ITEMS;
use crate::to_json::to_json;
use ferry_store::Filter;
use ferry_store::selection::{self, Count, Selection};
use ferry_types::contract::{CountView, SubmissionPage, SubmissionView, WebhookView};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{self, TimelineEntry, WaitReason, WebhookState};

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
    /// Of one of these accounts; of all that the key sees, if left out.
    #[serde(default)]
    account: Words,
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
    /// Revisions of this submission.
    revision_of: Option<SubmissionId>,
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
    /// Of one of these accounts; of all that the key sees, if left out.
    #[serde(default)]
    account: Words,
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
    /// Revisions of this submission.
    revision_of: Option<SubmissionId>,
}

impl ListQuery {
    /// The newest submissions in a state.
    pub(super) fn newest(state: submission::State, limit: usize) -> Self {
        Self {
            state: States(vec![state]),
            name: None,
            account: Words::default(),
            label: Labels::default(),
            created_after: None,
            created_before: None,
            webhook: None,
            waiting_for: None,
            revision_of: None,
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
        let digest = digest(&SHA256, to_json(&self.view).as_bytes());
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
    let cursor = query.cursor.map(|cursor| caller.positions.page(&cursor.0)).transpose()?;
    let Some(accounts) = accounts(&caller, query.account.0)? else {
        return Ok(Reserved(None, Json(SubmissionPage::default())));
    };
    let filter = Filter {
        name: query.name,
        states: query.state.0,
        labels: query.label.0,
        accounts,
        created_after: query.created_after.map(|at| at.0),
        created_before: query.created_before.map(|at| at.0),
    };
    let limit = query.limit.unwrap_or_default().0;
    let (webhook, waiting_for) = (query.webhook, query.waiting_for);
    let selection = Selection { filter, webhook, waiting_for, revision_of: query.revision_of };
    let (page, memory) = page::read(&shared, &caller, &selection, cursor, limit).await?;
    Ok(Reserved(Some(memory), Json(page)))
}

/// Counts submissions that match.
pub(super) async fn count(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(query): Query<CountQuery>,
) -> Result<Json<CountView>, ApiError> {
    let Some(accounts) = accounts(&caller, query.account.0)? else {
        return Ok(Json(CountView::default()));
    };
    let filter = Filter {
        name: query.name,
        states: query.state.0,
        labels: query.label.0,
        accounts,
        created_after: query.created_after.map(|at| at.0),
        created_before: query.created_before.map(|at| at.0),
    };
    let (webhook, waiting_for) = (query.webhook, query.waiting_for);
    let selection = Selection { filter, webhook, waiting_for, revision_of: query.revision_of };
    let _memory = page::reserve(&shared, &caller, selection::PAGE)?;
    let Count { count, has_more } = selection::count(shared.store(), &selection, MOST).await?;
    Ok(Json(CountView { count, has_more }))
}

/// The accounts that a caller asks for, or all that it sees; empty if it sees every account, and `None` if it
/// sees none of them: nothing of the others is shown, not even that there are any.
pub(super) fn accounts(
    caller: &Caller,
    requested: impl IntoIterator<Item = String>,
) -> Result<Option<Vec<String>>, ApiError> {
    // Each once: a store asks for the submissions of each.
    let requested = BTreeSet::from_iter(requested);
    if requested.len() > MAX_ITEMS {
        return Err(ApiError::field("account", format!("at most {MAX_ITEMS} are allowed")));
    }
    Ok(match &caller.accounts {
        None => Some(requested.into_iter().collect()),
        Some(own) if requested.is_empty() => Some(own.iter().cloned().collect()),
        Some(own) => Some(own.intersection(&requested).cloned().collect()),
    }
    .filter(|accounts: &Vec<String>| caller.accounts.is_none() || !accounts.is_empty()))
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
