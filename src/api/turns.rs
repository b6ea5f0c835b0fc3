//! Turns at something that many want: so many at once, and the owners of waiting requests alternate,
//! however many of them one owner has.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of all owners.
#[derive(Debug)]
pub(super) struct Turns<O> {
    all: Arc<Semaphore>,
    each: usize,
    by_owner: Mutex<HashMap<O, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_owner: OwnedSemaphorePermit,
}

impl<O: Hash + Eq + Clone> Turns<O> {
    /// Turns at once, of all and of one owner.
    pub(super) fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, by_owner: Mutex::default() }
    }

    /// Waits for a turn; none only if there are no more turns at all. Each owner has as few that wait for
    /// their turn among all as it may have turns, and these are served in their order.
    pub(super) async fn take(&self, owner: &O) -> Option<Turn> {
        let own = self.of(owner);
        let of_owner = own.acquire_owned().await.ok()?;
        let of_all = self.all.clone().acquire_owned().await.ok()?;
        Some(Turn { _of_all: of_all, _of_owner: of_owner })
    }

    fn of(&self, owner: &O) -> Arc<Semaphore> {
        let mut by_owner = self.by_owner.lock();
        if let Some(own) = by_owner.get(owner) {
            return own.clone();
        }
        // Those that wait, and those that have a turn, hold it.
        by_owner.retain(|_, own| Arc::strong_count(own) > 1);
        let own = Arc::new(Semaphore::new(self.each));
        by_owner.insert(owner.clone(), own.clone());
        own
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_owner_with_many_requests_leaves_turns_to_others_and_the_next_one_to_them() {
        let turns = Turns::new(3, 2);
        let first = turns.take(&"many").await;
        let _second = turns.take(&"many").await;
        let mut more = pin!(turns.take(&"many"));
        let mut last = pin!(turns.take(&"many"));
        assert!(more.as_mut().now_or_never().is_none() && last.as_mut().now_or_never().is_none());
        let _other = turns.take(&"other").now_or_never().expect("a turn is left");
        let mut few = pin!(turns.take(&"few"));
        assert!(few.as_mut().now_or_never().is_none(), "all have turns");
        drop(first);
        // It waits for a turn of its owner no more, and behind the other for one of all.
        assert!(more.as_mut().now_or_never().is_none() && last.as_mut().now_or_never().is_none());
        assert!(few.now_or_never().is_some());
    }

    #[tokio::test]
    async fn owners_without_a_turn_are_forgotten() {
        let turns = Turns::new(8, 1);
        let held = turns.take(&0).await;
        for owner in 1..100 {
            turns.take(&owner).await;
        }
        assert!(turns.by_owner.lock().len() <= 2);
        assert!(turns.take(&0).now_or_never().is_none(), "it has its turn");
        drop(held);
        assert!(turns.take(&0).now_or_never().is_some());
    }
}
