//! The newest state changes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::super::error::ApiError;
use super::super::params::{PageCursor, States, Words};
use super::super::query::{self, PairError, filled};
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::page;
use crate::console::{Change, EventFilters, EventsPage};
use ferry_store::{Cursor, Event};

/// Changes of a page, and those among which they are looked for, read so many at once.
const SHOWN: usize = 100;
const LOOKED_AT: u64 = 1000;
const READ: usize = 200;

/// The changes to show.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    #[serde(default)]
    state: States,
    name: Option<String>,
    #[serde(default)]
    account: Words,
    cursor: Option<PageCursor>,
}

impl EventsQuery {
    fn holds(&self, event: &Event) -> bool {
        (self.account.0.is_empty() || self.account.0.contains(&event.account))
            && self.name.as_ref().is_none_or(|name| *name == event.name)
            && (self.state.0.is_empty() || self.state.0.contains(&event.state))
    }
}

/// Shows the newest changes that match.
pub(in crate::api) async fn show(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query: EventsQuery = query::read(filled(&uri)?).map_err(PairError::of_query)?;
    let positions = &reader.caller.positions;
    let after = query.cursor.as_ref().map(|cursor| positions.page(&cursor.0)).transpose()?;
    let last = match after {
        Some(Cursor(after)) => after.saturating_sub(1),
        None => shared.event_poller.newest(shared.store()).await?.number,
    };
    let (found, next) = before(&shared, last, |event: &Event| {
        reader.caller.sees(&event.account) && query.holds(event)
    })
    .await?;
    let next = next.map(|next| positions.of_page(Cursor(next))).transpose()?;
    let filters = EventFilters {
        states: query.state.0,
        name: query.name.unwrap_or_default(),
        accounts: query.account.0,
        is_continued: after.is_some(),
    };
    let frame = reader.frame().of("Events");
    let changes = found.into_iter().rev().map(change).collect();
    Ok(page(&EventsPage::new(frame, filters, changes, next.as_deref())))
}

/// The last events up to `last` that are picked, oldest first, and the position before which there are more.
async fn before(
    shared: &Shared,
    last: u64,
    picks: impl Fn(&Event) -> bool,
) -> Result<(Vec<Event>, Option<u64>), ApiError> {
    let begin = last.saturating_sub(LOOKED_AT);
    let (mut cursor, mut found, mut oldest) = (begin, Vec::new(), 0);
    let mut is_more = false;
    while cursor < last {
        let history = shared.store().events(cursor, READ).await?;
        oldest = history.oldest;
        let Some(newest) = history.events.last() else { break };
        cursor = newest.cursor;
        found.extend(
            history.events.into_iter().filter(|event| event.cursor <= last && picks(event)),
        );
        let excess = found.len().saturating_sub(SHOWN);
        is_more |= excess > 0;
        found.drain(..excess);
    }
    let next = match found.first() {
        Some(first) if is_more => Some(first.cursor),
        _ => (begin > oldest).then_some(begin + 1),
    };
    Ok((found, next))
}

fn change(event: Event) -> Change {
    Change {
        at: event.at,
        id: event.submission,
        name: event.name,
        account: event.account,
        state: event.state,
        reason: event.reason,
    }
}
