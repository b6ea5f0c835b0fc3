//! The memory for the bodies of all requests together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ApiError;
use ferry_types::contract::ProblemKind;

/// The memory for all bodies together, counted in KiB.
#[derive(Debug)]
pub(super) struct BodyMemory {
    left: Arc<Semaphore>,
    bytes: u64,
}

impl BodyMemory {
    pub(super) fn new(bytes: u64) -> Self {
        let left = Arc::new(Semaphore::new((bytes >> 10).min(1 << 40) as usize));
        Self { left, bytes }
    }

    /// `bytes`, or what one request can have of a small memory, and leave as much for its body.
    pub(super) fn most_for_one(&self, bytes: u64) -> u64 {
        bytes.min(self.bytes / 8)
    }
}

/// A part of the memory, given back when it is dropped.
#[derive(Debug, Default)]
pub(super) struct MemoryPermit {
    permit: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

impl MemoryPermit {
    /// Makes it `bytes` large, if so much is left.
    pub(super) fn grow_to(&mut self, bytes: u64, body_memory: &BodyMemory) -> bool {
        let kib = |bytes: u64| u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let more = kib(bytes).saturating_sub(kib(self.bytes));
        if more > 0 {
            let Ok(permit) = body_memory.left.clone().try_acquire_many_owned(more) else {
                return false;
            };
            match &mut self.permit {
                Some(held) => held.merge(permit),
                None => self.permit = Some(permit),
            }
            self.bytes = bytes;
        }
        true
    }
}

/// The memory for all bodies is in use.
pub(super) fn out_of_memory() -> ApiError {
    let what = "bodies that arrive now take all of `body_memory_bytes`; try again";
    ApiError::new(ProblemKind::Busy, what).retry_after(Duration::from_secs(2))
}
