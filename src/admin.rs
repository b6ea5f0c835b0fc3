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

use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

#[derive(Debug, Clone)]
struct Shown {
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
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
    pub async fn serve(self, metrics: Arc<Metrics>, shutdown: Shutdown) {
        let app = Router::new()
            .route("/metrics", get(scrape))
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(Shown { metrics, shutdown });
        // It ends with the process.
        let _ = axum::serve(self.listener, app).await;
    }
}

async fn scrape(State(shown): State<Shown>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shown.metrics.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], text)
}

async fn ready(State(shown): State<Shown>) -> (StatusCode, &'static str) {
    if shown.shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    (StatusCode::OK, "ready\n")
}
