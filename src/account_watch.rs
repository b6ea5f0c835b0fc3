//! Watches what blocks accounts, for the log: one line when a block begins, one when it ends. At the
//! level `warn` they show what happened in a night.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use ferry_store::Store;
use ferry_types::clock::Clock;
use ferry_types::domain::account::Health;
use ferry_types::domain::{Timestamp, until};

/// Time between two looks: no longer than a breaker stays open at least.
const DELAY: Duration = Duration::from_millis(500);

/// Throttling is logged if it lasts at least this long.
const LONG: Duration = Duration::from_mins(1);

/// Logs what blocks the accounts of the store, for as long as it is polled.
pub async fn watch(store: Arc<dyn Store>, clock: Arc<dyn Clock>) {
    let mut blocks: BTreeMap<String, Blocks> = BTreeMap::new();
    loop {
        match store.stats().await {
            Ok(stats) => {
                let now = clock.now();
                for account in stats.accounts {
                    let before = blocks.entry(account.account.clone()).or_default();
                    let after = before.next(&account.health, now);
                    log(&account.account, *before, after, &account.health, now);
                    *before = after;
                }
            }
            // Claims, commits and the queue statistics log it.
            Err(error) => debug!(%error, "the health of the accounts could not be read"),
        }
        tokio::time::sleep(DELAY).await;
    }
}

/// The times since which an account is blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Blocks {
    paused: Option<Timestamp>,
    breaker_open: Option<Timestamp>,
    throttled: Option<Timestamp>,
}

impl Blocks {
    fn next(self, health: &Health, now: Timestamp) -> Self {
        let since = |before: Option<Timestamp>, is_so: bool| is_so.then(|| before.unwrap_or(now));
        // Once it was long, it is logged to its end.
        let least = if self.throttled.is_some() { Duration::from_millis(1) } else { LONG };
        let throttled = health.throttled_until.is_some_and(|end| until(now, end) >= least);
        Self {
            paused: since(self.paused, health.pause_reason.is_some()),
            breaker_open: since(self.breaker_open, health.probe_at.is_some()),
            throttled: since(self.throttled, throttled),
        }
    }
}

fn log(account: &str, before: Blocks, after: Blocks, health: &Health, now: Timestamp) {
    match (before.paused, after.paused) {
        (None, Some(_)) => {
            let reason = health.pause_reason.as_deref().unwrap_or_default();
            warn!(account, "account `{account}` is paused: {reason}");
        }
        (Some(since), None) => {
            info!(account, "account `{account}` was resumed after {}", span(since, now));
        }
        _ => {}
    }
    match (before.breaker_open, after.breaker_open) {
        (None, Some(_)) => {
            let failures = health.failures;
            let probe = span(now, health.probe_at.unwrap_or(now));
            let error = health.last_error.as_ref().map(|error| format!("; last error: {error}"));
            let error = error.unwrap_or_default();
            warn!(
                account,
                failures,
                "circuit breaker of account `{account}` opened after {failures} failures in a row, \
                 next probe in {probe}{error}"
            );
        }
        (Some(since), None) => {
            let lasted = span(since, now);
            info!(account, "circuit breaker of account `{account}` closed after {lasted}");
        }
        _ => {}
    }
    match (before.throttled, after.throttled) {
        (None, Some(_)) => {
            let left = span(now, health.throttled_until.unwrap_or(now));
            warn!(account, "the Platform throttles account `{account}` for {left}");
        }
        (Some(since), None) => {
            let lasted = span(since, now);
            info!(account, "account `{account}` is not throttled any more, after {lasted}");
        }
        _ => {}
    }
}

fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = until(from, to).as_millis().div_ceil(1000);
    humantime::format_duration(Duration::from_secs(seconds.try_into().unwrap_or(u64::MAX)))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::{later, timestamp};

    #[test]
    fn a_block_is_one_from_its_begin_to_its_end() {
        let at = |seconds: i64| timestamp(1_700_000_000_000 + seconds * 1000);
        let (well, now) = (Health::default(), at(0));
        assert_eq!(Blocks::default().next(&well, now), Blocks::default());
        let open = Health { probe_at: Some(at(1)), ..Health::default() };
        let blocks = Blocks::default().next(&open, now);
        assert_eq!(blocks, Blocks { breaker_open: Some(now), ..Blocks::default() });
        assert_eq!(blocks.next(&open, at(9)), blocks, "a probe is due");
        assert_eq!(blocks.next(&well, at(9)), Blocks::default());
        let paused = Health { pause_reason: Some("by hand".into()), ..Health::default() };
        assert_eq!(Blocks::default().next(&paused, at(3)).paused, Some(at(3)));
    }

    #[test]
    fn short_throttling_is_no_block_and_long_throttling_is_one_to_its_end() {
        let at = |seconds: i64| timestamp(1_700_000_000_000 + seconds * 1000);
        let throttled = |seconds| Health {
            throttled_until: Some(later(at(0), Duration::from_secs(seconds))),
            ..Health::default()
        };
        assert_eq!(Blocks::default().next(&throttled(59), at(0)), Blocks::default());
        let blocks = Blocks::default().next(&throttled(60), at(0));
        assert_eq!(blocks.throttled, Some(at(0)));
        assert_eq!(blocks.next(&throttled(60), at(59)), blocks);
        assert_eq!(blocks.next(&throttled(60), at(60)), Blocks::default());
    }
}
