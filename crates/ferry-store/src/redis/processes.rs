//! The processes that use a namespace.

use redis::Value;

use super::RedisStore;
use super::error::RedisError;
use super::values::{array, bytes, number, stamp, tuple};
use crate::shown::Shift;
use crate::{MOST_PROCESSES, SILENT_LISTED, StoredProcess};
use ferry_types::domain::{Heartbeat, Timestamp, timestamp, until};

impl RedisStore {
    /// Saves a heartbeat. Each process compares the clocks before it, so that no step of them makes another one
    /// silent.
    pub(super) async fn save_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), RedisError> {
        self.know_clock().await?;
        let text = serde_json::to_string(heartbeat).map_err(RedisError::corrupt)?;
        self.report(&heartbeat.id, &text).await
    }

    /// Saves the heartbeat of a process; none if it ends.
    pub(super) async fn report(&self, id: &str, heartbeat: &str) -> Result<(), RedisError> {
        let script = &self.scripts.beat;
        let script_call = self.script_call(script).arg(id).arg(heartbeat);
        let script_call = script_call.duration(SILENT_LISTED).arg(MOST_PROCESSES);
        self.run(script, script_call).await.map(drop)
    }

    /// The processes whose heartbeats can be read.
    pub(super) async fn list_processes(&self) -> Result<Vec<StoredProcess>, RedisError> {
        let script = &self.scripts.processes;
        let response = self.run(script, self.script_call(script).arg(MOST_PROCESSES)).await?;
        let [now, processes] = tuple(response)?;
        let (now, offset) = stamp(now)?;
        let found = array(processes)?.into_iter().filter_map(|one| read(one, now).ok());
        Ok(found.collect::<Vec<_>>().shown(offset))
    }
}

fn read(value: Value, now: Timestamp) -> Result<StoredProcess, RedisError> {
    let [at, heartbeat] = tuple(value)?;
    let at = timestamp(number(at)?.cast_signed());
    let heartbeat = serde_json::from_slice(&bytes(heartbeat)?).map_err(RedisError::corrupt)?;
    Ok(StoredProcess { heartbeat, at, age: until(at, now) })
}
