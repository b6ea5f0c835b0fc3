//! The store in memory as a subject of the contracts, and what only it can do.

use std::sync::Arc;

use async_trait::async_trait;
use ferry_store::memory::MemoryStore;
use ferry_store::{Committed, Store};
use ferry_types::domain::submission::{State, StepKind};

use super::subject::{ManualClock, Place, Subject, health_policy, millis, new};
use super::transitions as t;

struct Memory {
    store: MemoryStore,
    clock: Arc<ManualClock>,
}

impl Memory {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { store: MemoryStore::new(clock.clone(), health_policy()), clock }
    }
}

#[async_trait]
impl Place for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn fresh(&self) -> Subject {
        subject().await
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

pub(super) async fn subject() -> Subject {
    Subject::at(Memory::new()).await
}

#[tokio::test]
async fn a_claim_from_before_the_store_went_back_is_stale_although_its_fence_repeats() {
    let memory = Memory::new();
    let store = memory.store.clone();
    let subject = Subject::at(memory).await;
    let id = subject.accept(new("a")).await;
    let backup = store.snapshot();
    let forgotten = subject.claim_one(StepKind::Upload).await;
    store.restore(backup);
    assert_eq!(subject.state(id).await, State::Queued);
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.lease.fence, forgotten.lease.fence);
    let stale = subject.try_commit(&forgotten, t::failed()).await;
    assert_eq!(stale, Committed::Stale);
    subject.commit(&claim, t::uploaded(millis(0))).await;
}
