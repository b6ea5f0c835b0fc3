//! The guard of a step: its requests leave only while its lease is owned and its account is not
//! throttled.

use std::sync::atomic::{AtomicBool, Ordering};

use super::claimer::LeasedStep;
use super::throttle::Throttle;
use crate::platform::{RequestGuard, Withheld};

/// Guards the requests of one step.
#[derive(Debug)]
pub(super) struct StepGuard<'a> {
    step: &'a LeasedStep,
    throttle: &'a Throttle,
    in_flight: AtomicBool,
}

impl<'a> StepGuard<'a> {
    pub(super) fn new(step: &'a LeasedStep, throttle: &'a Throttle) -> Self {
        Self { step, throttle, in_flight: AtomicBool::new(false) }
    }

    /// True while a request has left and has no response: it may have arrived.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl RequestGuard for StepGuard<'_> {
    fn permit(&self) -> Result<(), Withheld> {
        if !self.step.lease.is_owned() {
            return Err(Withheld::LeaseExpired);
        }
        self.throttle.left(self.step.claimed).map_or(Ok(()), |left| Err(Withheld::Throttled(left)))
    }

    fn set_in_flight(&self, in_flight: bool) {
        self.in_flight.store(in_flight, Ordering::Relaxed);
    }
}
