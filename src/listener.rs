//! Accepts connections, so many at once, and serves each within time limits. What prevents that, such as
//! too many open files, is logged when it begins and when it is over.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures_util::FutureExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, info, warn};

use crate::connections::{Connections, Place};
use crate::paced_stream::PacedStream;
use ferry_types::causes::chain;
use ferry_types::recurring::Recurring;

/// Delay after a connection that could not be accepted.
const DELAY: Duration = Duration::from_millis(100);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// A listener that retries, and accepts so many connections at once.
#[derive(Debug)]
pub struct BoundedListener {
    listener: TcpListener,
    failures: Recurring,
    connections: Arc<Connections>,
    client_timeout: Duration,
}

/// A connection that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Its client has a limited time to read.
    pub stream: PacedStream,
    /// The other end.
    pub peer: SocketAddr,
    /// Its place among those at once.
    pub place: Arc<Place>,
}

impl BoundedListener {
    /// Accepts at most so many of `listener` at once, whose clients have `client_timeout` to send and to
    /// read.
    pub fn new(listener: TcpListener, connections: usize, client_timeout: Duration) -> Self {
        let (failures, connections) = (Recurring::default(), Connections::new(connections));
        Self { listener, failures, connections, client_timeout }
    }

    /// Accepts the next connection, whatever it takes. One waits here until there is a place for it, and
    /// those after it with the operating system.
    pub async fn accept(&self) -> Accepted {
        let (stream, peer) = self.next().await;
        // Responses are whole: there is nothing to wait for.
        let _ = stream.set_nodelay(true);
        let place = self.connections.place(peer.ip()).await;
        Accepted {
            stream: PacedStream::new(stream, self.client_timeout, place.clone()),
            peer,
            place,
        }
    }

    async fn next(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.failures
                        .worked(|failures| info!(failures, "connections are accepted again"));
                    return accepted;
                }
                Err(error) => {
                    self.failures.failed(|| warn!(%error, "cannot accept connections, retrying"));
                    tokio::time::sleep(DELAY).await;
                }
            }
        }
    }

    /// Serves one request of each connection with `router`, for as long as it is polled: the next client
    /// need not wait until another has no more requests.
    pub async fn serve_one_each(self, router: Router) {
        loop {
            let Accepted { stream, place, .. } = self.accept().await;
            let service = service(router.clone(), place.clone(), |_| {});
            let served = builder(self.client_timeout)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let served = async move {
                if let Err(error) = served.await {
                    debug!(error = chain(&error), "a connection ended");
                }
            };
            tokio::spawn(until_closed(place, served));
        }
    }
}

/// Serves a connection to its end, or until it must make room for another.
pub async fn until_closed(place: Arc<Place>, served: impl Future<Output = ()>) {
    tokio::select! {
        () = served => {}
        () = place.closed() => debug!("a connection that waited made room for another"),
    }
}

/// Serves a connection to its end. A client has `client_timeout` to send the head of each request, and may
/// be idle for no longer.
pub fn connection<S, T>(
    stream: S,
    service: T,
    client_timeout: Duration,
) -> http1::Connection<TokioIo<S>, T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    builder(client_timeout).serve_connection(TokioIo::new(stream), service)
}

fn builder(client_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(client_timeout).max_buf_size(LARGEST_HEAD);
    builder
}

/// The router for a connection at `place`, and for requests as `prepare` makes them.
pub fn service(
    router: Router,
    place: Arc<Place>,
    prepare: impl Fn(&mut Request<Body>) + Send,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Send {
    let router = TowerToHyperService::new(router);
    service_fn(move |request: Request<Incoming>| {
        let busy = place.busy();
        let mut request = request.map(|body| busy.arriving(body));
        prepare(&mut request);
        let mut response = Box::pin(router.call(request));
        // The request begins now: a client that resets its connection at once is served all the same.
        let first = (&mut response).now_or_never();
        async move {
            let response = match first {
                Some(response) => response,
                None => response.await,
            };
            response.map(|response| busy.until_sent(response))
        }
    })
}
