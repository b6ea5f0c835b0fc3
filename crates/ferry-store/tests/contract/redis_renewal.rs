//! A lease on Redis that is renewed between the two calls of a rescue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferry_store::redis::RedisStore;
use ferry_store::{Rescued, Store};
use ferry_testing::RedisServer;
use ferry_types::domain::submission::StepKind;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::redis_outage::claim;
use super::redis_place::store_on;
use super::subject::{LEASE, ManualClock, new};

fn store(server: &RedisServer, clock: &Arc<ManualClock>) -> RedisStore {
    store_on(server, "ferry").with_clock(clock.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_renewed_while_it_is_rescued_stays_with_its_worker() {
    let (server, clock) = (RedisServer::start(&[]).await, ManualClock::new());
    let (owner, calls) = (Arc::new(store(&server, &clock)), Arc::new(AtomicU64::new(0)));
    owner.accept(vec![new("a")]).await.unwrap();
    let lease = claim(&owner, StepKind::Upload, 1).await.claims[0].lease;
    let (renewing, made, handle) = (owner.clone(), calls.clone(), Handle::current());
    // It compares the clocks, finds the expired lease, and writes what it decided.
    let renews_after_the_second = move || {
        if made.fetch_add(1, Ordering::SeqCst) == 1 {
            let renewed = block_in_place(|| handle.block_on(renewing.renew(vec![lease], LEASE)));
            assert_eq!(renewed.unwrap(), [true]);
        }
        false
    };
    let other = store(&server, &clock).losing_responses(Arc::new(renews_after_the_second));
    clock.advance(LEASE * 2);
    assert_eq!(other.rescue().await.unwrap(), Rescued::default());
    assert!(calls.load(Ordering::SeqCst) > 2, "it decided about the lease");
    assert_eq!(owner.renew(vec![lease], LEASE).await.unwrap(), [true]);
    clock.advance(LEASE * 2);
    assert_eq!(other.rescue().await.unwrap().due, 1);
}
