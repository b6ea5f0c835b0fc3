//! Remembers numbers of many steps for a moment, so that statistics cost no more for a longer queue.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use ferry_types::domain::submission::StepKind;

/// Number of steps from which on it takes milliseconds to count them.
const MANY: u64 = 10_000;

/// For so many times as long as that took, and at most for so long, they are not counted again.
const SHARE: u32 = 100;
const LONGEST: Duration = Duration::from_secs(5);

/// The steps of an account and a kind that no worker holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// Due, and without a predecessor.
    pub(super) runnable: u64,
    /// Due later, and without a predecessor.
    pub(super) scheduled: u64,
    /// Behind a predecessor: due, and due later.
    pub(super) behind: (u64, u64),
    /// The due time of the oldest one, in milliseconds.
    pub(super) oldest: Option<i64>,
    /// The same of those without a predecessor.
    pub(super) oldest_runnable: Option<i64>,
}

impl Counted {
    fn total(&self) -> u64 {
        self.runnable + self.scheduled + self.behind.0 + self.behind.1
    }
}

/// Numbers of many steps that were counted a moment ago: a reader of statistics costs no more for a longer
/// queue.
#[derive(Debug, Default)]
pub(super) struct LastCounts(Mutex<BTreeMap<(String, StepKind), (Instant, Counted)>>);

impl LastCounts {
    /// Numbers that still count `now`.
    pub(super) fn get(&self, account: &str, kind: StepKind, now: Instant) -> Option<Counted> {
        let last = self.0.lock();
        let (until, counted) = last.get(&(account.to_owned(), kind))?;
        (now < *until).then_some(*counted)
    }

    /// Remembers numbers that were counted from `started` to `now`, if they are large.
    pub(super) fn put(
        &self,
        account: &str,
        kind: StepKind,
        counted: Counted,
        (started, now): (Instant, Instant),
    ) {
        let mut last = self.0.lock();
        let key = (account.to_owned(), kind);
        if counted.total() < MANY {
            last.remove(&key);
            return;
        }
        let took = now.saturating_duration_since(started);
        last.insert(key, (now + took.saturating_mul(SHARE).min(LONGEST), counted));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_steps_are_not_counted_again_for_a_hundred_times_as_long_as_it_took() {
        let (last, started) = (LastCounts::default(), Instant::now());
        let at = |millis| started + Duration::from_millis(millis);
        let (scheduled, behind, oldest, oldest_runnable) = (0, (1, 1), None, None);
        let counted = |runnable| Counted { runnable, scheduled, behind, oldest, oldest_runnable };
        let get = |millis| last.get("a", StepKind::Upload, at(millis));
        let put = |counted, from, to| last.put("a", StepKind::Upload, counted, (at(from), at(to)));
        put(counted(MANY - 3), 0, 10);
        assert_eq!(get(11), None, "few are counted each time");
        put(counted(MANY), 0, 10);
        assert_eq!(last.get("a", StepKind::Poll, at(11)), None);
        assert_eq!(last.get("b", StepKind::Upload, at(11)), None);
        assert_eq!((get(11), get(1009)), (Some(counted(MANY)), Some(counted(MANY))));
        assert_eq!(get(1010), None);
        put(counted(MANY), 0, 1000);
        assert_eq!((get(5999), get(6000)), (Some(counted(MANY)), None));
        put(counted(7), 6000, 6001);
        assert_eq!(get(6001), None, "few are counted each time");
    }
}
