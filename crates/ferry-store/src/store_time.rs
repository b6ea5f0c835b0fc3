//! The store's own time, which runs evenly whatever becomes of the wall clock.
//!
//! A store writes its own time, and shows the wall clock's: it adds the offset between them. A step of
//! the wall clock changes the offset, and no due time, lease, limit or deadline. A process that starts
//! knows the monotonic time at which the store's time was stored, if that was since the machine's start.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::warn;

use ferry_types::clock::Clock;
use ferry_types::domain::{Timestamp, timestamp};

/// Milliseconds that two readings may differ by without a step. An NTP client moves a clock by less.
pub(super) const TOLERANCE: i64 = 2000;

/// A clock that is adjusted gains or loses at most one part of so many.
pub(super) const SLEW: i64 = 1000;

/// Milliseconds after which the stored time is worth another write.
const SEEN_EVERY: i64 = 1000;

/// The time of a store, as it is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct StoredTime {
    /// Milliseconds by which the wall clock is ahead of the store's time.
    pub(super) offset: i64,
    /// The store's time at a recent change, in milliseconds.
    pub(super) seen: i64,
    /// The monotonic time at that change, in milliseconds; by `boot`, the number of the machine's start.
    pub(super) monotonic: i64,
    pub(super) boot: Option<u64>,
}

/// A reading of the store's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoreTime {
    /// The store's time.
    pub(super) now: Timestamp,
    /// Milliseconds by which the wall clock is ahead of it.
    pub(super) offset: i64,
    stored: StoredTime,
    monotonic: i64,
    boot: Option<u64>,
}

/// The store's time and the monotonic time of one moment, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Anchor {
    store: i64,
    monotonic: i64,
}

impl Anchor {
    /// Milliseconds by which the wall clock stepped until `now` and no process has counted; 0 if it did
    /// not.
    fn step(self, now: Self) -> i64 {
        let elapsed = now.monotonic - self.monotonic;
        let step = now.store - self.store - elapsed;
        if step.abs() > TOLERANCE + elapsed / SLEW { step } else { 0 }
    }
}

impl StoredTime {
    /// The moment at which it was stored, if the monotonic clock is still the same.
    fn anchor(self, boot: Option<u64>, monotonic: i64) -> Option<Anchor> {
        let is_known = boot.is_some() && self.boot == boot && self.monotonic <= monotonic;
        is_known.then_some(Anchor { store: self.seen, monotonic: self.monotonic })
    }
}

impl StoreTime {
    /// The store's time at an earlier time by the monotonic clock, in milliseconds.
    pub(super) fn at_monotonic(self, millis: i64) -> Timestamp {
        timestamp(self.now.timestamp_millis() - (self.monotonic - millis).max(0))
    }

    /// Milliseconds by which the wall clock stepped since the time was stored; 0 if it did not.
    pub(super) fn step(self) -> i64 {
        self.offset - self.stored.offset
    }

    /// The time to be stored; `None` if what is stored is recent enough.
    pub(super) fn to_store(self, is_changed: bool) -> Option<StoredTime> {
        let now = self.now.timestamp_millis();
        let seen = now.max(self.stored.seen);
        let is_old = is_changed && seen - self.stored.seen >= SEEN_EVERY;
        let is_due = is_old || self.offset != self.stored.offset;
        let monotonic = self.monotonic + (seen - now);
        is_due.then_some(StoredTime { offset: self.offset, seen, monotonic, boot: self.boot })
    }
}

/// Reads the store's time for one process.
#[derive(Debug)]
pub(super) struct StoreClock {
    clock: Arc<dyn Clock>,
    anchor: Mutex<Option<Anchor>>,
}

