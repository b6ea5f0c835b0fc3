//! Monitoring of a worker: `/metrics`, `/healthz` and `/readyz`. It knows nothing of submissions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::listener::BoundedListener;
use crate::metrics::Metrics;
use crate::network::names_this_machine;
use crate::readiness::{self, Readiness};

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
        // A web page whose name was made to lead here reads nothing.
        let is_local = self.address.ip().is_loopback();
        let app = if is_local { app.layer(from_fn(for_this_machine)) } else { app };
        let listener = BoundedListener::new(self.listener, CONNECTIONS, CLIENT_TIMEOUT);
        listener.serve_one_each(app).await;
    }
}

/// Browsers name the machine that they mean, and only some simple probes do not.
async fn for_this_machine(request: Request, next: Next) -> Response {
    if !request.headers().contains_key(header::HOST) || names_this_machine(&request) {
        return next.run(request).await;
    }
    let what = "this address accepts only requests to `localhost` or a loopback address, as the \
                header `Host` names it\n";
    (StatusCode::FORBIDDEN, what).into_response()
}

async fn scrape(State(shown): State<Shown>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let (content_type, text) = shown.metrics.scrape(accept);
    ([(header::CONTENT_TYPE, content_type)], text)
}

async fn ready(State(shown): State<Shown>) -> (StatusCode, String) {
    readiness::response(shown.readiness.check().await)
}
