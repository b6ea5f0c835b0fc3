//! The webhooks of a state, with their deliveries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::super::error::ApiError;
use super::super::page as listed;
use super::super::params::{PageCursor, Words};
use super::super::query::{self, PairError, filled};
use super::super::read::accounts;
use super::super::response_memory::Reserved;
use super::super::role::Role;
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::page;
use crate::console::{WebhookFilters, WebhooksPage};
use ferry_store::selection::Selection;
use ferry_store::{Filter, Page, SubmissionDetail};
use ferry_types::contract::{SubmissionView, WebhookView};
use ferry_types::domain::submission::WebhookState;

/// Webhooks of a page.
const PAGE: usize = 25;

/// The webhooks to show.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhooksQuery {
    state: Option<WebhookState>,
    #[serde(default)]
    account: Words,
    cursor: Option<PageCursor>,
}

/// Shows the webhooks in a state, of the newest submissions first.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query: WebhooksQuery = query::read(filled(&uri)?).map_err(PairError::of_query)?;
    let caller = &reader.caller;
    let state = query.state.unwrap_or(WebhookState::Failed);
    let requested = query.account.0;
    let cursor = query.cursor.map(|cursor| caller.positions.page(&cursor.0)).transpose()?;
    let (is_continued, own) = (cursor.is_some(), requested.clone());
    let filters = WebhookFilters { state, accounts: own, is_continued };
    let memory = listed::reserve(&shared, caller, PAGE)?;
    let found = match accounts(caller, requested)? {
        None => Page::default(),
        Some(accounts) => {
            let filter = Filter { accounts, ..Filter::default() };
            let selection = Selection { webhook: Some(state), ..Selection::from(filter) };
            selection.page(shared.store(), cursor, PAGE).await?
        }
    };
    let next = found.next.map(|next| caller.positions.of_page(next)).transpose()?;
    let view = |found: SubmissionDetail| {
        let webhook = WebhookView::new(&found.submission);
        let is_reader = caller.role == Role::Read;
        let webhook = if is_reader { webhook.without_path() } else { webhook };
        (SubmissionView::new(found.submission, found.waiting_for), webhook)
    };
    let webhooks = found.found.into_iter().map(view).collect();
    let shown = page(&WebhooksPage::new(reader.frame().of("Webhooks"), filters, webhooks, next));
    Ok(Reserved(Some(Arc::new(memory)), shown).into_response())
}
