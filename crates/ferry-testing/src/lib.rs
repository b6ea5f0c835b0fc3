//! Parts that the tests of all crates share: servers of their own, and waiting for conditions.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod files;
mod ports;
mod waiting;

mod redis_server;

pub use files::make_old;
pub use ports::free_port;
pub use redis_server::{GUARD, RedisServer, own_namespace, program, shared_server};
pub use waiting::{Wait, blocking_within, end_of, pause, until, within};
