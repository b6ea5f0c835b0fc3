//! The forms in which an answer travels, whole or broken.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use futures_util::{StreamExt, stream};

use super::connection::Breaker;
use super::world::Reply;

pub(super) fn respond(reply: Reply) -> Response<Body> {
    build(reply.status, reply.content_type, None, Body::from(reply.body))
}

fn build(
    status: u16,
    content_type: &'static str,
    length: Option<u64>,
    body: Body,
) -> Response<Body> {
    let mut builder = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    if let Some(length) = length {
        builder = builder.header(header::CONTENT_LENGTH, length);
    }
    builder.body(body).unwrap_or_default()
}

pub(super) fn broken(breaker: &Breaker) -> Response<Body> {
    breaker.break_off();
    Response::default()
}

/// Byte by byte; `sent` learns when the last one has gone.
pub(super) fn slow(
    reply: Reply,
    delay: Duration,
    sent: impl Fn(&Reply) + Send + 'static,
) -> Response<Body> {
    let (status, content_type) = (reply.status, reply.content_type);
    let bytes = stream::unfold((sent, reply, 0), move |(sent, reply, at)| async move {
        let Some(byte) = reply.body.as_bytes().get(at).copied() else {
            sent(&reply);
            return None;
        };
        tokio::time::sleep(delay).await;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), (sent, reply, at + 1)))
    });
    build(status, content_type, None, Body::from_stream(bytes))
}

/// Half of the body that was promised; of an empty one a byte is promised and none comes.
pub(super) fn cut(reply: Reply) -> Response<Body> {
    let length = reply.body.len().max(1) as u64;
    let mut half = Bytes::from(reply.body);
    half.truncate(half.len() / 2);
    let end = stream::once(async {
        // Lets the half out.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let parts = stream::once(std::future::ready(Ok(half))).chain(end);
    build(reply.status, reply.content_type, Some(length), Body::from_stream(parts))
}

pub(super) fn enormous(bytes: u64) -> Response<Body> {
    const CHUNK: u64 = 64 << 10;
    let chunks = stream::unfold(bytes, |left| async move {
        let size = left.min(CHUNK);
        let chunk = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size as usize]));
        (size > 0).then_some((chunk, left - size))
    });
    build(200, "text/plain", None, Body::from_stream(chunks))
}
