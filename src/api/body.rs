//! Receives the bodies of requests: within a size, a time, and the memory for all of them.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header;
use axum::http::request::Parts;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::arrival::Arrival;
use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::encoding::{Decoded, Encoding};
use super::error::ApiError;
use super::keys::Keys;
use super::shared::Shared;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::bounded_json::{MAX_REQUEST_VALUES, from_json_within};

/// Time for which the rest of a body that is too large is read and thrown away, so that the client
/// sees the response.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Reads a body that is one JSON object: serde would take a list of its values, too.
pub(super) fn json_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    json_object_within(body, MAX_REQUEST_VALUES)
}

/// The same for one of at most `most` values.
pub(super) fn json_object_within<T: DeserializeOwned>(
    body: &[u8],
    most: usize,
) -> Result<T, ApiError> {
    let body = without_bom(utf8("the body", body)?.as_bytes());
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::invalid("the body: expected a JSON object"));
    }
    json_within(body, most)
}

/// Reads JSON of at most `most` values.
pub(super) fn json_within<T: DeserializeOwned>(text: &[u8], most: usize) -> Result<T, ApiError> {
    from_json_within(text, most).map_err(|error| ApiError::invalid(format!("the body: {error}")))
}

/// The text of bytes that must be UTF-8; `what` names them in the error.
pub(super) fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, ApiError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        ApiError::invalid(match error.valid_up_to() {
            _ if is_utf16 => format!("{what} is UTF-16: expected UTF-8"),
            valid => format!("{what} is not UTF-8 from byte {valid} on"),
        })
    })
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
    head: &Parts,
    body: Body,
    limit: u64,
) -> Result<Received, ApiError> {
    let encoding = Encoding::of(&head.headers)?;
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced: u64 = announced.and_then(|length| length.parse().ok()).unwrap_or_default();
    if announced > limit {
        discard(body.into_data_stream());
        return Err(too_large(limit));
    }
    let caller = Caller::of(head)?;
    let owner = caller.owner.clone();
    let memory = shared.body_memory.permit(&owner);
    let mut frames = Decoded::new(body, encoding, shared, &owner)?;
    let mut arrival = Arrival::new(&shared.slots, owner, shared.parts.limits.client_timeout);
    let mut bytes = Vec::new();
    let error = loop {
        match arrival.next(&mut frames).await? {
            None => {
                // A body may take minutes.
                Keys::check(shared.parts.keys.as_ref(), caller)?;
                return Ok(Received { bytes, memory });
            }
            Some(Ok(frame)) => {
                let size = bytes.len() + frame.len();
                if size as u64 > limit {
                    break too_large(limit);
                }
                if let Err(error) = make_room(&mut bytes, size, announced, limit, &memory) {
                    break error;
                }
                bytes.extend_from_slice(&frame);
            }
            Some(Err(())) => break frames.broken(),
        }
    };
    discard(frames.into_rest());
    Err(error)
}

/// Makes room for `size` bytes, which have arrived, and half as many that may follow; never for what was
/// only announced.
fn make_room(
    bytes: &mut Vec<u8>,
    size: usize,
    announced: u64,
    limit: u64,
    memory: &MemoryPermit,
) -> Result<(), ApiError> {
    if size > bytes.capacity() {
        let most = if size as u64 <= announced { announced } else { limit };
        let capacity = (size + size / 2).min(most as usize);
        memory.resize(capacity as u64)?;
        bytes.reserve_exact(capacity - bytes.len());
    }
    Ok(())
}

/// Reads on for a while, for clients that look for a response only after they have sent all.
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
