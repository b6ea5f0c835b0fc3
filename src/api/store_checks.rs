//! The checks of the store, which take as long as the store is large: requests share their results for a while.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use ferry_store::{CheckResult, Store, StoreError};
use ferry_types::clock::Clock;
use ferry_types::domain::Timestamp;

/// Results count for so many times as long as the checks took, if that can be noticed, and at most for so long.
const SHARE: u32 = 100;
const NOTICED: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_hours(1);

/// Results of the checks.
#[derive(Debug, Clone)]
pub(super) struct StoreChecked {
    pub(super) findings: Vec<CheckResult>,
    /// The time at which the checks began.
    pub(super) at: Timestamp,
}

/// The last results.
#[derive(Debug, Default)]
pub(super) struct StoreChecks(Mutex<Option<(Instant, StoreChecked)>>);

impl StoreChecks {
    /// The last results, or new ones. Requests that come at once wait for the same checks.
    pub(super) async fn get(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<StoreChecked, StoreError> {
        let mut last = self.0.lock().await;
        let started = Instant::now();
        if let Some((_, checked)) = last.as_ref().filter(|(until, _)| started < *until) {
            return Ok(checked.clone());
        }
        let at = clock.now();
        let checked = StoreChecked { findings: store.check().await?, at };
        *last =
            shared_for(started.elapsed()).map(|share| (Instant::now() + share, checked.clone()));
        Ok(checked)
    }
}

/// The time for which results count whose checks took so long.
fn shared_for(took: Duration) -> Option<Duration> {
    (took >= NOTICED).then(|| took.saturating_mul(SHARE).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_that_take_long_are_made_seldom() {
        let millis = Duration::from_millis;
        assert_eq!(shared_for(millis(19)), None);
        assert_eq!(shared_for(millis(20)), Some(Duration::from_secs(2)));
        assert_eq!(shared_for(millis(190)), Some(Duration::from_secs(19)));
        assert_eq!(shared_for(Duration::from_secs(12)), Some(Duration::from_mins(20)));
        assert_eq!(shared_for(Duration::from_hours(1)), Some(LONGEST));
    }
}
