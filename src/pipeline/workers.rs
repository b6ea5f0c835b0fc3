//! Runs the workers of a process: one apalis worker for each kind of step, the renewal of leases,
//! and the housekeeping of the store.

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::{Monitor, ParallelizeExt, WorkerBuilder};
use tracing::{debug, error, info, warn};

use super::backend::{LeasedStep, StepBackend};
use super::committer::Committer;
use super::executor::{Clients, Executor};
use super::leases::Leases;
use super::policy::Policy;
use super::pushed::PushedIntake;
use crate::metrics::Metrics;
use crate::platform::Platform;
use crate::shutdown::Shutdown;
use crate::traces::Traces;
use crate::webhook::Webhooks;
use ferry_store::{LimitsByAccount, Rescued, Store, StoreError};
use ferry_types::domain::submission::StepKind;

/// Time for the last outcomes of a process that was asked to end at once.
const LAST_OUTCOMES: Duration = Duration::from_secs(5);

/// What the workers of a process are made of.
#[derive(Debug)]
pub struct Workers {
    /// Where the steps come from.
    pub store: Arc<dyn Store>,
    /// One client for each account.
    pub platforms: Vec<Platform>,
    /// What tells outcomes.
    pub webhooks: Webhooks,
    /// How patient to be.
    pub policy: Policy,
    /// Where other services push requests, if they may.
    pub pushed: Option<PushedIntake>,
    /// What to count in.
    pub metrics: Arc<Metrics>,
    /// Where their traces go.
    pub traces: Traces,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Spreads the delays of this run.
    pub seed: u64,
}

/// The workers ended in a way that was not asked for.
#[derive(Debug, thiserror::Error)]
#[error("the workers ended: {0}")]
pub struct WorkersError(String);

impl Workers {
    /// Carries submissions until the shutdown drains: then what is claimed and not begun is given
    /// back, and what runs has the policy's shutdown timeout to end.
    pub async fn run(self) -> Result<(), WorkersError> {
        let leases = Leases::new(self.policy.lease);
        let account_limits: LimitsByAccount = Arc::new(
            self.platforms.iter().map(|p| (p.account().to_owned(), p.account_limits())).collect(),
        );
        let (committer, recording) = Committer::start(self.store.clone());
        let steps = Executor::new(
            self.store.clone(),
            Clients { platforms: self.platforms, webhooks: self.webhooks },
            self.policy.clone(),
            committer,
            self.metrics.clone(),
            self.shutdown.clone(),
            self.seed,
        );
        let steps = Arc::new(steps.with_traces(self.traces.clone()));
        let mut monitor = Monitor::new();
        for kind in StepKind::ALL {
            let backend = StepBackend::start(
                self.store.clone(),
                kind,
                self.policy.concurrency,
                self.policy.lease,
                leases.clone(),
                self.metrics.clone(),
                account_limits.clone(),
            );
            monitor = register(monitor, kind, backend, steps.clone());
        }
        drop(steps);
        let signal = {
            let shutdown = self.shutdown.clone();
            async move {
                shutdown.draining().await;
                Ok(())
            }
        };
        let background = async {
            tokio::join!(
                leases.renew_forever(self.store.as_ref()),
                keep_house(self.store.as_ref(), &self.policy, &self.metrics),
                abort_late(&self.shutdown, self.policy.shutdown_timeout),
                take_in(self.pushed.as_ref(), &self.shutdown),
            )
        };
        let ended = tokio::select! {
            ended = monitor.run_with_signal(signal) => ended,
            _ = background => unreachable!("the renewal of leases never ends"),
            () = too_late(&self.shutdown) => {
                error!("ended with outcomes that the store did not record: their leases run out");
                return Ok(());
            }
        };
        // Every step has handed over its outcome; what is recorded last is recorded too.
        let recorded = recording.await;
        ended.map_err(|error| WorkersError(error.to_string()))?;
        recorded.map_err(|error| WorkersError(error.to_string()))
    }
}

fn register(
    monitor: Monitor,
    kind: StepKind,
    backend: StepBackend,
    steps: Arc<Executor>,
) -> Monitor {
    // apalis asks a factory for a worker, once: its backend never fails, so it is never restarted.
    let parts = std::sync::Mutex::new(Some((backend, steps)));
    monitor.register(move |_| {
        let mut parts = parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (backend, steps) = parts.take().expect("a worker whose backend never fails runs once");
        WorkerBuilder::new(kind.as_str()).backend(backend).parallelize(tokio::spawn).build(
            move |step: LeasedStep| {
                let steps = steps.clone();
                async move { steps.run(step).await }
            },
        )
    })
}

/// Rescues steps of workers that are gone, and removes what is older than the retention.
async fn keep_house(store: &dyn Store, policy: &Policy, metrics: &Metrics) {
    let mut failing = false;
    loop {
        match keep_house_once(store, policy, metrics).await {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                warn!("housekeeping failed, retrying: {error}");
            }
            Err(_) => {}
        }
        tokio::time::sleep((policy.lease / 3).max(Duration::from_millis(10))).await;
    }
}

async fn keep_house_once(
    store: &dyn Store,
    policy: &Policy,
    metrics: &Metrics,
) -> Result<(), StoreError> {
    let rescued = rescue_all(store).await?;
    metrics.rescued(rescued.due);
    if rescued.due > 0 {
        info!(steps = rescued.due, "{} steps of a lost worker are due again", rescued.due);
    }
    if rescued.held > 0 {
        error!(
            submissions = rescued.held,
            "held {} submissions whose step crashed its worker again and again", rescued.held
        );
    }
    let mut removed = 0;
    loop {
        let swept = store.sweep(policy.retention).await?;
        removed += swept;
        if swept == 0 {
            break;
        }
    }
    if removed > 0 {
        debug!(submissions = removed, "removed {removed} submissions past their retention");
    }
    Ok(())
}

/// A call of the store rescues a few hundred at most; a lost worker may have held more.
async fn rescue_all(store: &dyn Store) -> Result<Rescued, StoreError> {
    let mut all = Rescued::default();
    loop {
        let rescued = store.rescue().await?;
        all.due += rescued.due;
        all.held += rescued.held;
        all.cancelled += rescued.cancelled;
        if rescued == Rescued::default() {
            return Ok(all);
        }
    }
}

async fn take_in(pushed: Option<&PushedIntake>, shutdown: &Shutdown) {
    if let Some(pushed) = pushed {
        pushed.run(shutdown).await;
    }
}

/// A store that does not come back must not keep a stopped process from ending.
async fn too_late(shutdown: &Shutdown) {
    shutdown.aborting().await;
    tokio::time::sleep(LAST_OUTCOMES).await;
}

async fn abort_late(shutdown: &Shutdown, timeout: Duration) {
    shutdown.draining().await;
    tokio::time::sleep(timeout).await;
    shutdown.abort();
}
