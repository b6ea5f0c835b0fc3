//! Sources of time, which everything else is given.

use std::fmt::Debug;
use std::ops::Add;
use std::pin::Pin;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::{Timestamp, timestamp};

/// The time of day.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time, with a precision of milliseconds.
    fn now(&self) -> Timestamp;

    /// The time since an origin that stays the same for as long as the process runs: it cannot be set,
    /// and counts the time for which the machine was suspended. Without such a clock, the wall clock
    /// is taken for one that is never set.
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now().timestamp_millis().unsigned_abs())
    }

    /// A number of the machine's start. Processes with the same one have the same monotonic time. `None`
    /// if only this process has it.
    fn boot(&self) -> Option<u64> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the machine's clock"
        )]
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        timestamp(since_epoch.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        let time = clock_gettime(MONOTONIC);
        let seconds = Duration::from_secs(time.tv_sec.unsigned_abs());
        seconds + Duration::from_nanos(time.tv_nsec.unsigned_abs())
    }

    fn boot(&self) -> Option<u64> {
        static BOOT: OnceLock<Option<u64>> = OnceLock::new();
        *BOOT.get_or_init(boot_of_linux)
    }
}

/// The first half of the random id that Linux draws at each start. In a namespace of time, the monotonic
/// clock has another origin.
fn boot_of_linux() -> Option<u64> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    let namespace: String =
        namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    Some(u64::from_str_radix(&digits, 16).ok()? ^ namespace.parse().unwrap_or(0))
}

/// On Linux and Android the clock that counts suspended time; elsewhere the system's monotonic clock,
/// which does so on macOS.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MONOTONIC: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MONOTONIC: ClockId = ClockId::Monotonic;

/// A clock that is never set: durations are measured with it.
///
/// It counts the time for which the machine was suspended, where the system offers that. Otherwise a
/// process that was suspended would take an expired lease for its own.
pub trait MonotonicClock: Debug + Send + Sync + 'static {
    /// The time since an origin that stays the same for as long as the process runs.
    fn now(&self) -> MonotonicTime;

    /// Ends after `duration`, or a little later: where the machine was suspended, by that time.
    fn sleep(&self, duration: Duration) -> Sleep;

    /// The duration from `earlier` to now.
    fn elapsed(&self, earlier: MonotonicTime) -> Duration {
        self.now().since(earlier)
    }
}

/// Ends when a duration has passed.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A time of a [`MonotonicClock`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonotonicTime(Duration);

impl MonotonicTime {
    /// The time that lies `duration` after the clock's origin.
    pub const fn after_origin(duration: Duration) -> Self {
        Self(duration)
    }

    /// The duration from `earlier` to this time; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for MonotonicTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_a_linux_machine_know_that_they_have_the_same_monotonic_time() {
        if cfg!(target_os = "linux") {
            assert!(boot_of_linux().is_some());
        }
        assert_eq!(SystemClock.boot(), boot_of_linux());
    }

    /// Seconds by which the namespace of a test is ahead, as if the machine had been suspended.
    const SUSPENDED: u64 = 1_000_000_000;

    #[test]
    #[expect(clippy::print_stdout, reason = "the next test reads it")]
    fn the_machine_was_started_before_the_process() {
        let monotonic = SystemClock.monotonic();
        assert!(monotonic > Duration::ZERO);
        println!("{}s since the start", monotonic.as_secs());
    }

    /// A namespace of time can be ahead by what only a clock that counts suspended time shows. Some
    /// containers permit none.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_monotonic_clock_counts_the_time_for_which_the_machine_was_suspended() {
        assert_eq!(MONOTONIC, ClockId::Boottime);
        let test = "the_machine_was_started_before_the_process";
        let shown = std::process::Command::new("unshare")
            .args(["--user", "--map-root-user", "--time", "--boottime", &SUSPENDED.to_string()])
            .arg(std::env::current_exe().unwrap())
            .args([&format!("clock::tests::{test}"), "--exact", "--nocapture"])
            .output();
        let Ok(shown) = shown.map(|shown| String::from_utf8_lossy(&shown.stdout).into_owned())
        else {
            return;
        };
        let Some((before, _)) = shown.split_once("s since the start") else { return };
        let seconds: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
        let seconds: String = seconds.chars().rev().collect();
        let ahead = seconds.parse::<u64>().unwrap().checked_sub(SUSPENDED);
        assert!(ahead.is_some_and(|since| since <= SystemClock.monotonic().as_secs()), "{shown}");
    }
}
