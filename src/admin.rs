//! Monitoring of a worker: `/metrics`, `/healthz` and `/readyz`. It knows nothing of submissions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::debug;

use crate::listener::{PatientListener, connection, with_timeout};
use crate::metrics::Metrics;
use crate::readiness::{self, Readiness};
use crate::telemetry::chain;

/// The most connections at once. Each is an open file: monitoring must not leave none for the work.
const CONNECTIONS: usize = 8;

/// Time for a client to send or read, and to be idle.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Shown {
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

/// A server for probes and scrapes.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Binds the address; no connection is accepted yet.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as it is polled: a worker that drains is still monitored.
    pub async fn serve(self, metrics: Arc<Metrics>, readiness: Readiness) {
        let app = Router::new()
            .route("/metrics", get(scrape))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(Shown { metrics, readiness });
        let listener = PatientListener::new(self.listener);
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        // Those beyond the limit wait with the operating system. It ends with the process.
        while let Ok(permit) = connections.clone().acquire_owned().await {
            let (stream, _) = listener.accept().await;
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let stream = with_timeout(stream, CLIENT_TIMEOUT);
                if let Err(error) = connection(stream, service, CLIENT_TIMEOUT).await {
                    debug!("a connection for monitoring ended: {}", chain(&error));
                }
                drop(permit);
            });
        }
    }
}

async fn scrape(State(shown): State<Shown>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shown.metrics.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], text)
}

async fn ready(State(shown): State<Shown>) -> (StatusCode, String) {
    readiness::response(shown.readiness.check().await)
}
