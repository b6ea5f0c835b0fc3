//! The stream of state changes (server-sent events). Each stream reads from the store at the pace of
//! its client: what a slow one has not read yet is there, and not in this process.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::{JsonSchema, SchemaGenerator};
use tokio::time::Instant;
use tracing::{debug, error};

use super::auth;
use super::caller::Caller;
use super::error::ApiError;
use super::event_poller::{self, newest_of};
use super::openapi::{Input, Operation};
use super::params::{EventCursor, Labels, States, Wait, Words};
use super::positions::{Positions, WAY_OUT};
use super::query::Query;
use super::shared::Shared;
use super::shares::Share;
use crate::to_json::to_json;
use ferry_store::{Event, Events, Store, StoreError};
use ferry_types::contract::{EventEnvelope, EventId, ProblemKind, StateChange, StateEvent};
use ferry_types::domain::SubmissionId;

/// The header with the last event that a client has seen.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Events read at once.
const PAGE: usize = 200;

/// Delay between two polls, growing from the one to the other while there is nothing new.
const DELAYS: (Duration, Duration) = (event_poller::FRESH, Duration::from_millis(500));

/// A stream without events sends a heartbeat, and checks its key.
const HEARTBEAT: Duration = Duration::from_secs(15);
const CHECK: Duration = Duration::from_secs(1);

/// The events that a client wants; all of those that it may see if empty.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// Into one of these states.
    #[serde(default)]
    state: States,
    /// Of this name.
    name: Option<String>,
    /// Of one of these accounts.
    #[serde(default)]
    account: Words,
    /// Of this submission.
    id: Option<SubmissionId>,
    /// Of submissions with all of these labels, as KEY=VALUE.
    #[serde(default)]
    label: Labels,
    /// As `Last-Event-ID`; 0 for all retained events.
    after: Option<EventCursor>,
    /// Duration after which the stream ends; it has no end if left out.
    wait: Option<Wait>,
}

/// The last `id` that a client has seen.
#[derive(Debug)]
pub(super) struct LastEventId(Option<EventCursor>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(LAST_EVENT_ID) else { return Ok(Self(None)) };
        let cursor = EventCursor::parse(value.to_str().unwrap_or_default());
        let invalid = |error| ApiError::invalid(format!("the header `Last-Event-ID`: {error}"));
        cursor.map(|cursor| Self(Some(cursor))).map_err(invalid)
    }
}

impl Input for LastEventId {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let cursor = EventCursor::json_schema(&mut SchemaGenerator::default()).to_value();
        let meaning = "The last `id` that you have seen";
        operation.parameter("header", "Last-Event-ID", &cursor, meaning)
    }
}

impl EventQuery {
    /// Compares what the event itself has.
    fn holds(&self, event: &Event) -> bool {
        (self.account.0.is_empty() || self.account.0.contains(&event.account))
            && self.name.as_ref().is_none_or(|name| *name == event.name)
            && self.id.is_none_or(|id| id == event.submission)
            && (self.state.0.is_empty() || self.state.0.contains(&event.state))
    }
}

/// Streams state changes, from now on or from a cursor, until the client leaves.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(filter): Query<EventQuery>,
    LastEventId(seen): LastEventId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let positions = &caller.positions;
    let seen = seen.or_else(|| filter.after.clone());
    let seen = seen.map(|seen| positions.event(&seen.0)).transpose()?;
    let wait = filter.wait.map(|wait| wait.0);
    let slot = shared.slots.stream(&caller.owner)?;
    let cursor = start_of(shared.store(), positions, seen).await?;
    let stream = Stream {
        shared,
        caller,
        headers,
        filter,
        cursor,
        last: None,
        delay: DELAYS.0,
        last_sent: Instant::now(),
        checked: Instant::now(),
        until: wait.and_then(|wait| Instant::now().checked_add(wait)),
        greeting: true,
        over: false,
        _slot: slot,
    };
    let body = stream::unfold(stream, |mut stream| async move {
        let text = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), stream))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Proxies must pass each event on at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((StatusCode::OK, headers, Body::from_stream(body)).into_response())
}

/// The position after which a stream begins, if the store still has what follows.
async fn start_of(
    store: &dyn Store,
    positions: &Positions,
    seen: Option<EventId>,
) -> Result<EventId, ApiError> {
    let history = store.events(u64::MAX, 0).await?;
    let cursor = match seen {
        None => newest_of(&history),
        Some(seen) if seen == EventId::START => first_of(&history),
        Some(seen) => seen,
    };
    if let Some(what) = missed(&cursor, &history) {
        return Err(ApiError::new(ProblemKind::Gone, positions.shown_loss(what)));
    }
    if store.continuity().has_lost(&cursor) {
        let what = positions.shown_loss(replaced(&cursor));
        return Err(ApiError::new(ProblemKind::Gone, what));
    }
    Ok(cursor)
}

/// Position before the first event that is retained.
fn first_of(history: &Events) -> EventId {
    EventId { number: history.oldest, ..newest_of(history) }
}

/// The reason for which a reader at `cursor` cannot continue, if there is one.
fn missed(cursor: &EventId, history: &Events) -> Option<String> {
    let newest = newest_of(history);
    if cursor.epoch != newest.epoch || cursor.number > newest.number {
        return Some(format!("the newest event is `{newest}`; {}", replaced(cursor)));
    }
    if cursor.number < history.oldest {
        let first = first_of(history);
        return Some(format!(
            "events between `{cursor}` and `{first}` are not retained: {WAY_OUT}"
        ));
    }
    None
}

fn replaced(cursor: &EventId) -> String {
    format!("the store does not have event `{cursor}`, or lost it: {WAY_OUT}")
}

