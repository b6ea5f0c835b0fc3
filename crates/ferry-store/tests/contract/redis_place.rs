//! Redis as a subject of the contracts, on a server of the tests' own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ferry_store::Store;
use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_testing::{RedisServer, own_namespace, shared_server};
use ferry_types::clock::Clock;
use ferry_types::domain::{Timestamp, timestamp};

use super::subject::{Place, Subject, health_policy};

/// A store in a namespace of the server, which keeps the server's time.
pub(super) fn store_on(server: &RedisServer, namespace: &str) -> RedisStore {
    store_at(&server.url(), namespace)
}

pub(super) fn store_at(url: &str, namespace: &str) -> RedisStore {
    let address = RedisAddress::new(url).unwrap().with_namespace(namespace);
    RedisStore::new(&address, Durability::Server, health_policy()).unwrap()
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A namespace on the shared server, with a time of its own.
pub(super) struct Namespace {
    server: Arc<RedisServer>,
    name: String,
    clock: Arc<ManualClock>,
}

impl Namespace {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(1_700_000_000_000)));
        Self { server: shared_server().await, name: own_namespace(), clock }
    }
}

#[async_trait]
impl Place for Namespace {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(store_on(&self.server, &self.name).with_clock(self.clock.clone()))
    }

    async fn fresh(&self) -> Subject {
        subject().await
    }

    async fn advance(&self, duration: Duration) {
        self.clock.0.fetch_add(duration.as_millis() as i64, Ordering::SeqCst);
    }
}

pub(super) async fn subject() -> Subject {
    Subject::at(Namespace::new().await).await
}
