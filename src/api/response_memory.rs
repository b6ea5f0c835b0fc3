//! The memory of responses, which counts until their clients have them.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;

use super::body_memory::{BodyMemory, MemoryPermit};
use super::openapi::{Operation, Output};
use super::shares::Owner;
use crate::sent::until_sent;

/// Memory that it takes to compress a response while it is sent.
const ENCODER: u64 = 1 << 20;

/// Responses beyond this size count.
const SMALL: u64 = 64 << 10;

/// A response with the memory that was reserved before it was read.
#[derive(Debug)]
pub(super) struct Reserved<T>(pub(super) Option<Arc<MemoryPermit>>, pub(super) T);

impl<T: IntoResponse> IntoResponse for Reserved<T> {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        if let Some(memory) = self.0 {
            response.extensions_mut().insert(memory);
        }
        response
    }
}

impl<T: Output> Output for Reserved<T> {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        T::describe(operation)
    }
}

/// `response` as it is, or an error if there is no memory for it. One that reports what was done already is
/// never replaced by an error.
pub(super) fn with_memory(
    memory: &BodyMemory,
    owner: &Owner,
    mut response: Response,
    is_get: bool,
    is_encoded: bool,
) -> Response {
    let reserved = response.extensions_mut().remove::<Arc<MemoryPermit>>();
    let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > SMALL) else {
        return response;
    };
    let permit = reserved.unwrap_or_else(|| Arc::new(memory.permit(owner)));
    let bytes = if is_encoded { bytes + ENCODER } else { bytes };
    match permit.resize(memory.most(bytes, owner)) {
        Err(error) if is_get => error.into_response(),
        _ => until_sent(response, permit),
    }
}
