//! Readiness of a process: it can do its work.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::shutdown::Shutdown;
use crate::store_failures::StoreFailures;
use ferry_store::Store;

/// Time within which the store must respond.
const LIMIT: Duration = Duration::from_secs(3);

/// Time for which a response of the store counts, so that probes cost it nothing.
const FRESH: Duration = Duration::from_secs(2);

/// Time for which a write that succeeded counts.
const WRITE_FRESH: Duration = Duration::from_secs(10);

/// Result of a probe, with its time and the number of failures before it.
type Probe = Option<(Instant, u64, Result<(), String>)>;

/// The last responses of the store.
#[derive(Debug, Default)]
struct Probed {
    read: Probe,
    write: Probe,
}

/// Responds to readiness probes.
#[derive(Debug, Clone)]
pub struct Readiness {
    store: Arc<dyn Store>,
    shutdown: Shutdown,
    failures: StoreFailures,
    probed: Arc<Mutex<Probed>>,
}

impl Readiness {
    /// Readiness of a process that uses `store` until `shutdown`, and counts what fails there.
    pub fn new(store: Arc<dyn Store>, shutdown: Shutdown, failures: StoreFailures) -> Self {
        Self { store, shutdown, failures, probed: Arc::default() }
    }

    /// Returns the reason for which the process cannot do its work, if there is one.
    pub async fn check(&self) -> Result<(), String> {
        if self.shutdown.is_draining() {
            return Err("stopping".to_owned());
        }
        // The loss first: a deleted file also fails to be read, and the loss says what to do.
        self.loss()?;
        let mut probed = self.probed.lock().await;
        let read = async { self.store.look().await.map(drop).map_err(|error| error.to_string()) };
        self.refreshed(&mut probed.read, FRESH, read).await?;
        self.loss()?;
        let write = async { self.store.probe_write().await.map_err(|error| error.to_string()) };
        self.refreshed(&mut probed.write, WRITE_FRESH, write).await
    }

    /// Returns what was probed less than `fresh` ago, or probes now; after an error sooner. A success does not
    /// outlast what a request or a worker met since then.
    async fn refreshed(
        &self,
        last: &mut Probe,
        fresh: Duration,
        probe: impl Future<Output = Result<(), String>>,
    ) -> Result<(), String> {
        let failures = self.failures.number();
        if let Some((at, before, result)) = last {
            let is_fresh = match result {
                Ok(()) => at.elapsed() < fresh && *before == failures,
                Err(_) => at.elapsed() < FRESH.min(fresh) / 2,
            };
            if is_fresh {
                return result.clone();
            }
        }
        let late = || Err(format!("the store did not respond within {} s", LIMIT.as_secs()));
        let result = timeout(LIMIT, probe).await.unwrap_or_else(|_| late());
        *last = Some((Instant::now(), failures, result.clone()));
        result
    }

    fn loss(&self) -> Result<(), String> {
        self.store.continuity().loss().map_or(Ok(()), |loss| Err(loss.to_string()))
    }
}

/// The response to a probe.
pub fn response(checked: Result<(), String>) -> (StatusCode, String) {
    match checked {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
