//! Accepts connections, bounded in number and time, and lets what runs finish at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::Api;
use super::patient::Patient;

/// Connections for each request at once: most of the time a connection rests.
const CONNECTIONS_PER_REQUEST: usize = 4;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

/// Between tries to accept a connection, when there are no more file descriptors, for instance.
const PAUSE: Duration = Duration::from_millis(100);

/// A place where the API is reached.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address; nothing is answered yet.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process drains; then what is under way finishes, unless it is aborted.
    pub async fn serve(self, api: Api) {
        let shutdown = api.0.parts.shutdown.clone();
        let (router, limits) = (api.router(), &api.0.parts.limits);
        let connections = Arc::new(Semaphore::new(limits.max_requests * CONNECTIONS_PER_REQUEST));
        let graceful = GracefulShutdown::new();
        loop {
            // Those beyond the limit wait with the operating system.
            let accepted = async {
                let permit = connections.clone().acquire_owned().await;
                (self.listener.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                accepted = accepted => accepted,
                () = shutdown.draining() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            // Answers are whole: there is nothing to wait for.
            let _ = stream.set_nodelay(true);
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.patience)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(
                    TokioIo::new(Patient::new(stream, limits.patience)),
                    TowerToHyperService::new(router.clone()),
                );
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    debug!("a connection ended: {error}");
                }
                drop(permit);
            });
        }
        drop(self.listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = shutdown.aborting() => {}
        }
    }
}
