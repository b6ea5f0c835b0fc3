//! The Platform's request to wait, as this process knows it.
//!
//! The store keeps steps of a throttled account from being claimed; this stops those that were claimed
//! before the store knew.

use std::sync::Arc;
use std::time::Duration;

use ferry_types::clock::{MonotonicClock, MonotonicTime};
use parking_lot::{Mutex, MutexGuard};

/// The throttling of one account.
#[derive(Debug)]
pub(super) struct Throttle {
    monotonic: Arc<dyn MonotonicClock>,
    period: Mutex<Option<Period>>,
}

#[derive(Debug, Clone, Copy)]
struct Period {
    until: MonotonicTime,
    /// Time at which the store knew. A step that was claimed after that was yielded in spite of it: the
    /// account was resumed.
    recorded: Option<MonotonicTime>,
}

impl Throttle {
    pub(super) fn new(monotonic: Arc<dyn MonotonicClock>) -> Self {
        Self { monotonic, period: Mutex::default() }
    }

    /// The remaining delay for a step that was claimed at `claimed`, if there is any.
    pub(super) fn left(&self, claimed: MonotonicTime) -> Option<Duration> {
        let period = *self.period();
        let applies = |period: &Period| period.recorded.is_none_or(|recorded| claimed <= recorded);
        let left = period.filter(applies)?.until.since(self.monotonic.now());
        (!left.is_zero()).then_some(left)
    }

    /// The Platform has requested a delay.
    pub(super) fn begin(&self, delay: Duration) {
        let until = self.monotonic.now() + delay;
        let mut period = self.period();
        let until = period.map_or(until, |earlier| earlier.until.max(until));
        *period = Some(Period { until, recorded: None });
    }

    /// The store knows of it.
    pub(super) fn set_recorded(&self) {
        let now = self.monotonic.now();
        if let Some(period) = self.period().as_mut() {
            period.recorded.get_or_insert(now);
        }
    }

    fn period(&self) -> MutexGuard<'_, Option<Period>> {
        self.period.lock()
    }
}
