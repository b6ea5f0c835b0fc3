//! News for open pages (server-sent events): that submissions changed, and which. Pages then ask for
//! themselves again.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::time::Instant;
use tracing::debug;

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::event_poller::newest_of;
use super::super::shared::Shared;
use super::super::shares::Share;
use super::door::{Visit, in_session};
use super::reader::Reader;
use ferry_store::StoreError;
use ferry_types::contract::EventId;

/// Ids in one message; more are `many`.
const MOST: usize = 100;

/// Events read at once.
const PAGE: usize = 200;

/// Least time between two messages, and delay between two looks.
const PACE: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_millis(250);

/// Time after which a stream without news sends a comment.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Streams news from now on, until the client leaves or its session ends.
pub(in crate::api) async fn news(
    State(shared): State<Arc<Shared>>,
    Extension(visit): Extension<Visit>,
    reader: Reader,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let slot = shared.slots.stream(&reader.caller.owner)?;
    let cursor = newest_of(&shared.store().events(u64::MAX, 0).await?);
    let news = News {
        shared,
        caller: reader.caller,
        headers,
        is_secure: visit.is_secure,
        cursor,
        last_sent: None,
        _slot: slot,
    };
    let body = stream::unfold(news, |mut news| async move {
        let text = news.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), news))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Proxies must pass each message on at once.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

struct News {
    shared: Arc<Shared>,
    caller: Caller,
    headers: HeaderMap,
    is_secure: bool,
    cursor: EventId,
    last_sent: Option<Instant>,
    _slot: Share,
}

impl News {
    /// The next text to send; `None` when the stream is over.
    async fn next(&mut self) -> Option<String> {
        let Some(last_sent) = self.last_sent else {
            self.last_sent = Some(Instant::now());
            return Some("retry: 2000\n\n".to_owned());
        };
        let shutdown = self.shared.parts.shutdown.clone();
        let mut pause = PACE.saturating_sub(last_sent.elapsed());
        let text = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.draining() => return None,
            }
            if !self.may_listen() {
                return None;
            }
            match self.poll().await {
                Ok(Some(text)) => break text,
                Ok(None) => {}
                // The page then requests itself, and says that the store is away.
                Err(error) => {
                    debug!(%error, "a stream of news ends without the store");
                    return None;
                }
            }
            if last_sent.elapsed() >= HEARTBEAT {
                break ":\n\n".to_owned();
            }
            pause = DELAY;
        };
        self.last_sent = Some(Instant::now());
        Some(text)
    }

    /// Returns `false` after the session has ended.
    fn may_listen(&mut self) -> bool {
        if self.shared.parts.keys.is_none() {
            return true;
        }
        let Some((caller, _)) = in_session(&self.shared, &self.headers, self.is_secure) else {
            return false;
        };
        self.caller = caller;
        true
    }

    /// The message about what changed; none if the caller sees none of it.
    async fn poll(&mut self) -> Result<Option<String>, StoreError> {
        let newest = self.shared.event_poller.newest(self.shared.store()).await?;
        if newest == self.cursor {
            return Ok(None);
        }
        if newest.epoch != self.cursor.epoch || newest.number < self.cursor.number {
            // Another history: everything may be different.
            self.cursor = newest;
            return Ok(Some(message(&BTreeSet::new(), true)));
        }
        let (mut ids, mut is_many) = (BTreeSet::new(), false);
        // Of very many changes, the rest need not be read.
        while self.cursor.number < newest.number && !is_many {
            let reads = &self.shared.event_reads;
            let history = reads.events(&self.caller.owner, self.cursor.number, PAGE).await?;
            let Some(last) = history.events.last() else { break };
            self.cursor.number = last.cursor;
            for event in history.events.iter().filter(|event| self.caller.sees(&event.account)) {
                is_many |= ids.len() >= MOST;
                if !is_many {
                    ids.insert(event.submission.to_string());
                }
            }
        }
        self.cursor.number = self.cursor.number.max(newest.number);
        Ok((is_many || !ids.is_empty()).then(|| message(&ids, is_many)))
    }
}

fn message(ids: &BTreeSet<String>, is_many: bool) -> String {
    format!("data: {}\n\n", json!({ "ids": ids, "many": is_many }))
}
