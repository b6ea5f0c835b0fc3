//! What a worker shows to those who watch over it: `/metrics`, `/healthz` and `/readyz`. It knows
//! nothing of submissions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::listener::PatientListener;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use ferry_store::Store;

#[derive(Debug, Clone)]
struct Shown {
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    store: Arc<dyn Store>,
}

/// A server for probes and scrapes.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Takes the address; nothing is answered yet.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for as long as it is polled: a worker that drains is still watched.
    pub async fn serve(self, metrics: Arc<Metrics>, shutdown: Shutdown, store: Arc<dyn Store>) {
        let app = Router::new()
            .route("/metrics", get(scrape))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(Shown { metrics, shutdown, store });
        // It ends with the process.
        let _ = axum::serve(PatientListener::new(self.listener), app).await;
    }
}

async fn scrape(State(shown): State<Shown>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shown.metrics.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], text)
}

async fn ready(State(shown): State<Shown>) -> (StatusCode, String) {
    readiness(&shown.shutdown, shown.store.as_ref())
}

/// Answers a readiness probe: 503 with the reason while the process stops, or while data that its store lost is
/// neither acknowledged nor back.
pub(crate) fn readiness(shutdown: &Shutdown, store: &dyn Store) -> (StatusCode, String) {
    if shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match store.continuity().loss() {
        Some(loss) => (StatusCode::SERVICE_UNAVAILABLE, format!("{loss}\n")),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}
