//! Finds submissions that are missing in an index, a few keys at a time, and puts them back.

use std::sync::atomic::Ordering;

use tracing::warn;

use super::RedisStore;
use super::error::RedisError;
use super::values::{array, lossy, number, tuple};

/// Keys that one step looks at, about.
const KEYS: u32 = 200;

impl RedisStore {
    /// Looks at the next keys of the server; after the last of them begins again.
    pub(super) async fn put_strays_back(&self) -> Result<(), RedisError> {
        let prefix = format!("{}s:", self.link.base());
        let mut scan = redis::cmd("SCAN");
        scan.arg(self.scanned.load(Ordering::Relaxed));
        scan.arg("MATCH").arg(literal(&prefix) + "*").arg("COUNT").arg(KEYS);
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
        self.scanned.store(number(next)?, Ordering::Relaxed);
        Ok(())
    }
}

/// A pattern that matches this text alone.
fn literal(text: &str) -> String {
    let escaped = |char| if r"\*?[]^-".contains(char) { vec!['\\', char] } else { vec![char] };
    text.chars().flat_map(escaped).collect()
}
