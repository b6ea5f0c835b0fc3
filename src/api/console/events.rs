//! The newest state changes.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::super::error::ApiError;
use super::super::params::States;
use super::super::query::{self, PairError, filled};
use super::super::shared::Shared;
use super::reader::Reader;
use super::respond::page;
use crate::console::{Change, EventFilters, EventsPage};
use ferry_store::Event;

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
    account: Option<String>,
}

impl EventsQuery {
    fn holds(&self, event: &Event) -> bool {
        self.account.as_ref().is_none_or(|account| *account == event.account)
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
    let newest = shared.event_poller.newest(shared.store()).await?.number;
    let (mut cursor, mut found) = (newest.saturating_sub(LOOKED_AT), Vec::new());
    while cursor < newest {
        let history = shared.store().events(cursor, READ).await?;
        let Some(last) = history.events.last() else { break };
        cursor = last.cursor;
        let own = history.events.into_iter();
        found.extend(
            own.filter(|event| reader.caller.sees(&event.account) && query.holds(event))
                .map(change),
        );
        let excess = found.len().saturating_sub(SHOWN);
        found.drain(..excess);
    }
    found.reverse();
    let filters = EventFilters {
        states: query.state.0,
        name: query.name.unwrap_or_default(),
        account: query.account.unwrap_or_default(),
    };
    Ok(page(&EventsPage::new(reader.frame().of("Events"), filters, found)))
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
