//! Monitoring of a worker: `/metrics`, `/healthz` and `/readyz`. It knows nothing of submissions.

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
use crate::readiness::{self, Readiness};

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
    readiness::response(shown.readiness.check().await)
}
