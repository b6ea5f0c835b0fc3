//! Receives the bodies of requests: within a size, a time, and the memory for all of them.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::body_memory::{MemoryPermit, out_of_memory};
use super::encoding::{Decoded, Encoding};
use super::error::ApiError;
use super::shared::Shared;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::bounded_json::{MAX_REQUEST_VALUES, from_json_within};

/// Least pace of a body, beyond `client_timeout`.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 << 10;

/// Time for which the rest of a body that is too large is read and thrown away, so that the client
/// sees the response.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Reads a body that is one JSON object: serde would take a list of its values, too.
pub(super) fn json_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body = without_bom(body);
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::invalid("the body: expected a JSON object"));
    }
    from_json_within(body, MAX_REQUEST_VALUES)
        .map_err(|error| ApiError::invalid(format!("the body: {error}")))
}

/// `text` without the byte order mark that some programs put before JSON.
pub(super) fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// A whole body, and its share of the memory.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) memory: MemoryPermit,
}

/// Receives a body of at most `limit` bytes.
pub(super) async fn receive(
    shared: &Shared,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<Received, ApiError> {
    let encoding = Encoding::of(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced: u64 = announced.and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut memory = MemoryPermit::default();
    if announced > limit {
        discard(body.into_data_stream());
        return Err(too_large(limit));
    }
    if !memory.grow_to(announced, &shared.body_memory) {
        discard(body.into_data_stream());
        return Err(out_of_memory());
    }
    let mut frames = Decoded::new(body, encoding, &shared.body_memory)?;
    let client_timeout = shared.parts.limits.client_timeout;
    let started = Instant::now();
    let mut bytes = Vec::with_capacity(announced as usize);
    let refused = loop {
        // A client that stalls is cut off, and so is one that only trickles.
        let earned = Duration::from_secs(bytes.len() as u64 / SLOWEST_BYTES_PER_SECOND);
        let stalled = Instant::now() + client_timeout;
        let trickled = started + client_timeout.saturating_mul(3) + earned;
        match timeout_at(stalled.min(trickled), frames.next()).await {
            Ok(None) => return Ok(Received { bytes, memory }),
            Ok(Some(Ok(frame))) => {
                let size = (bytes.len() + frame.len()) as u64;
                if size > limit {
                    break too_large(limit);
                }
                if !memory.grow_to(size, &shared.body_memory) {
                    break out_of_memory();
                }
                bytes.extend_from_slice(&frame);
            }
            Ok(Some(Err(()))) => break frames.broken(),
            Err(_) => {
                let what = "the body took too long to arrive (`client_timeout`)";
                return Err(ApiError::new(ProblemKind::Timeout, what));
            }
        }
    };
    discard(frames.into_rest());
    Err(refused)
}

/// Reads on for a while, for clients that look for an answer only after they have sent all.
fn discard(mut frames: BodyDataStream) {
    let until = Instant::now() + LEFTOVERS;
    tokio::spawn(
        async move { while let Ok(Some(Ok(_))) = timeout_at(until, frames.next()).await {} },
    );
}

fn too_large(limit: u64) -> ApiError {
    let what = format!("the body holds more than {limit} bytes, which follows `max_dataset_bytes`");
    ApiError::new(ProblemKind::TooLarge, what)
}
