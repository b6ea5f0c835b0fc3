//! Bounds of requests.

use std::time::Duration;

use crate::pipeline::{REQUEST_OVERHEAD, largest_json};

/// Bounds of requests.
#[derive(Debug, Clone)]
pub struct ApiLimits {
    /// The largest dataset.
    pub max_dataset_bytes: u64,
    /// The most unfinished submissions of an account; 0 for no limit.
    pub max_unfinished: u64,
    /// Requests at once.
    pub max_concurrent_requests: usize,
    /// Memory for bodies that arrive at once, in bytes.
    pub request_memory: u64,
    /// Memory for responses that are sent at once, in bytes.
    pub response_memory: u64,
    /// Time limit for a client to send or read.
    pub client_timeout: Duration,
}

impl ApiLimits {
    /// The largest body that is a dataset as it is.
    pub(super) fn raw_body(&self) -> u64 {
        self.max_dataset_bytes.saturating_add(REQUEST_OVERHEAD)
    }

    /// The largest body that is JSON.
    pub(super) fn json_body(&self) -> u64 {
        largest_json(self.max_dataset_bytes)
    }
}
