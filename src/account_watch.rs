//! Watches what blocks accounts, for the log: one line when a block begins, one when it ends. At the
//! level `warn` they show what happened in a night.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::words::blocked;
use ferry_store::Store;
use ferry_types::clock::Clock;
use ferry_types::domain::account::condition::{in_a_row, last};
use ferry_types::domain::account::{BlockReason, Health, HealthPolicy};
use ferry_types::domain::{Timestamp, until};

/// Time between two looks: no longer than a breaker stays open at least.
const DELAY: Duration = Duration::from_millis(500);

/// Throttling is logged if it lasts at least this long.
const LONG: Duration = Duration::from_mins(1);

/// Logs what blocks the accounts of the store, for as long as it is polled.
pub async fn watch(store: Arc<dyn Store>, clock: Arc<dyn Clock>, policy: HealthPolicy) {
    let mut blocks: BTreeMap<String, Blocks> = BTreeMap::new();
    loop {
        match store.stats().await {
            Ok(stats) => {
                let now = clock.now();
                for account in stats.accounts {
                    let before = blocks.entry(account.account.clone()).or_default();
                    let after = before.next(&account.health, now, &policy);
                    log(&account.account, *before, after, &account.health, now);
                    *before = after;
                }
            }
            // `store_watch` logs it.
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
    /// Time of the first failure, from when it is old until a request succeeds.
    failing: Option<Timestamp>,
}

impl Blocks {
    fn next(self, health: &Health, now: Timestamp, policy: &HealthPolicy) -> Self {
        let since = |before: Option<Timestamp>, is_so: bool| is_so.then(|| before.unwrap_or(now));
        // Once it was long, it is logged to its end.
        let least = if self.throttled.is_some() { Duration::from_millis(1) } else { LONG };
        let failing = || Some(health.failing(now, policy)?.since);
        let throttled = health.throttled_until.is_some_and(|end| until(now, end) >= least);
        Self {
            paused: since(self.paused, health.pause_reason.is_some()),
            breaker_open: since(self.breaker_open, health.probe_at.is_some()),
            throttled: since(self.throttled, throttled),
            // It may open the breaker before it ends.
            failing: self.failing.filter(|_| health.failing_since.is_some()).or_else(failing),
        }
    }
}

fn log(account: &str, before: Blocks, after: Blocks, health: &Health, now: Timestamp) {
    match (before.paused, after.paused) {
        (None, Some(_)) => {
            let reason = health.pause_reason.as_deref().unwrap_or_default();
            let reason = BlockReason::Paused { reason: reason.to_owned() };
            warn!(account, "{}", blocked(account, &reason));
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
            let error = last(health.last_error.as_deref());
            warn!(
                account,
                failures,
                "circuit breaker of account `{account}` opened after {failures} failures in a row, \
                 next probe in {probe}{error}; Ferry continues when one succeeds, `ferry doctor` probes \
                 from here"
            );
        }
        (Some(since), None) => {
            let lasted = span(since, now);
            // A resumption closes it, too.
            let end = if after.failing.is_some() { ", no request has succeeded yet" } else { "" };
            info!(account, "circuit breaker of account `{account}` closed after {lasted}{end}");
        }
        _ => log_failing(account, before, after, health, now),
    }
    match (before.throttled, after.throttled) {
        (None, Some(_)) => {
            let reason = BlockReason::Throttled { until: health.throttled_until.unwrap_or(now) };
            warn!(account, "{}", blocked(account, &reason));
        }
        (Some(since), None) => {
            let lasted = span(since, now);
            info!(account, "account `{account}` is not throttled any more, after {lasted}");
        }
        _ => {}
    }
}

/// Failures that the breaker does not report.
fn log_failing(account: &str, before: Blocks, after: Blocks, health: &Health, now: Timestamp) {
    match (before.failing, after.failing) {
        (None, Some(since)) => {
            let (lasted, failures) = (span(since, now), health.failures);
            let (in_a_row, error) = (in_a_row(failures), last(health.last_error.as_deref()));
            warn!(
                account,
                failures,
                "no request of account `{account}` has succeeded for {lasted}, {in_a_row}, and its \
                 circuit breaker is closed{error}; `ferry doctor` requests a token"
            );
        }
        (Some(since), None) => {
            let lasted = span(since, now);
            info!(account, "requests of account `{account}` succeed again after {lasted}");
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
    use ferry_types::domain::account::Signal;
    use ferry_types::domain::submission::StepKind;
    use ferry_types::domain::{later, timestamp};

    #[test]
    fn a_block_is_one_from_its_begin_to_its_end() {
        let at = |seconds: i64| timestamp(1_700_000_000_000 + seconds * 1000);
        let (well, now, policy) = (Health::default(), at(0), HealthPolicy::default());
        assert_eq!(Blocks::default().next(&well, now, &policy), Blocks::default());
        let open = Health { probe_at: Some(at(1)), ..Health::default() };
        let blocks = Blocks::default().next(&open, now, &policy);
        assert_eq!(blocks, Blocks { breaker_open: Some(now), ..Blocks::default() });
        assert_eq!(blocks.next(&open, at(9), &policy), blocks, "a probe is due");
        assert_eq!(blocks.next(&well, at(9), &policy), Blocks::default());
        let paused = Health { pause_reason: Some("by hand".into()), ..Health::default() };
        assert_eq!(Blocks::default().next(&paused, at(3), &policy).paused, Some(at(3)));
    }

    #[test]
    fn short_throttling_is_no_block_and_long_throttling_is_one_to_its_end() {
        let at = |seconds: i64| timestamp(1_700_000_000_000 + seconds * 1000);
        let policy = HealthPolicy::default();
        let throttled = |seconds| Health {
            throttled_until: Some(later(at(0), Duration::from_secs(seconds))),
            ..Health::default()
        };
        assert_eq!(Blocks::default().next(&throttled(59), at(0), &policy), Blocks::default());
        let blocks = Blocks::default().next(&throttled(60), at(0), &policy);
        assert_eq!(blocks.throttled, Some(at(0)));
        assert_eq!(blocks.next(&throttled(60), at(59), &policy), blocks);
        assert_eq!(blocks.next(&throttled(60), at(60), &policy), Blocks::default());
    }

    #[test]
    fn an_account_fails_from_its_old_first_failure_until_a_request_succeeds() {
        let at = |seconds: i64| timestamp(1_700_000_000_000 + seconds * 1000);
        let (mut health, policy) = (Health::default(), HealthPolicy::default());
        let timeout = Signal::Unhealthy("timed out".into());
        health.record(&timeout, StepKind::Upload, at(0), &policy);
        let blocks = Blocks::default().next(&health, at(29), &policy);
        assert_eq!(blocks, Blocks::default(), "a retry may succeed");
        let blocks = blocks.next(&health, at(30), &policy);
        assert_eq!(blocks, Blocks { failing: Some(at(0)), ..Blocks::default() });
        for _ in 0..policy.breaker_failures {
            health.record(&timeout, StepKind::Upload, at(40), &policy);
        }
        let blocks = blocks.next(&health, at(40), &policy);
        assert_eq!((blocks.failing, blocks.breaker_open), (Some(at(0)), Some(at(40))));
        assert!(health.resume());
        let blocks = blocks.next(&health, at(41), &policy);
        assert_eq!((blocks.failing, blocks.breaker_open), (Some(at(0)), None));
        let blocks_of_a_new_process = Blocks::default().next(&health, at(1), &policy);
        assert_eq!(blocks_of_a_new_process, blocks, "a resumption is no success");
        health.record(&Signal::Healthy, StepKind::Upload, at(42), &policy);
        assert_eq!(blocks.next(&health, at(42), &policy), Blocks::default());
    }
}
