//! Gauges of the Redis server of a store, from what Ferry itself observes.

use crate::metrics::{Gauge, metrics};
use ferry_store::ServerState;

metrics! {
    /// The metrics of the Redis server of the store; all 0 without one.
    pub struct RedisMetrics {
        /// Memory that the Redis server uses, in bytes.
        memory: Gauge = "ferry_redis_memory_bytes";
        /// Memory that it may use, in bytes; infinite without `maxmemory`.
        memory_limit: Gauge = "ferry_redis_memory_limit_bytes";
        /// Size of its append-only file, in bytes; 0 if there is none, or the last write to it failed.
        aof: Gauge = "ferry_redis_aof_bytes";
        /// Connected replicas.
        replicas: Gauge = "ferry_redis_replicas";
        /// Bytes by which the last replica is behind.
        replica_lag: Gauge = "ferry_redis_replica_lag_bytes";
    }
}

impl RedisMetrics {
    /// Publishes a state of the server.
    pub fn publish(&self, server: ServerState) {
        self.memory.set((), server.memory as f64);
        self.memory_limit.set((), server.memory_limit.map_or(f64::INFINITY, |bytes| bytes as f64));
        self.aof.set((), server.aof.unwrap_or(0) as f64);
        self.replicas.set((), server.replicas as f64);
        self.replica_lag.set((), server.replica_lag as f64);
    }
}
