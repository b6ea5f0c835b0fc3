//! Parts that the tests of all crates share: servers of their own, and waiting for conditions.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod waiting;

mod redis_server;

pub use redis_server::{GUARD, RedisServer, free_port, own_namespace, program, shared_server};
pub use waiting::{Wait, blocking_within, end_of, pause, until, within};