/// An open stream.
struct Stream {
    shared: Arc<Shared>,
    caller: Caller,
    headers: HeaderMap,
    filter: EventQuery,
    cursor: EventId,
    /// The event at `cursor`, once it was read: it must stay the same.
    last: Option<Event>,
    delay: Duration,
    last_sent: Instant,
    checked: Instant,
    until: Option<Instant>,
    greeting: bool,
    over: bool,
    _slot: Share,
}

impl Stream {
    /// Returns the next text to send; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        if std::mem::take(&mut self.greeting) {
            // A client that is cut off before the first event knows its position.
            return self.written("retry: 2000\nevent: ready\n", self.cursor.number, "{}");
        }
        let shutdown = self.shared.parts.shutdown.clone();
        let text = loop {
            let is_late = self.until.is_some_and(|until| Instant::now() >= until);
            if self.over || is_late || shutdown.is_draining() || !self.may_listen() {
                return None;
            }
            match self.poll().await {
                Ok(text) if !text.is_empty() => break text,
                Ok(_) => {}
                // The store comes back, or the client gives up.
                Err(error) => debug!(%error, "an event stream waits for the store"),
            }
            if self.last_sent.elapsed() >= HEARTBEAT {
                break self.written("event: heartbeat\n", self.cursor.number, "{}")?;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.next_poll()) => {}
                () = shutdown.draining() => {}
            }
            self.delay = (self.delay * 3 / 2).min(DELAYS.1);
        };
        self.delay = DELAYS.0;
        self.last_sent = Instant::now();
        Some(text)
    }

    fn next_poll(&self) -> Instant {
        // A heartbeat is in time, whatever happens to others: its delay must not show that.
        let poll = (Instant::now() + self.delay).min(self.last_sent + HEARTBEAT);
        self.until.map_or(poll, |until| until.min(poll))
    }

    /// Returns `false` after the key was revoked.
    fn may_listen(&mut self) -> bool {
        if self.checked.elapsed() < CHECK {
            return true;
        }
        self.checked = Instant::now();
        let Some(keys) = &self.shared.parts.keys else { return true };
        let caller = auth::key(&self.headers).and_then(|key| keys.caller(key));
        if let Some(caller) = caller {
            self.caller = caller;
            return true;
        }
        false
    }

    /// The next events that the client wants and may see; empty if there are none.
    async fn poll(&mut self) -> Result<String, StoreError> {
        let is_read = self.last.is_some() || self.cursor.number == 0;
        if is_read && self.shared.event_poller.newest(self.shared.store()).await? == self.cursor {
            return Ok(String::new());
        }
        // The event at the cursor is read once more: another one there replaced what a failover lost.
        let (reads, before) = (&self.shared.event_reads, self.cursor.number.saturating_sub(1));
        let history = reads.events(&self.caller.owner, before, PAGE).await?;
        if self.cursor == EventId::START {
            // The first event of a new store gives it its epoch.
            self.cursor = first_of(&history);
        }
        if let Some(what) = missed(&self.cursor, &history) {
            return Ok(self.end(&what));
        }
        let mut visible = history.events;
        if visible.first().is_some_and(|event| event.cursor == self.cursor.number) {
            let again = visible.remove(0);
            if self.last.as_ref().is_some_and(|last| *last != again) {
                return Ok(self.end(&replaced(&self.cursor)));
            }
            self.last = Some(again);
        }
        let last = visible.last().cloned();
        visible.retain(|event| self.filter.holds(event) && self.caller.sees(&event.account));
        let visible = self.labeled(visible).await?;
        let Some(text) = visible.into_iter().map(|event| self.change(event)).collect() else {
            self.over = true;
            return Ok(String::new());
        };
        // Not before: what could not be looked up is read again.
        if let Some(last) = last {
            self.cursor.number = last.cursor;
            self.last = Some(last);
            // There may be more of what it does not want: the next look comes soon.
            self.delay = DELAYS.0;
        }
        Ok(text)
    }

    /// The last message of a stream that cannot continue.
    fn end(&mut self, what: &str) -> String {
        self.over = true;
        let what = self.caller.positions.shown_loss(what.to_owned());
        let visible = serde_json::json!({ "detail": what });
        format!("event: gone\ndata: {visible}\n\n")
    }

    /// The message about a change.
    fn change(&self, event: Event) -> Option<String> {
        let data = StateChange {
            id: event.submission,
            name: event.name,
            account: event.account,
            state: event.state,
            reason_code: event.reason,
        };
        let view: StateEvent = EventEnvelope::of(event.state, event.at, data);
        let json = to_json(&view);
        self.written("", event.cursor, &json)
    }

    /// A message with its position; none if that cannot be sealed.
    fn written(&self, fields: &str, number: u64, data: &str) -> Option<String> {
        let id = EventId { number, ..self.cursor.clone() };
        let id = self.caller.positions.of_event(&id).inspect_err(|error| {
            error!(error = error.problem.detail, "a stream of events ended early");
        });
        let id = id.ok()?;
        Some(format!("{fields}id: {id}\ndata: {data}\n\n"))
    }

    /// Those of `events` whose submissions have the labels that are wanted.
    async fn labeled(&self, mut events: Vec<Event>) -> Result<Vec<Event>, StoreError> {
        let wanted = &self.filter.label.0;
        if !wanted.is_empty() {
            let ids = events.iter().map(|event| event.submission).collect();
            let labels = self.shared.event_reads.labels(&self.caller.owner, ids).await?;
            events.retain(|event| {
                let labels = labels.get(&event.submission);
                let has = |(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value);
                wanted.iter().all(has)
            });
        }
        Ok(events)
    }
}
