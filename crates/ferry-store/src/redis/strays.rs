//! Finds submissions that are missing in an index, and puts them back: a few keys at a time, for a share of the
//! time.

use std::time::{Duration, Instant};

use tracing::warn;

use super::RedisStore;
use super::error::RedisError;
use super::values::{array, lossy, number, tuple};

/// Keys that one step looks at, about: a millisecond of the server's time.
const KEYS: u32 = 200;

/// Of so much time one part is spent on the look.
const SHARE: u32 = 100;

/// Longest time of one look.
const LONGEST: Duration = Duration::from_millis(50);

impl RedisStore {
    /// Looks at the next keys of the server, for a share of the time since the last look; the last key ends
    /// it, and the next look begins again.
    pub(super) async fn put_strays_back(&self) -> Result<(), RedisError> {
        let started = Instant::now();
        let (mut cursor, ended) = *self.strays.lock();
        let time = ended.map_or(LONGEST, |ended| time_after(started - ended));
        loop {
            cursor = self.put_next_back(cursor).await?;
            let now = Instant::now();
            *self.strays.lock() = (cursor, Some(now));
            if cursor == 0 || now - started >= time {
                return Ok(());
            }
        }
    }

    /// Looks at the keys at the cursor, and returns the next one.
    async fn put_next_back(&self, cursor: u64) -> Result<u64, RedisError> {
        let prefix = format!("{}s:", self.link.base());
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(literal(&prefix) + "*").arg("COUNT").arg(KEYS);
        let [next, keys] = tuple(self.link.command(scan).await?)?;
        let ids: Vec<String> = array(keys)?.into_iter().map(lossy).collect::<Result<_, _>>()?;
        let ids: Vec<_> = ids.iter().filter_map(|key| key.strip_prefix(&prefix)).collect();
        if !ids.is_empty() {
            let script = &self.scripts.stray;
            let script_call = self.script_call(script).each(&ids, |call, id| call.arg(id));
            let count = number(self.run(script, script_call).await?)?;
            if count > 0 {
                warn!(count, "put {count} submissions back into their indexes");
            }
        }
        number(next)
    }
}

/// Time of a look that comes so long after the last one.
fn time_after(pause: Duration) -> Duration {
    (pause / SHARE).min(LONGEST)
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    let escaped = |char| if r"\*?[]^-".contains(char) { vec!['\\', char] } else { vec![char] };
    text.chars().flat_map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_takes_a_hundredth_of_the_time_and_never_long() {
        let taken = [0, 100, 5000, 3_600_000].map(Duration::from_millis).map(time_after);
        assert_eq!(taken, [0, 1, 50, 50].map(Duration::from_millis));
    }
}
