//! The workers of a process as futures with names, and what runs their steps. They know nothing of who
//! polls them.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};

use super::claimer::{Claimer, LeasedStep};
use super::committer::Committer;
use super::executor::{Executor, ExecutorParts};
use super::housekeeping::Housekeeping;
use super::leases::Leases;
use super::metrics::WorkerMetrics;
use super::observer::StepObserver;
use super::policy::Policy;
use super::pushed::PushedIntake;
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::shutdown::Shutdown;
use crate::traces::Traces;
use crate::webhook::Webhooks;
use ferry_store::{LimitsByAccount, Store};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::submission::StepKind;

/// The workers of a process, before they are made.
#[derive(Debug)]
pub struct Workers {
    /// The store with the steps.
    pub store: Arc<dyn Store>,
    /// One client for each account.
    pub platforms: Vec<Platform>,
    /// Delivers outcomes.
    pub webhooks: Webhooks,
    /// The kinds of steps to run.
    pub kinds: Vec<StepKind>,
    /// Durations and limits.
    pub policy: Policy,
    /// The intake queue, if there is one.
    pub pushed: Option<PushedIntake>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The destination of traces.
    pub traces: Traces,
    /// Measures durations.
    pub monotonic: Arc<dyn MonotonicClock>,
    /// Stops them.
    pub shutdown: Shutdown,
    /// Makes the delays of this process different from those of others.
    pub seed: u64,
}

/// The parts of the workers of a process. Each future is to be polled.
pub struct WorkerParts {
    /// Runs each step that a queue yields.
    pub executor: Arc<Executor>,
    /// One for each kind of step.
    pub queues: Vec<StepQueue>,
    /// Commits the outcomes of steps. Ends when the executor is dropped and all is committed.
    pub committer: BoxFuture<'static, ()>,
    /// Renews the leases of running steps. Never ends.
    pub renewal: BoxFuture<'static, ()>,
    /// Rescues the steps of lost workers, and removes what is older than the retention. Never ends.
    pub housekeeping: BoxFuture<'static, ()>,
    /// Accepts requests of the intake queue, if there is one. Never ends.
    pub intake: Option<BoxFuture<'static, ()>>,
}

/// The due steps of one kind.
pub struct StepQueue {
    /// The kind.
    pub kind: StepKind,
    /// Claims steps. Ends after [`StepQueue::stop`].
    pub claimer: BoxFuture<'static, ()>,
    /// The claimed steps, each with its slot.
    pub steps: mpsc::Receiver<LeasedStep>,
    stop: Shutdown,
}

impl StepQueue {
    /// Claims nothing more.
    pub fn stop(&self) {
        self.stop.drain();
    }
}

impl Workers {
    /// The same without webhooks, which wait for another process: this one may not have their secret.
    #[must_use]
    pub fn without_deliveries(self) -> Self {
        Self { kinds: StepKind::PLATFORM_KINDS.into(), ..self }
    }

    /// Makes the workers.
    pub fn parts(self) -> WorkerParts {
        let leases = Leases::new(self.policy.lease, self.monotonic.clone());
        let account_limits: LimitsByAccount = Arc::new(
            self.platforms.iter().map(|p| (p.account().to_owned(), p.account_limits())).collect(),
        );
        let queues = self.kinds.iter().map(|kind| self.queue(*kind, &leases, &account_limits));
        let queues: Vec<StepQueue> = queues.collect();
        let (committer, committing) = Committer::new(self.store.clone(), self.monotonic.clone());
        let (renewing, monotonic) = (self.store.clone(), self.monotonic.clone());
        let housekeeping = Housekeeping {
            store: self.store.clone(),
            policy: self.policy.clone(),
            metrics: self.metrics.of(),
            monotonic: monotonic.clone(),
        };
        let shutdown = self.shutdown.clone();
        let intake = self.pushed.map(|pushed| {
            let accept = async move { pushed.run(&shutdown, monotonic.as_ref()).await };
            Box::pin(accept) as BoxFuture<'static, ()>
        });
        let executor = Executor::new(ExecutorParts {
            store: self.store,
            platforms: self.platforms,
            webhooks: self.webhooks,
            policy: self.policy,
            committer,
            observer: StepObserver::new(self.metrics.of(), self.traces),
            monotonic: self.monotonic,
            shutdown: self.shutdown,
            seed: self.seed,
        });
        WorkerParts {
            executor: Arc::new(executor),
            queues,
            committer: Box::pin(committing),
            renewal: Box::pin(async move { leases.renew_forever(renewing.as_ref()).await }),
            housekeeping: Box::pin(housekeeping.run()),
            intake,
        }
    }

    fn queue(&self, kind: StepKind, leases: &Leases, limits: &LimitsByAccount) -> StepQueue {
        let slots = self.policy.concurrency;
        let metrics = self.metrics.of::<WorkerMetrics>();
        metrics.slots.set(kind, slots as f64);
        let (sender, steps) = mpsc::channel(slots);
        let stop = Shutdown::default();
        let claimer = Claimer {
            store: self.store.clone(),
            kind,
            slots: Arc::new(Semaphore::new(slots)),
            lease: self.policy.lease,
            leases: leases.clone(),
            metrics,
            account_limits: limits.clone(),
            monotonic: self.monotonic.clone(),
            sender,
            stop: stop.clone(),
        };
        StepQueue { kind, claimer: Box::pin(claimer.run()), steps, stop }
    }
}

impl fmt::Debug for StepQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepQueue").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for WorkerParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerParts").field("queues", &self.queues).finish_non_exhaustive()
    }
}
