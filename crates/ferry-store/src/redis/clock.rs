//! Compares the server's clock with the monotonic clock of this process: a server may be set, or
//! another one may take its place after a failover.

use super::RedisStore;
use super::error::RedisError;
use super::scripts::{Script, ScriptCall};
use super::server_time::ServerTime;
use super::values::{stamp, text, tuple};
use crate::store_time::warn_of_step;
use ferry_types::clock::{Clock, SystemClock};

impl RedisStore {
    /// Keeps the store's time even: a step of the server's clock changes the offset between them.
    pub(super) async fn compare_clocks(&self) -> Result<(), RedisError> {
        let script = &self.scripts.time;
        let sent = self.monotonic();
        let (now, offset) = stamp(self.run(script, self.unchecked_call(script)).await?)?;
        let received = self.monotonic();
        let wall = now.timestamp_millis().saturating_add(offset);
        let read = ServerTime { wall, sent, received, offset };
        let known = *self.server_time.lock();
        let step = known.filter(|known| known.offset == offset).map_or(0, |known| known.step(read));
        let elapsed = known.map_or(0, |known| received - known.sent);
        let script = &self.scripts.clock;
        let script_call = self.unchecked_call(script).arg(step).arg(offset).arg(elapsed);
        let [step, time] = tuple(self.run(script, script_call).await?)?;
        let step: i64 = text(step)?.parse().map_err(RedisError::corrupt)?;
        let (_, offset) = stamp(time)?;
        let read = ServerTime { offset, ..read };
        *self.server_time.lock() = Some(read);
        warn_of_step(step, &self.location);
        Ok(())
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
}