impl StoreClock {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, anchor: Mutex::default() }
    }

    /// The time now, in a store with this stored time.
    pub(super) fn read(&self, stored: StoredTime) -> StoreTime {
        let (wall, monotonic) = self.both_clocks();
        let boot = self.clock.boot();
        let mut offset = stored.offset;
        let known = self.anchor.lock().or_else(|| stored.anchor(boot, monotonic));
        if let Some(known) = known {
            offset += known.step(Anchor { store: wall - offset, monotonic });
        }
        // The wall clock was set back while no process looked.
        if wall - offset < stored.seen - TOLERANCE {
            offset = wall - stored.seen;
        }
        StoreTime { now: timestamp(wall - offset), offset, stored, monotonic, boot }
    }

    /// Call when what [`StoreTime::to_store`] returned is stored: later steps are counted from here.
    pub(super) fn passed(&self, time: &StoreTime, location: &str) {
        let (store, monotonic) = (time.now.timestamp_millis(), time.monotonic);
        *self.anchor.lock() = Some(Anchor { store, monotonic });
        warn_of_step(time.step(), location);
    }

    /// Milliseconds by the monotonic clock.
    pub(super) fn monotonic(&self) -> i64 {
        i64::try_from(self.clock.monotonic().as_millis()).unwrap_or(i64::MAX)
    }

    /// The wall clock and the monotonic clock, read at nearly the same moment.
    fn both_clocks(&self) -> (i64, i64) {
        let mut before = self.monotonic();
        let mut wall = self.clock.now().timestamp_millis();
        // On a busy machine the thread may wait between the two.
        for _ in 0..10 {
            let after = self.monotonic();
            if after - before < TOLERANCE / 20 {
                break;
            }
            before = after;
            wall = self.clock.now().timestamp_millis();
        }
        (wall, before)
    }
}

