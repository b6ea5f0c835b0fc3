//! The compression of responses, for clients that accept it.

use axum::http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// A response that is sent as it is. Beside text of an attacker, the length of a compressed one would show
/// parts of a secret in it; and compression takes memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncompressed;

/// A response that is large and whole is compressed: lines and events arrive one by one.
pub(super) fn is_worth_it() -> impl Predicate {
    let lines = NotForContentType::const_new("application/x-ndjson");
    let bytes = NotForContentType::const_new("application/octet-stream");
    SizeAbove::new(1024).and(lines).and(bytes).and(NotForContentType::SSE).and(may_be_compressed)
}

fn may_be_compressed(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Uncompressed>().is_none()
}
