//! Redis as a subject of the contracts, on a server of the tests' own.

use std::sync::Arc;

use async_trait::async_trait;
use ferry_store::Store;
use ferry_store::redis::{Durability, RedisAddress, RedisStore};
use ferry_testing::{RedisServer, own_namespace, shared_server};

use super::subject::{ManualClock, Place, Subject, health_policy};

/// A store in a namespace of the server, which keeps the server's time.
pub(super) fn store_on(server: &RedisServer, namespace: &str) -> RedisStore {
    store_at(&server.url(), namespace)
}

pub(super) fn store_at(url: &str, namespace: &str) -> RedisStore {
    let address = RedisAddress::new(url).unwrap().with_namespace(namespace);
    RedisStore::new(&address, Durability::Server, health_policy()).unwrap()
}

/// A namespace on the shared server, with a time of its own.
pub(super) struct Namespace {
    server: Arc<RedisServer>,
    name: String,
    clock: Arc<ManualClock>,
}

impl Namespace {
    async fn new() -> Self {
        let (server, name) = (shared_server().await, own_namespace());
        Self { server, name, clock: ManualClock::new() }
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

    fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

pub(super) async fn subject() -> Subject {
    Subject::at(Namespace::new().await).await
}
