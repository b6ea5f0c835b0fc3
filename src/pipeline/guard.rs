//! The guard of a step: its requests leave only while its lease is owned, its account is not throttled
//! and the process does not end, and an upload only before its deadline.

use std::sync::atomic::{AtomicBool, Ordering};

use super::leases::LeaseGuard;
use super::throttle::Throttle;
use crate::platform::{RequestGuard, Withheld};
use crate::shutdown::Shutdown;
use ferry_store::Claim;
use ferry_types::clock::{MonotonicClock, MonotonicTime};
use ferry_types::domain::submission::{LastRequest, StepKind};
use ferry_types::domain::{Timestamp, later};

/// Guards the requests of one step.
#[derive(Debug)]
pub(super) struct StepGuard<'a> {
    pub(super) claim: &'a Claim,
    pub(super) lease: &'a LeaseGuard,
    /// Time before the claim.
    pub(super) claimed: MonotonicTime,
    pub(super) throttle: &'a Throttle,
    pub(super) monotonic: &'a dyn MonotonicClock,
    pub(super) shutdown: &'a Shutdown,
    pub(super) requests: RequestState,
}

/// Requests of a step, so far.
#[derive(Debug, Default)]
pub(super) struct RequestState {
    in_flight: AtomicBool,
    sent: AtomicBool,
}

impl StepGuard<'_> {
    /// True for an upload that might begin after its deadline, by the clock of the store.
    fn is_too_late(&self) -> bool {
        let now = later(self.claim.now, self.monotonic.elapsed(self.claimed));
        self.claim.kind == StepKind::Upload && now >= self.claim.submission.deadline
    }

    /// True while a request has left and has no response: it may have arrived.
    pub(super) fn is_in_flight(&self) -> bool {
        self.requests.in_flight.load(Ordering::Relaxed)
    }

    /// True if a request to the Upload API has left, whatever came back.
    pub(super) fn has_sent(&self) -> bool {
        self.requests.sent.load(Ordering::Relaxed)
    }

    /// The request that was sent last, if any was, with the text of its response.
    pub(super) fn last_request(&self, at: Timestamp, response: &str) -> Option<LastRequest> {
        let at = self.claim.store_time(at);
        self.has_sent().then(|| LastRequest::new(at, self.claim.kind, response))
    }
}

impl RequestGuard for StepGuard<'_> {
    fn permit(&self) -> Result<(), Withheld> {
        // What the aborted steps leave behind, such as memory, may wake one that has not been aborted yet.
        if self.shutdown.is_aborting() {
            return Err(Withheld::Aborted);
        }
        // Aborted later, an upload may still arrive: before another worker has its name.
        let is_owned = match self.claim.kind {
            StepKind::Upload => self.lease.is_owned_for_long(),
            _ => self.lease.is_owned(),
        };
        if !is_owned {
            return Err(Withheld::LeaseExpired);
        }
        if self.is_too_late() {
            return Err(Withheld::PastDeadline);
        }
        self.throttle.left(self.claimed).map_or(Ok(()), |left| Err(Withheld::Throttled(left)))
    }

    fn set_in_flight(&self, in_flight: bool) {
        self.requests.sent.fetch_or(in_flight, Ordering::Relaxed);
        self.requests.in_flight.store(in_flight, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;
    use crate::pipeline::leases::Leases;
    use ferry_store::{ClaimId, Lease};
    use ferry_types::clock::Sleep;
    use ferry_types::domain::submission::SubmissionParts;
    use ferry_types::domain::{SubmissionId, timestamp};

    const LEASE: Duration = Duration::from_secs(15);
    const MILLI: Duration = Duration::from_millis(1);

    /// A clock that a test sets.
    #[derive(Debug, Default)]
    struct SetClock(Mutex<Duration>);

    impl MonotonicClock for SetClock {
        fn now(&self) -> MonotonicTime {
            MonotonicTime::after_origin(*self.0.lock())
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::pending())
        }
    }

    /// Verdict of a guard, `since` after the claim of its step.
    fn permitted(kind: StepKind, deadline: Duration, since: Duration) -> Result<(), Withheld> {
        permitted_by(&Shutdown::default(), kind, deadline, since)
    }

    fn permitted_by(
        shutdown: &Shutdown,
        kind: StepKind,
        deadline: Duration,
        since: Duration,
    ) -> Result<(), Withheld> {
        let clock = Arc::new(SetClock::default());
        let now = timestamp(0);
        let id = SubmissionId::new(now, 1);
        let parts = SubmissionParts {
            deadline: later(now, deadline),
            ..SubmissionParts::accepted(id, "main", "march", now)
        };
        let lease = Lease { id, kind, fence: 1, claimed_by: ClaimId::default() };
        let (lag, offset, name_mark) = (Duration::ZERO, 0, None);
        let claim = Claim { lease, kind, submission: parts.into(), name_mark, now, offset, lag };
        let (claimed, throttle) = (clock.now(), Throttle::new(clock.clone()));
        let lease = Leases::new(LEASE, clock.clone()).keep(lease, claimed);
        *clock.0.lock() = since;
        let (claim, lease, throttle, monotonic) = (&claim, &lease, &throttle, clock.as_ref());
        let requests = RequestState::default();
        StepGuard { claim, lease, claimed, throttle, monotonic, shutdown, requests }.permit()
    }

    #[test]
    fn no_request_of_any_step_leaves_a_process_that_ends() {
        let shutdown = Shutdown::default();
        shutdown.drain();
        let permitted = |kind| permitted_by(&shutdown, kind, LEASE * 2, Duration::from_millis(1));
        assert!(StepKind::PLATFORM_KINDS.into_iter().all(|kind| permitted(kind).is_ok()));
        shutdown.abort();
        for kind in StepKind::PLATFORM_KINDS {
            assert_eq!(permitted(kind), Err(Withheld::Aborted));
        }
    }

    #[test]
    fn no_request_of_any_step_leaves_once_its_lease_is_over() {
        for kind in StepKind::PLATFORM_KINDS {
            let last = if kind == StepKind::Upload {
                LEASE * 2 / 3
            } else {
                Duration::from_millis(14_999)
            };
            assert_eq!(permitted(kind, LEASE * 2, last), Ok(()));
            assert_eq!(permitted(kind, LEASE * 2, last + MILLI), Err(Withheld::LeaseExpired));
        }
    }

    #[test]
    fn work_ends_with_its_lease_although_no_timer_has_ended() {
        let clock = Arc::new(SetClock::default());
        let id = SubmissionId::new(timestamp(0), 1);
        let (kind, claimed_by) = (StepKind::Upload, ClaimId::default());
        let lease = Lease { id, kind, fence: 1, claimed_by };
        let lease = Leases::new(LEASE, clock.clone()).keep(lease, clock.now());
        let mut work = pin!(lease.while_owned(std::future::pending::<()>()));
        let mut poll = || work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll(), Poll::Pending);
        *clock.0.lock() = LEASE;
        assert_eq!(poll(), Poll::Ready(None));
    }

    #[test]
    fn only_an_upload_has_to_leave_before_its_deadline() {
        for (kind, permit) in [
            (StepKind::Upload, Err(Withheld::PastDeadline)),
            (StepKind::Poll, Ok(())),
            (StepKind::Collect, Ok(())),
        ] {
            assert_eq!(permitted(kind, LEASE / 3, LEASE / 3), permit, "{kind:?}");
        }
    }
}
