//! Reports in the store that this process is there, and what it does: others see which processes run, and
//! which one is silent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tracing::debug;

use crate::pipeline::WorkerMetrics;
use crate::shutdown::Shutdown;
use ferry_store::Store;
use ferry_types::domain::submission::StepKind;
use ferry_types::domain::{Heartbeat, ProcessRole, Slots};

/// Time between two heartbeats.
const INTERVAL: Duration = Duration::from_secs(5);

/// Longest wait of a process that ends for a store that does not respond.
const LAST: Duration = Duration::from_secs(1);

/// The process that sends heartbeats.
#[derive(Debug)]
pub struct Reported {
    /// Its random id.
    pub id: String,
    /// Its roles.
    pub roles: Vec<ProcessRole>,
    /// Accounts whose steps it runs.
    pub accounts: Vec<String>,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Metrics of its workers.
    pub metrics: Arc<WorkerMetrics>,
    /// Stops it.
    pub shutdown: Shutdown,
}

/// Heartbeats that are sent until the process ends.
#[derive(Debug)]
pub struct Heartbeats {
    store: Arc<dyn Store>,
    id: String,
    task: JoinHandle<()>,
}

impl Heartbeats {
    /// Sends heartbeats from now on.
    pub fn begin(process: Reported) -> Self {
        let (store, id) = (process.store.clone(), process.id.clone());
        Self { store, id, task: tokio::spawn(process.beat_on()) }
    }

    /// Sends no more, and removes the process from the list.
    pub async fn end(self) {
        self.task.abort();
        // What it has sent already comes before the end.
        let _ = self.task.await;
        match tokio::time::timeout(LAST, self.store.end_process(&self.id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "the end of the process could not be reported"),
            Err(_) => debug!("the end of the process could not be reported in time"),
        }
    }
}

impl Reported {
    async fn beat_on(self) {
        let started = Instant::now();
        let runs_steps = self.roles.contains(&ProcessRole::Worker);
        let heartbeat = Heartbeat {
            id: self.id.clone(),
            roles: self.roles.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: host(),
            pid: std::process::id(),
            interval_seconds: INTERVAL.as_secs(),
            ..Heartbeat::default()
        };
        let accounts = self.accounts.iter().filter(|_| runs_steps).cloned();
        let heartbeat = heartbeat.of_accounts(accounts);
        loop {
            let is_stopping = self.shutdown.is_draining();
            let beat = self.store.beat(Heartbeat {
                uptime_seconds: started.elapsed().as_secs(),
                is_stopping,
                slots: if runs_steps { self.slots() } else { BTreeMap::new() },
                ..heartbeat.clone()
            });
            if let Err(error) = beat.await {
                debug!(%error, "a heartbeat could not be saved");
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.shutdown.draining(), if !is_stopping => {}
            }
        }
    }

    fn slots(&self) -> BTreeMap<StepKind, Slots> {
        let slots = |kind| {
            let count = |value: f64| value as u64;
            let slots = count(self.metrics.slots.get(kind));
            (kind, Slots { slots, running: count(self.metrics.busy.get(kind)) })
        };
        StepKind::ALL.into_iter().map(slots).filter(|(_, slots)| slots.slots > 0).collect()
    }
}

/// Name of this machine, container or pod; empty if it has none.
fn host() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    host.to_string_lossy().into_owned()
}
