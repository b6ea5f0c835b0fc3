//! The processes that use a namespace.

use redis::Value;

use super::RedisStore;
use super::error::RedisError;
use super::values::{array, bytes, lossy, number, stamp, tuple};
use crate::shown::Shift;
use crate::{DamagedHeartbeat, MOST_PROCESSES, SILENT_LISTED, StoredProcess, StoredProcesses};
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

    pub(super) async fn list_processes(&self) -> Result<StoredProcesses, RedisError> {
        let script = &self.scripts.processes;
        let response = self.run(script, self.script_call(script).arg(MOST_PROCESSES)).await?;
        let [now, processes] = tuple(response)?;
        let (now, offset) = stamp(now)?;
        let mut listed = StoredProcesses::default();
        for process in array(processes)? {
            let [id, at, heartbeat] = tuple(process)?;
            match read(at, heartbeat, now) {
                Ok(process) => listed.found.push(process),
                Err(error) => {
                    let (process, cause) = (lossy(id)?, error.to_string());
                    listed.damaged.push(DamagedHeartbeat { process, cause });
                }
            }
        }
        Ok(listed.shown(offset))
    }
}

fn read(at: Value, heartbeat: Value, now: Timestamp) -> Result<StoredProcess, RedisError> {
    let at = timestamp(number(at)?.cast_signed());
    let heartbeat = serde_json::from_slice(&bytes(heartbeat)?).map_err(RedisError::corrupt)?;
    Ok(StoredProcess { heartbeat, at, age: until(at, now) })
}
