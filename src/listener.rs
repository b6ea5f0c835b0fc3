//! Accepts connections, and serves each within time limits. What prevents that, such as too many open
//! files, is logged when it begins and when it is over.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tracing::{info, warn};

use crate::paced_stream::PacedStream;
use ferry_types::recurring::Recurring;

/// Delay after a connection that could not be accepted.
const DELAY: Duration = Duration::from_millis(100);

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// A listener that retries.
#[derive(Debug)]
pub struct PatientListener {
    listener: TcpListener,
    failures: Recurring,
}

impl PatientListener {
    /// Accepts what `listener` has.
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, failures: Recurring::default() }
    }

    /// Accepts the next connection, whatever it takes.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
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
}

/// Limits the time that a client may take to read.
pub fn with_timeout(stream: TcpStream, client_timeout: Duration) -> PacedStream {
    // Responses are whole: there is nothing to wait for.
    let _ = stream.set_nodelay(true);
    PacedStream::new(stream, client_timeout)
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
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(client_timeout)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
}
