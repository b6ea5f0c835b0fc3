//! The monotonic clock of the machine, which counts the time while the machine is suspended.

use std::time::Duration;

use ferry_types::clock::{Clock, MonotonicClock, MonotonicTime, Sleep, SystemClock};

/// Time since the machine was started.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl MonotonicClock for BootClock {
    fn now(&self) -> MonotonicTime {
        MonotonicTime::after_origin(SystemClock.monotonic())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_clock_advances_by_what_was_slept() {
        let (clock, duration) = (BootClock, Duration::from_millis(20));
        let started = clock.now();
        clock.sleep(duration).await;
        assert!(clock.elapsed(started) >= duration);
        assert!(started > MonotonicTime::default() && started.since(clock.now()).is_zero());
    }
}
