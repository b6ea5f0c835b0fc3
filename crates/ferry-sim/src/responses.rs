//! Responses on their way, whole or broken.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, header};
use futures_util::{StreamExt, stream};

use super::connection::Breaker;
use super::exchange;

/// A whole response.
pub(super) fn whole(response: exchange::Response) -> Response<Body> {
    let exchange::Response { status, headers, body } = response;
    build(status, headers, None, Body::from(body))
}

fn build(
    status: u16,
    headers: Vec<(String, String)>,
    length: Option<u64>,
    body: Body,
) -> Response<Body> {
    let builder = Response::builder().status(status);
    let mut response = builder.body(body).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
        {
            response.headers_mut().append(name, value);
        }
    }
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    response
}

/// Breaks the connection instead of a response.
pub(super) fn broken(breaker: &Breaker) -> Response<Body> {
    breaker.break_off();
    Response::default()
}

/// Byte by byte; `sent` is called after the last one.
pub(super) fn slow(
    response: exchange::Response,
    delay: Duration,
    sent: impl Fn() + Send + 'static,
) -> Response<Body> {
    let exchange::Response { status, headers, body } = response;
    let bytes = stream::unfold((sent, body, 0), move |(sent, body, at)| async move {
        let Some(byte) = body.get(at).copied() else {
            sent();
            return None;
        };
        tokio::time::sleep(delay).await;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), (sent, body, at + 1)))
    });
    build(status, headers, None, Body::from_stream(bytes))
}

/// Half of the body that was promised; of an empty one a byte is promised and none comes.
pub(super) fn cut(response: exchange::Response) -> Response<Body> {
    let exchange::Response { status, headers, body } = response;
    let length = body.len().max(1) as u64;
    let mut half = Bytes::from(body);
    half.truncate(half.len() / 2);
    let end = stream::once(async {
        // Lets the half out.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    let parts = stream::once(std::future::ready(Ok(half))).chain(end);
    build(status, headers, Some(length), Body::from_stream(parts))
}

/// A body of so many bytes that mean nothing.
pub(super) fn enormous(bytes: u64) -> Response<Body> {
    const CHUNK: u64 = 64 << 10;
    let chunks = stream::unfold(bytes, |left| async move {
        let size = left.min(CHUNK);
        let chunk = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size as usize]));
        (size > 0).then_some((chunk, left - size))
    });
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    build(200, headers, None, Body::from_stream(chunks))
}
