//! Compares the server's clock with the monotonic clock of this process: a server may be set, or
//! another one may take its place after a failover.

use std::time::Duration;

use super::RedisStore;
use super::error::RedisError;
use super::scripts::{Script, ScriptCall};
use super::server_time::ServerTime;
use super::values::{maybe_bytes, number, stamp, text, tuple};
use crate::store_time::warn_of_step;
use ferry_types::clock::{Clock, SystemClock};

/// Milliseconds after which a process compares the clocks before it changes anything.
const COMPARED: i64 = 10_000;

/// A process on a machine that never compared the clocks cannot know if they stepped. So long it leaves
/// that to others: a worker compares them once a second.
const OTHERS: Duration = Duration::from_secs(6);

impl RedisStore {
    /// Compares the clocks unless this process did so a short time ago. Returns how long to wait if it
    /// cannot know yet what the time is.
    pub(super) async fn know_clock(&self) -> Result<Option<Duration>, RedisError> {
        let (known, now) = (*self.server_time.lock(), self.monotonic());
        if known.is_some_and(|known| now - known.received < COMPARED) {
            return Ok(None);
        }
        self.compare_clocks().await
    }

    /// Keeps the store's time even: a step of the server's clock changes the offset between them. Returns
    /// how long to wait if this process cannot know yet if there was one.
    pub(super) async fn compare_clocks(&self) -> Result<Option<Duration>, RedisError> {
        let (boot, sent) = (self.boot(), self.monotonic());
        let script = &self.scripts.time;
        let script_call = self.unchecked_call(script).arg(&boot);
        let [time, stored] = tuple(self.run(script, script_call).await?)?;
        let received = self.monotonic();
        let (now, offset) = stamp(time)?;
        let read = ServerTime { store: now.timestamp_millis(), sent, received };
        let stored = maybe_bytes(stored)?.unwrap_or_default();
        let stored = || ServerTime::stored(&String::from_utf8_lossy(&stored), sent);
        let known = self.server_time.lock().or_else(stored);
        let step = known.map_or(0, |known| known.step(read));
        let elapsed = known.map_or(0, |known| received - known.sent);
        let first = *self.unsure_since.lock().get_or_insert(sent);
        let left = OTHERS.saturating_sub(Duration::from_millis((sent - first).unsigned_abs()));
        let is_sure = known.is_some() || left.is_zero();
        let script = &self.scripts.clock;
        let script_call = self.unchecked_call(script).arg(step).arg(offset).arg(elapsed);
        let script_call = script_call.arg(boot).arg(sent).arg(received).flag(is_sure);
        let [step, time, is_sure] = tuple(self.run(script, script_call).await?)?;
        if number(is_sure)? == 0 {
            return Ok(Some(left));
        }
        let step: i64 = text(step)?.parse().map_err(RedisError::corrupt)?;
        let wall = read.store.saturating_add(offset);
        let store = wall.saturating_sub(stamp(time)?.1);
        *self.server_time.lock() = Some(ServerTime { store, ..read });
        warn_of_step(step, &self.location);
        Ok(None)
    }

    /// A call that takes the clock of the server as it is.
    fn unchecked_call(&self, script: &Script) -> ScriptCall {
        ScriptCall::new(script, self.link.base(), &self.wall_clock())
    }

    /// A call that uses no clock that stepped since the clocks were compared.
    pub(super) fn script_call(&self, script: &Script) -> ScriptCall {
        let read = *self.server_time.lock();
        let expected = read.map_or_else(|| "?".to_owned(), |read| read.expected(self.monotonic()));
        ScriptCall::new(script, self.link.base(), &(self.wall_clock() + &expected))
    }

    /// The clock that is used instead of the server's; empty for that.
    fn wall_clock(&self) -> String {
        let clock = self.clock.as_ref();
        clock.map_or_else(String::new, |clock| clock.now().timestamp_millis().to_string())
    }

    fn monotonic(&self) -> i64 {
        let clock = self.clock.as_ref();
        let time = clock.map_or_else(|| SystemClock.monotonic(), |clock| clock.monotonic());
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    }

    /// The start of the machine; empty if it is not known.
    fn boot(&self) -> String {
        let clock = self.clock.as_ref();
        let boot = clock.map_or_else(|| SystemClock.boot(), |clock| clock.boot());
        boot.map_or_else(String::new, |boot| format!("{boot:x}"))
    }
}
