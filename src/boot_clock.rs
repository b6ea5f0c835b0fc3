//! The monotonic clock of the machine, which counts the time while the machine is suspended.

use std::time::Duration;

use ferry_types::clock::{MonotonicClock, MonotonicTime, Sleep};
use rustix::time::{ClockId, clock_gettime};

/// On Linux and Android the one that counts suspended time; elsewhere the system's monotonic clock,
/// which does so on macOS.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

/// Time since the machine was started.
#[derive(Debug, Clone, Copy, Default)]
pub struct BootClock;

impl MonotonicClock for BootClock {
    fn now(&self) -> MonotonicTime {
        let time = clock_gettime(CLOCK);
        let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
        MonotonicTime::after_origin(seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs()))
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
