//! Claims the due steps of one kind, as long as there are free slots.
//!
//! A slot is taken before a step is claimed and stays with it until its outcome is committed: nothing
//! piles up in memory, and a claimed step starts at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::{debug, info, warn};

use super::leases::{LeaseGuard, Leases};
use super::metrics::WorkerMetrics;
use crate::metrics::Busy;
use crate::shutdown::Shutdown;
use ferry_store::store_backoff;
use ferry_store::{Claim, ClaimRequest, Claims, LimitsByAccount, Store};
use ferry_types::clock::{MonotonicClock, MonotonicTime};
use ferry_types::domain::later;
use ferry_types::domain::submission::{State, StepKind};

/// With nothing scheduled and without a wake-up, a claimer looks again after this duration.
const IDLE: Duration = Duration::from_mins(1);

/// A leased step with its slot.
#[derive(Debug)]
pub struct LeasedStep {
    /// The step.
    pub claim: Claim,
    pub(super) lease: LeaseGuard,
    /// Time before the claim, from which its lease counts.
    pub(super) claimed: MonotonicTime,
    /// Time after the claim: the store's clock was at `claim.now`, or later.
    pub(super) received: MonotonicTime,
    _slot: OwnedSemaphorePermit,
    _busy: Busy,
}

/// Gives steps back that were not begun. While the store fails that is tried again as long as
/// `is_patient`; then their leases expire instead.
pub(super) async fn release(
    store: &dyn Store,
    claims: Vec<Claim>,
    monotonic: &dyn MonotonicClock,
    is_patient: impl Fn() -> bool,
) {
    let count = claims.len();
    if count == 0 {
        return;
    }
    let mut delays = store_backoff();
    loop {
        match store.release(claims.clone()).await {
            Ok(()) => return info!(count, "released {count} claimed steps"),
            Err(error) if error.is_temporary() && is_patient() => {
                monotonic.sleep(delays.next().unwrap_or_default()).await;
            }
            Err(error) => {
                return warn!(count, %error, "cannot release {count} claimed steps");
            }
        }
    }
}

/// Claims steps of one kind.
#[derive(Debug)]
pub(super) struct Claimer {
    pub(super) store: Arc<dyn Store>,
    pub(super) kind: StepKind,
    pub(super) slots: Arc<Semaphore>,
    pub(super) lease: Duration,
    pub(super) leases: Leases,
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) account_limits: LimitsByAccount,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
    /// With room for as many steps as there are slots.
    pub(super) sender: mpsc::Sender<LeasedStep>,
    pub(super) stop: Shutdown,
}

impl Claimer {
    /// Claims until it is stopped.
    pub(super) async fn run(self) {
        let mut delays = store_backoff();
        while let Some(slots) = self.free_slots().await {
            let full = slots.len();
            self.store.wakeups().watch(self.kind);
            let claimed = self.monotonic.now();
            let request = ClaimRequest {
                kind: self.kind,
                limit: full,
                lease: self.lease,
                account_limits: self.account_limits.clone(),
            };
            match self.store.claim(request).await {
                Ok(claims) => {
                    let received = self.monotonic.now();
                    delays = store_backoff();
                    let idle = claims.claims.len() < full;
                    let (next, now) = (claims.next, claims.now);
                    self.start(claims, slots, claimed, received).await;
                    if idle {
                        let duration = next.unwrap_or(IDLE).clamp(Duration::from_millis(1), IDLE);
                        let (timer, until) = (self.monotonic.sleep(duration), later(now, duration));
                        self.unless_stopped(self.store.wakeups().sleep(self.kind, timer, until))
                            .await;
                    }
                }
                Err(error) => {
                    debug!(%error, "cannot claim `{}` steps, retrying", self.kind);
                    drop(slots);
                    let delay = delays.next().unwrap_or_default();
                    self.unless_stopped(self.monotonic.sleep(delay)).await;
                }
            }
        }
    }

    /// All slots that are free, at least one; none when it is time to stop.
    async fn free_slots(&self) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            biased;
            () = self.stop.draining() => return None,
            slot = self.slots.clone().acquire_owned() => slot.ok()?,
        };
        let mut slots = vec![first];
        while let Ok(slot) = self.slots.clone().try_acquire_owned() {
            slots.push(slot);
        }
        Some(slots)
    }

    async fn start(
        &self,
        claims: Claims,
        slots: Vec<OwnedSemaphorePermit>,
        claimed: MonotonicTime,
        received: MonotonicTime,
    ) {
        for (claim, slot) in claims.claims.into_iter().zip(slots) {
            let lease = self.leases.keep(claim.lease, claimed);
            let busy = self.metrics.busy.hold(self.kind);
            if self.kind == StepKind::Upload {
                self.metrics.transition(State::Queued, State::Uploading);
            }
            let step = LeasedStep { claim, lease, claimed, received, _slot: slot, _busy: busy };
            // There is room: as many slots as places. A closed channel means that the worker is
            // gone without a stop; the leases will run out.
            let _ = self.sender.send(step).await;
        }
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.stop.draining() => {}
            () = wait => {}
        }
    }
}
