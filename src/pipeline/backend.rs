//! The apalis backend over the store, for every kind of step: it yields leased steps as long as
//! there are free slots.
//!
//! A task of its own claims, so that claiming never waits for handlers, nor they for it. A slot is
//! taken before a step is claimed and travels with it until its outcome is recorded: nothing piles
//! up in memory, and a claimed step starts at once.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use apalis::prelude::{Backend, Identity, Task, WorkerContext};
use apalis_core::backend::BackendConfig;
use apalis_core::backend::finalize::Ephemeral;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::leases::{LeaseGuard, Leases};
use crate::metrics::{Busy, Metrics};
use crate::shutdown::Shutdown;
use ferry_store::{Claim, ClaimRequest, Claims, LimitsByAccount, Store};
use ferry_types::domain::later;
use ferry_types::domain::submission::{State, StepKind};

/// With nothing scheduled and nobody to wake it, a claimer looks again after this long.
const IDLE: Duration = Duration::from_mins(1);

/// A leased step with its slot.
#[derive(Debug)]
pub(crate) struct LeasedStep {
    pub(crate) claim: Claim,
    pub(crate) lease: LeaseGuard,
    /// When it was claimed: the store's clock goes on from `claim.now`.
    pub(crate) claimed: Instant,
    _slot: OwnedSemaphorePermit,
    _busy: Busy,
}

/// Yields the due steps of one kind.
pub(crate) struct StepBackend {
    store: Arc<dyn Store>,
    steps: mpsc::Receiver<LeasedStep>,
    claimer: JoinHandle<()>,
    stop: Shutdown,
    releasing: Option<BoxFuture<'static, ()>>,
}

impl StepBackend {
    /// Starts to claim steps of `kind`, at most `slots` at once.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        kind: StepKind,
        slots: usize,
        lease: Duration,
        leases: Leases,
        metrics: Arc<Metrics>,
        account_limits: LimitsByAccount,
    ) -> Self {
        metrics.slots(kind, slots);
        let (sender, steps) = mpsc::channel(slots);
        let stop = Shutdown::default();
        let claimer = Claimer {
            store: store.clone(),
            kind,
            slots: Arc::new(Semaphore::new(slots)),
            lease,
            leases,
            metrics,
            account_limits,
            sender,
            stop: stop.clone(),
        };
        Self { store, steps, claimer: tokio::spawn(claimer.run()), stop, releasing: None }
    }
}

impl Backend for StepBackend {
    type Task = Task<LeasedStep>;
    // The claimer deals with the store's troubles: an error here would end the apalis worker.
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.steps.poll_recv(cx).map(|step| step.map(|step| Ok(Task::new(step))))
    }

    /// Gives back what was claimed and not begun.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        if self.releasing.is_none() {
            self.stop.drain();
            // A claim under way is awaited: dropped, its steps would be lost until their leases end.
            let _ = ready!(Pin::new(&mut self.claimer).poll(cx));
            let mut claims = Vec::new();
            while let Ok(step) = self.steps.try_recv() {
                claims.push(step.claim);
            }
            self.releasing = Some(Box::pin(release(self.store.clone(), claims)));
        }
        if let Some(releasing) = &mut self.releasing {
            ready!(releasing.as_mut().poll(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Gives steps back that were not begun. If that fails, their leases run out instead.
pub(crate) async fn release(store: Arc<dyn Store>, claims: Vec<Claim>) {
    let count = claims.len();
    if count == 0 {
        return;
    }
    match store.release(claims).await {
        Ok(()) => info!(steps = count, "gave {count} claimed steps back"),
        Err(error) => warn!(steps = count, "could not give {count} claimed steps back: {error}"),
    }
}

impl BackendConfig for StepBackend {
    type Args = LeasedStep;
    type Id = ();
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Self::Layer {
        Identity::new()
    }
}

struct Claimer {
    store: Arc<dyn Store>,
    kind: StepKind,
    slots: Arc<Semaphore>,
    lease: Duration,
    leases: Leases,
    metrics: Arc<Metrics>,
    account_limits: LimitsByAccount,
    sender: mpsc::Sender<LeasedStep>,
    stop: Shutdown,
}

impl Claimer {
    async fn run(self) {
        let mut failures = 0_u32;
        while let Some(slots) = self.free_slots().await {
            let full = slots.len();
            self.store.wakeups().watch(self.kind);
            let claimed = Instant::now();
            let request = ClaimRequest {
                kind: self.kind,
                limit: full,
                lease: self.lease,
                account_limits: self.account_limits.clone(),
            };
            match self.store.claim(request).await {
                Ok(claims) => {
                    if failures > 0 {
                        info!(failures, "`{}` steps can be claimed again", self.kind);
                    }
                    failures = 0;
                    let idle = claims.claims.len() < full;
                    let (next, now) = (claims.next, claims.now);
                    self.start(claims, slots, claimed).await;
                    if idle {
                        let duration = next.unwrap_or(IDLE).clamp(Duration::from_millis(1), IDLE);
                        let sleep =
                            self.store.wakeups().sleep(self.kind, duration, later(now, duration));
                        self.unless_stopped(sleep).await;
                    }
                }
                Err(error) => {
                    if failures == 0 {
                        warn!("cannot claim `{}` steps, retrying: {error}", self.kind);
                    }
                    failures = failures.saturating_add(1);
                    drop(slots);
                    let delay = Duration::from_millis(50 << failures.min(5));
                    self.unless_stopped(tokio::time::sleep(delay)).await;
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

    async fn start(&self, claims: Claims, slots: Vec<OwnedSemaphorePermit>, claimed: Instant) {
        for (claim, slot) in claims.claims.into_iter().zip(slots) {
            let lease = self.leases.keep(claim.lease, claimed);
            let busy = self.metrics.busy(self.kind);
            if self.kind == StepKind::Upload {
                self.metrics.transition(State::Queued, State::Uploading);
            }
            let step = LeasedStep { claim, lease, claimed, _slot: slot, _busy: busy };
            // There is room: as many slots as places. A closed channel means that the worker is
            // gone without a stop; the leases will run out.
            let _ = self.sender.send(step).await;
        }
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) {
        tokio::select! {
            () = self.stop.draining() => {}
            () = wait => {}
        }
    }
}
