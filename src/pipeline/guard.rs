//! The guard of a step: its requests leave only while its lease is owned and its account is not
//! throttled, and an upload only before its deadline.

use std::sync::atomic::{AtomicBool, Ordering};

use super::claimer::LeasedStep;
use super::throttle::Throttle;
use crate::platform::{RequestGuard, Withheld};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::later;
use ferry_types::domain::submission::StepKind;

/// Guards the requests of one step.
#[derive(Debug)]
pub(super) struct StepGuard<'a> {
    step: &'a LeasedStep,
    throttle: &'a Throttle,
    monotonic: &'a dyn MonotonicClock,
    in_flight: AtomicBool,
    sent: AtomicBool,
}

impl<'a> StepGuard<'a> {
    pub(super) fn new(
        step: &'a LeasedStep,
        throttle: &'a Throttle,
        monotonic: &'a dyn MonotonicClock,
    ) -> Self {
        Self {
            step,
            throttle,
            monotonic,
            in_flight: AtomicBool::new(false),
            sent: AtomicBool::new(false),
        }
    }

    /// True for an upload that would begin after its deadline, by the clock of the store.
    fn is_too_late(&self) -> bool {
        let claim = &self.step.claim;
        let now = later(claim.now, self.monotonic.elapsed(self.step.claimed));
        claim.kind == StepKind::Upload && now >= claim.submission.deadline
    }

    /// True while a request has left and has no response: it may have arrived.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// True if a request to the Upload API has left, whatever came back.
    pub(super) fn has_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }
}

impl RequestGuard for StepGuard<'_> {
    fn permit(&self) -> Result<(), Withheld> {
        if !self.step.lease.is_owned() {
            return Err(Withheld::LeaseExpired);
        }
        if self.is_too_late() {
            return Err(Withheld::PastDeadline);
        }
        self.throttle.left(self.step.claimed).map_or(Ok(()), |left| Err(Withheld::Throttled(left)))
    }

    fn set_in_flight(&self, in_flight: bool) {
        self.sent.fetch_or(in_flight, Ordering::Relaxed);
        self.in_flight.store(in_flight, Ordering::Relaxed);
    }
}
