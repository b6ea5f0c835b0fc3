//! What the tests of all crates share: servers of their own, and waiting for conditions.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod redis_server;

pub use redis_server::{GUARD, RedisServer, free_port, own_namespace, program, shared_server};

use std::time::Duration;

/// The one place where a test waits for time to pass: between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
