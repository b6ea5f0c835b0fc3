//! Virtual time: it passes only when a history says so.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ferry_types::clock::{Clock, MonotonicClock, MonotonicTime, Sleep};
use ferry_types::domain::{Timestamp, timestamp};

/// Wall clock at the beginning of each history, in milliseconds.
const BEGINNING: i64 = 1_770_000_000_000;

/// A clock for all parts of a history; clones are the same clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(Arc<Mutex<Timers>>);

#[derive(Debug, Default)]
struct Timers {
    elapsed: Duration,
    /// Milliseconds that the wall clock of the store is ahead.
    offset: i64,
    /// By their end, in the order in which they began.
    waiting: BTreeMap<(Duration, u64), Waker>,
    next: u64,
}

/// Ends at a virtual time.
struct Timer {
    time: Time,
    until: Duration,
    key: Option<(Duration, u64)>,
}

impl Time {
    /// The time since the history began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.timers().elapsed
    }

    /// End of the earliest timer.
    pub(crate) fn next_timer(&self) -> Option<Duration> {
        self.timers().waiting.keys().next().map(|(until, _)| *until)
    }

    /// Steps the wall clock of the store.
    pub(crate) fn step(&self, seconds: i64) {
        self.timers().offset += seconds * 1000;
    }

    /// True if the wall clock of the store is not at the time of the Platform's clock.
    pub(crate) fn is_stepped(&self) -> bool {
        self.timers().offset != 0
    }

    /// Time of the Platform's clock, which does not step.
    pub(crate) fn platform_now(&self) -> Timestamp {
        timestamp(BEGINNING + self.elapsed().as_millis() as i64)
    }

    /// Lets time pass until `to`.
    pub(crate) fn advance(&self, to: Duration) {
        let mut timers = self.timers();
        timers.elapsed = timers.elapsed.max(to);
        let after = timers.elapsed + Duration::from_nanos(1);
        let later = timers.waiting.split_off(&(after, 0));
        let ended = std::mem::replace(&mut timers.waiting, later);
        drop(timers);
        ended.into_values().for_each(Waker::wake);
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().expect("no test has panicked")
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let offset = self.timers().offset;
        timestamp(BEGINNING + self.elapsed().as_millis() as i64 + offset)
    }

    fn monotonic(&self) -> Duration {
        self.elapsed()
    }

    fn boot(&self) -> Option<u64> {
        Some(1)
    }
}

/// The clock of a process on a machine of its own, which has a number.
#[derive(Debug)]
pub(crate) struct Machine(pub(crate) Time, pub(crate) u64);

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Clock::now(&self.0)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn boot(&self) -> Option<u64> {
        Some(self.1)
    }
}

impl MonotonicClock for Time {
    fn now(&self) -> MonotonicTime {
        MonotonicTime::after_origin(self.elapsed())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        // In whole milliseconds, as stores have times: a timer ends no earlier than a due time.
        let until = (self.elapsed() + duration).as_nanos().div_ceil(1_000_000) as u64;
        let until = Duration::from_millis(until);
        Box::pin(Timer { time: self.clone(), until, key: None })
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut timers = time.timers();
        if timers.elapsed >= self.until {
            return Poll::Ready(());
        }
        let key = self.key.unwrap_or((self.until, timers.next));
        timers.next += 1;
        self.key = Some(key);
        timers.waiting.insert(key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.time.timers().waiting.remove(&key);
        }
    }
}
