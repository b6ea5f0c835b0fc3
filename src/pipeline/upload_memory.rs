//! A limit for the memory of datasets that are uploaded at the same time.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Memory for the datasets of running uploads.
#[derive(Debug)]
pub(super) struct UploadMemory {
    bytes: u64,
    permits: Semaphore,
}

impl UploadMemory {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, permits: Semaphore::new(permits(bytes) as usize) }
    }

    /// Waits for memory for a dataset, which is free again when the permit is dropped. A dataset that is
    /// larger than the whole memory is uploaded alone.
    pub(super) async fn acquire(&self, bytes: u64) -> SemaphorePermit<'_> {
        let wanted = permits(bytes.min(self.bytes));
        self.permits.acquire_many(wanted).await.expect("the semaphore is never closed")
    }
}

/// One permit for each KiB, so that any number of bytes fits the semaphore.
fn permits(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_dataset_larger_than_the_memory_is_uploaded_alone() {
        let memory = UploadMemory::new(4096);
        let small = memory.acquire(10).await;
        assert!(memory.acquire(1 << 40).now_or_never().is_none(), "there is another one");
        drop(small);
        let large = memory.acquire(1 << 40).await;
        assert!(memory.acquire(1).now_or_never().is_none(), "the large one takes it all");
        drop(large);
        assert!(memory.acquire(4096).now_or_never().is_some());
    }
}
