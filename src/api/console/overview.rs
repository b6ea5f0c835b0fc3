//! The overview and the accounts.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::super::accounts;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::found::AccountPath;
use super::super::json::Json;
use super::super::page as listed;
use super::super::query::Query;
use super::super::read::{self, ListQuery};
use super::super::response_memory::Reserved;
use super::super::shared::Shared;
use super::super::stats;
use super::reader::Reader;
use super::respond::{page, page_with};
use crate::console::{AccessFacts, AccountPage, AccountsPage, OverviewPage};
use crate::queue;
use ferry_store::Filter;
use ferry_store::selection::Selection;
use ferry_types::contract::{StatsView, SubmissionView, WaitingFor};
use ferry_types::domain::Timestamp;
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::{self, WaitReason};

/// Submissions of each list.
const NEWEST: usize = 5;

/// Submissions in memory at once: of both lists, and those that one of them grows by.
const AT_ONCE: usize = 3 * NEWEST;

/// Time after which a page without the store is asked for again, in seconds.
const RETRY_AFTER: u16 = 5;

/// Shows if all is fine, and what is not.
pub(in crate::api) async fn overview(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
) -> Response {
    // The submissions count until the page is written.
    let memory = listed::reserve(&shared, &reader.caller, AT_ONCE);
    let found = match &memory {
        Ok(_) => read(&shared, &reader.caller).await,
        Err(error) => Err(error.clone()),
    };
    let is_known = found.is_ok();
    let (stats, newest) = found.unwrap_or_else(|error| {
        let findings = vec![queue::not_ready(&error.problem.detail)];
        (StatsView { findings, ..StatsView::default() }, Default::default())
    });
    let frame = reader.frame().of("Overview");
    let (throughput, seen_at) = (&shared.parts.throughput, Instant::now());
    let pace = |account: &str| throughput.minutes(account, seen_at);
    let shown = OverviewPage::new(frame, &stats, &newest, reader.now, pace);
    if is_known {
        return page(&shown);
    }
    let mut response = page_with(StatusCode::SERVICE_UNAVAILABLE, &shown.without_queue());
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    response
}

async fn read(
    shared: &Arc<Shared>,
    caller: &Caller,
) -> Result<(StatsView, [Vec<SubmissionView>; 2]), ApiError> {
    let Json(stats) = stats::stats(State(shared.clone()), caller.clone()).await?;
    let rejected = newest(shared, caller, &stats, submission::State::Rejected).await?;
    let held = newest(shared, caller, &stats, submission::State::Held).await?;
    Ok((stats, [rejected, held]))
}

/// The newest submissions in a state, if there are any.
async fn newest(
    shared: &Arc<Shared>,
    caller: &Caller,
    stats: &StatsView,
    state: submission::State,
) -> Result<Vec<SubmissionView>, ApiError> {
    if !stats.accounts.iter().any(|account| account.states.contains_key(&state)) {
        return Ok(Vec::new());
    }
    let query = Query(ListQuery::newest(state, NEWEST));
    let listed = read::list(State(shared.clone()), caller.clone(), query).await?;
    let Reserved(_, Json(page)) = listed;
    Ok(page.submissions)
}

/// Shows the accounts.
pub(in crate::api) async fn accounts(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
) -> Result<Response, ApiError> {
    let Json(view) = accounts::accounts(State(shared.clone()), reader.caller.clone()).await?;
    let (frame, settings) = (reader.frame().of("Accounts"), &shared.parts.settings);
    Ok(page(&AccountsPage::new(frame, &view.accounts, settings)))
}

/// Shows an account.
pub(in crate::api) async fn account(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    account: AccountPath,
) -> Result<Response, ApiError> {
    let Json(view) = accounts::one(State(shared.clone()), account).await?;
    let (frame, settings) = (reader.frame().of("Accounts"), &shared.parts.settings);
    let minutes = shared.parts.throughput.minutes(&view.account, Instant::now());
    let access = if frame.may_administer() {
        let log = shared.parts.access.lock().get(&view.account).cloned().unwrap_or_default();
        let used_up = used_up(&shared, &reader.caller, &view.account).await?;
        Some(AccessFacts::new(&view, settings, &log.get(), used_up))
    } else {
        None
    };
    Ok(page(&AccountPage::new(frame, &view, &minutes, settings, access)))
}

/// The time until which the rates of an account are used up, as one of its newest submissions waits for it.
async fn used_up(
    shared: &Shared,
    caller: &Caller,
    account: &str,
) -> Result<Option<Timestamp>, ApiError> {
    // The page is complete without it.
    let Ok(_memory) = listed::reserve(shared, caller, 1) else { return Ok(None) };
    let filter = Filter { accounts: vec![account.to_owned()], ..Filter::default() };
    let waiting_for = Some(WaitReason::LimitReached);
    let selection = Selection { waiting_for, ..Selection::from(filter) };
    let page = selection.page(shared.store(), None, 1).await?;
    let waits = page.found.into_iter().next().and_then(|found| found.waiting_for);
    Ok(match waits {
        Some(WaitingFor::Account(BlockReason::LimitReached { until })) => Some(until),
        _ => None,
    })
}