/// Logs that the wall clock of a store stepped by so many milliseconds, if it did.
pub(super) fn warn_of_step(step: i64, location: &str) {
    if step == 0 {
        return;
    }
    let direction = if step > 0 { "forward" } else { "back" };
    let seconds = (step.unsigned_abs() + 500) / 1000;
    warn!(
        step_ms = step,
        "the wall clock stepped {direction} by {seconds} s: due times, leases and deadlines of the \
         store `{location}` moved with it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    #[derive(Debug, Default)]
    struct Clocks {
        wall: AtomicI64,
        monotonic: AtomicI64,
        /// Number of the machine's start; 0 if it is not known.
        boot: AtomicI64,
    }

    impl Clocks {
        fn pass(&self, millis: i64) {
            self.wall.fetch_add(millis, Ordering::SeqCst);
            self.monotonic.fetch_add(millis, Ordering::SeqCst);
        }

        fn step(&self, millis: i64) {
            self.wall.fetch_add(millis, Ordering::SeqCst);
        }
    }

    impl Clock for Clocks {
        fn now(&self) -> Timestamp {
            timestamp(self.wall.load(Ordering::SeqCst))
        }

        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.monotonic.load(Ordering::SeqCst).unsigned_abs())
        }

        fn boot(&self) -> Option<u64> {
            Some(self.boot.load(Ordering::SeqCst).unsigned_abs()).filter(|boot| *boot > 0)
        }
    }

    const HOUR: i64 = 3_600_000;

    /// A process of a store: what it reads, it stores.
    fn look(clock: &StoreClock, stored: &mut StoredTime) -> i64 {
        let time = clock.read(*stored);
        if let Some(new) = time.to_store(true) {
            *stored = new;
        }
        clock.passed(&time, "test");
        time.now.timestamp_millis()
    }

    fn clocks() -> (Arc<Clocks>, StoredTime) {
        let clocks = Arc::<Clocks>::default();
        clocks.step(1000 * HOUR);
        clocks.pass(HOUR);
        (clocks, StoredTime::default())
    }

    #[test]
    fn the_time_runs_evenly_through_steps_in_both_directions() {
        for step in [-24 * HOUR, -HOUR, -60_000, 60_000, HOUR, 24 * HOUR] {
            let (clocks, mut stored) = clocks();
            let clock = StoreClock::new(clocks.clone());
            let before = look(&clock, &mut stored);
            clocks.pass(10_000);
            clocks.step(step);
            assert_eq!(look(&clock, &mut stored), before + 10_000);
            assert_eq!(stored.offset, step);
            clocks.pass(5000);
            assert_eq!(look(&clock, &mut stored), before + 15_000);
            clocks.step(-step);
            assert_eq!(look(&clock, &mut stored), before + 15_000);
            assert_eq!(stored.offset, 0);
        }
    }

    #[test]
    fn processes_count_the_same_step_once() {
        for step in [-HOUR, HOUR] {
            let (clocks, mut stored) = clocks();
            let [one, other] = [(); 2].map(|()| StoreClock::new(clocks.clone()));
            let before = look(&one, &mut stored);
            assert_eq!(look(&other, &mut stored), before);
            clocks.step(step);
            for clock in [&one, &other, &one, &other] {
                assert_eq!(look(clock, &mut stored), before);
            }
            let new = StoreClock::new(clocks.clone());
            assert_eq!(look(&new, &mut stored), before);
        }
    }

    #[test]
    fn a_clock_that_is_adjusted_slowly_is_followed() {
        let (clocks, mut stored) = clocks();
        let clock = StoreClock::new(clocks.clone());
        let before = look(&clock, &mut stored);
        for _ in 0..1000 {
            clocks.pass(10_000);
            clocks.step(5);
            look(&clock, &mut stored);
        }
        assert_eq!(look(&clock, &mut stored), before + 1000 * 10_005);
        assert_eq!(stored.offset, 0);
    }

    #[test]
    fn the_time_does_not_go_back_although_no_process_saw_the_step() {
        let (clocks, mut stored) = clocks();
        let before = look(&StoreClock::new(clocks.clone()), &mut stored);
        clocks.pass(5000);
        clocks.step(-HOUR);
        let clock = StoreClock::new(clocks.clone());
        assert_eq!(look(&clock, &mut stored), before);
        clocks.pass(7000);
        assert_eq!(look(&clock, &mut stored), before + 7000);
    }

    #[test]
    fn a_time_in_which_no_process_ran_has_passed() {
        for boot in [0, 1] {
            let (clocks, mut stored) = clocks();
            clocks.boot.store(boot, Ordering::SeqCst);
            let before = look(&StoreClock::new(clocks.clone()), &mut stored);
            clocks.pass(HOUR);
            assert_eq!(look(&StoreClock::new(clocks.clone()), &mut stored), before + HOUR);
        }
    }

    #[test]
    fn a_step_that_no_process_saw_moves_nothing_as_long_as_the_machine_runs() {
        for step in [-HOUR, HOUR] {
            let (clocks, mut stored) = clocks();
            clocks.boot.store(1, Ordering::SeqCst);
            let before = look(&StoreClock::new(clocks.clone()), &mut stored);
            clocks.pass(5000);
            clocks.step(step);
            assert_eq!(look(&StoreClock::new(clocks.clone()), &mut stored), before + 5000);
            assert_eq!(stored.offset, step);
            // After another start of the machine, only the wall clock is left.
            clocks.boot.store(2, Ordering::SeqCst);
            clocks.monotonic.store(0, Ordering::SeqCst);
            clocks.step(HOUR);
            assert_eq!(look(&StoreClock::new(clocks.clone()), &mut stored), before + 5000 + HOUR);
        }
    }

    #[test]
    fn the_time_that_is_stored_never_goes_back() {
        let stored = StoredTime { seen: 5000, ..StoredTime::default() };
        let now = timestamp(4900);
        let time = StoreTime { now, offset: 7, stored, monotonic: 300, boot: None };
        let expected = StoredTime { offset: 7, seen: 5000, monotonic: 400, boot: None };
        assert_eq!(time.to_store(false), Some(expected));
    }

    #[test]
    fn a_store_that_goes_back_behind_a_step_keeps_the_time() {
        for step in [-HOUR, HOUR] {
            let (clocks, mut stored) = clocks();
            clocks.boot.store(1, Ordering::SeqCst);
            let clock = StoreClock::new(clocks.clone());
            let before = look(&clock, &mut stored);
            let mut earlier = stored;
            clocks.step(step);
            assert_eq!(look(&clock, &mut stored), before);
            clocks.pass(5000);
            for clock in [StoreClock::new(clocks.clone()), clock] {
                assert_eq!(look(&clock, &mut earlier), before + 5000);
            }
        }
    }
}
