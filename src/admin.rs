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
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tracing::debug;

use crate::connections::Connections;
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
        let connections = Connections::new(CONNECTIONS);
        loop {
            let (stream, peer) = listener.accept().await;
            let place = connections.place(peer.ip()).await;
            let router = TowerToHyperService::new(app.clone());
            let of = place.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let (busy, response) = (of.busy(), router.call(request));
                async move { response.await.map(|response| busy.until_sent(response)) }
            });
            tokio::spawn(async move {
                let stream = with_timeout(stream, CLIENT_TIMEOUT);
                tokio::select! {
                    ended = connection(stream, service, CLIENT_TIMEOUT) => if let Err(error) = ended {
                        debug!(error = chain(&error), "a connection for monitoring ended");
                    },
                    () = place.closed() => debug!("an idle connection made room for another"),
                }
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
