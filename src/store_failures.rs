//! Failures of the store of a process: how many there were, and which operations fail at present.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use ferry_store::StoreError;

/// Failures of the store of a process. Clones record together.
#[derive(Debug, Clone, Default)]
pub struct StoreFailures(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    number: u64,
    outage: Option<Outage>,
    /// Operations that failed and have not worked since, with the time of the last failure.
    failing: BTreeMap<&'static str, Instant>,
}

/// A time in which at least one operation failed.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Time of the first failure.
    pub since: Instant,
    /// The first failure.
    pub error: StoreError,
    /// Failures of all operations.
    pub failures: u64,
}

impl StoreFailures {
    /// An operation failed, because of the store and not because of the request.
    pub fn failed(&self, operation: &'static str, error: &StoreError) {
        let (mut record, now) = (self.0.lock(), Instant::now());
        record.number += 1;
        record.failing.insert(operation, now);
        let first = || Outage { since: now, error: error.clone(), failures: 0 };
        record.outage.get_or_insert_with(first).failures += 1;
    }

    /// An operation worked.
    pub fn worked(&self, operation: &'static str) {
        self.0.lock().failing.remove(operation);
    }

    /// Number of failures so far.
    pub fn number(&self) -> u64 {
        self.0.lock().number
    }

    /// Returns the outage, also one that is over, until `take_ended` has taken it.
    pub fn outage(&self) -> Option<Outage> {
        self.0.lock().outage.clone()
    }

    /// True if all operations that fail are old: their last failure is at least `age` ago.
    pub fn are_old(&self, age: Duration) -> bool {
        let record = self.0.lock();
        !record.failing.is_empty() && record.failing.values().all(|last| last.elapsed() >= age)
    }

    /// Forgets operations whose last failure is at least `age` ago.
    pub fn forget(&self, age: Duration) {
        self.0.lock().failing.retain(|_, last| last.elapsed() < age);
    }

    /// Takes the outage if no operation fails any more.
    pub fn take_ended(&self) -> Option<Outage> {
        let mut record = self.0.lock();
        if record.failing.is_empty() { record.outage.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> StoreError {
        StoreError::Unavailable { location: "x".to_owned(), cause: "gone".to_owned() }
    }

    #[test]
    fn an_outage_lasts_until_each_operation_that_failed_works() {
        let failures = StoreFailures::default();
        assert!(failures.take_ended().is_none());
        for operation in ["claim", "commit", "claim"] {
            failures.failed(operation, &full());
        }
        failures.worked("claim");
        failures.worked("read");
        assert!(failures.take_ended().is_none(), "commits still fail");
        failures.worked("commit");
        assert_eq!(failures.take_ended().unwrap().failures, 3);
        assert!(failures.outage().is_none());
        assert_eq!(failures.number(), 3);
    }

    #[test]
    fn what_is_not_requested_again_is_forgotten_when_it_is_old() {
        let failures = StoreFailures::default();
        failures.failed("accept", &full());
        let (age, later) = (Duration::ZERO, Duration::from_hours(1));
        assert!(failures.are_old(age) && !failures.are_old(later));
        failures.forget(later);
        assert!(failures.take_ended().is_none());
        failures.forget(age);
        assert!(failures.take_ended().is_some());
    }
}
