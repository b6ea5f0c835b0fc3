//! Logs what fails again and again: when it begins, and when it is over.

use std::sync::atomic::{AtomicU64, Ordering};

/// Failures in a row of one activity.
#[derive(Debug, Default)]
pub struct Recurring(AtomicU64);

impl Recurring {
    /// Counts a failure, and calls `log` for the first in a row.
    pub fn failed(&self, log: impl FnOnce()) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            log();
        }
    }

    /// True between a failure and the next success.
    pub fn is_failing(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Ends a row, if there is one, and calls `log` with its length.
    pub fn worked(&self, log: impl FnOnce(u64)) {
        let failures = self.0.swap(0, Ordering::Relaxed);
        if failures > 0 {
            log(failures);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_failures_is_logged_when_it_begins_and_when_it_ends() {
        let (recurring, lines) = (Recurring::default(), std::cell::RefCell::new(Vec::new()));
        let fail = || recurring.failed(|| lines.borrow_mut().push(0));
        let work = || recurring.worked(|failures| lines.borrow_mut().push(failures));
        for _ in 0..3 {
            work();
            fail();
            fail();
        }
        assert_eq!(*lines.borrow(), [0, 2, 0, 2, 0]);
    }
}
