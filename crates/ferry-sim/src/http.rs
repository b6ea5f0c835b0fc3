//! The simulated Platform over HTTP: requests become plain data for the world, and faults happen to
//! the responses on their way.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::config::SimConfig;
use super::connection::{AbortableConnections, Breaker, RAW_LINES};
use super::exchange::{self, Delivery, Exchange};
use super::responses::{broken, cut, enormous, slow, whole};
use super::time::later;
use super::world::World;

/// A world, and the clock that it is handed.
pub(super) struct Service {
    world: Mutex<World>,
    max_upload_bytes: usize,
    latency: Duration,
    has_raw_lines: bool,
    started: (DateTime<Utc>, Instant),
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

pub(super) async fn serve(listener: AbortableConnections, service: Arc<Service>) {
    let app = Router::new().fallback(respond).with_state(service);
    let app = app.into_make_service_with_connect_info::<Breaker>();
    // It ends with the task.
    let _ = axum::serve(listener, app).await;
}

async fn respond(
    State(service): State<Arc<Service>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request,
) -> Response<Body> {
    if request.method() == Method::GET {
        match request.uri().path() {
            "/healthz" => return Response::new(Body::from("ok\n")),
            "/ledger" => return json(service.world().ledger()),
            "/ledger/requests" => {
                return json(&service.world().requests().collect::<Vec<_>>());
            }
            _ => {}
        }
    }
    let request = plain(request, &breaker, service.max_upload_bytes).await;
    let exchange = service.world().carry_out(service.now(), &request);
    let mut response = deliver(&service, exchange, &breaker).await;
    if service.has_raw_lines {
        response.headers_mut().insert(RAW_LINES, HeaderValue::from_static("here"));
    }
    response
}

/// The response as it travels.
async fn deliver(service: &Arc<Service>, exchange: Exchange, breaker: &Breaker) -> Response<Body> {
    match exchange.delivery {
        Delivery::Broken => broken(breaker),
        Delivery::Cut => cut(exchange.response),
        Delivery::Enormous(bytes) => enormous(bytes),
        Delivery::Slow(delay) => {
            let service = service.clone();
            let response = exchange.response.clone();
            slow(response, delay, move || service.world().delivered(&exchange))
        }
        // The client may not wait so long: only then the response has reached it.
        Delivery::Late(delay) => {
            tokio::time::sleep(delay).await;
            service.world().delivered(&exchange);
            whole(exchange.response)
        }
        Delivery::Whole => {
            if !service.latency.is_zero() {
                tokio::time::sleep(service.latency).await;
            }
            service.world().delivered(&exchange);
            whole(exchange.response)
        }
    }
}

impl Service {
    pub(super) fn new(config: SimConfig, has_raw_lines: bool) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the Platform has a clock of its own")]
        let now = DateTime::from(SystemTime::now());
        Self {
            max_upload_bytes: config.max_upload_bytes,
            latency: config.latency,
            has_raw_lines,
            started: (now, Instant::now()),
            world: Mutex::new(World::new(config)),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }

    /// The time, which never goes back.
    pub(super) fn now(&self) -> DateTime<Utc> {
        let (time, instant) = self.started;
        later(time, instant.elapsed())
    }
}

/// The request as plain data.
async fn plain(request: Request, breaker: &Breaker, limit: usize) -> exchange::Request {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    exchange::Request {
        caller: breaker.peer(),
        method: parts.method.to_string(),
        target,
        headers: plain_headers(&parts.headers),
        body: read(body, limit).await,
    }
}

fn plain_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// A body, and of one that is too long just so much that it is. The rest is read all the same: a
/// client that is cut off while it sends may never see the response.
async fn read(body: Body, limit: usize) -> Vec<u8> {
    let mut stream = body.into_data_stream();
    let mut read = Vec::new();
    while let Some(Ok(chunk)) = stream.next().await {
        let room = (limit + 1).saturating_sub(read.len());
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    read
}

fn json(value: &impl Serialize) -> Response<Body> {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = serde_json::to_vec(value).expect("it has a JSON form");
    whole(exchange::Response { status: 200, headers, body })
}
