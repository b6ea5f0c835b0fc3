//! Accepts connections, bounded in number and time, and lets what runs finish at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::client_addr::SocketPeer;
use super::console::door::Secured;
use super::service::Api;
use super::tls::Tls;
use crate::listener::{Accepted, BoundedListener, connection, service, until_closed};
use ferry_types::causes::chain;

/// Connections for each request at once: most of the time a connection is idle.
const CONNECTIONS_PER_REQUEST: usize = 4;

/// Connections that the operating system keeps until they are accepted. Its usual 128 are fewer than may
/// come at once, and those beyond look connected to their clients and are not.
const BACKLOG: u32 = 4096;

/// Bytes of a response that the operating system takes before its client has them. It would take several
/// MiB, which a slow client would need longer for than it may wait.
const SEND_BUFFER: u32 = 256 << 10;

/// An address at which the API is reached.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    /// The most connections at once.
    connections: usize,
}

impl Server {
    /// Binds the address; no connection is accepted yet.
    #[expect(clippy::unused_async, reason = "a socket can only be made where a runtime is")]
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A server that was restarted need not wait for connections of the old one.
        socket.set_reuseaddr(true)?;
        // Connections have the size of the listener.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { address: listener.local_addr()?, listener, tls: None, connections: usize::MAX })
    }

    /// Secures connections, if there is something to do so with.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls: tls.map(Arc::new), ..self }
    }

    /// Accepts at most so many connections at once, if the API does not allow fewer.
    #[must_use]
    pub fn with_connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// The URL at which it is reached.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The address at which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process drains; then running requests finish, unless it is aborted.
    pub async fn serve(self, api: Api) {
        let (shutdown, router) = (api.shutdown(), api.router());
        let client_timeout = api.client_timeout();
        let allowed = api.max_concurrent_requests().saturating_mul(CONNECTIONS_PER_REQUEST);
        let connections = allowed.min(self.connections);
        let listener = BoundedListener::new(self.listener, connections, client_timeout);
        let graceful = GracefulShutdown::new();
        loop {
            let Accepted { stream, peer, place } = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.draining() => break,
            };
            let shutdown = shutdown.clone();
            let is_secure = Secured(self.tls.is_some());
            let service = service(router.clone(), place.clone(), move |request| {
                request.extensions_mut().insert(SocketPeer(peer.ip()));
                request.extensions_mut().insert(is_secure);
            });
            let watcher = graceful.watcher();
            let tls = self.tls.as_ref().map(|tls| tls.acceptor());
            let served = async move {
                let ended = match tls {
                    None => watcher.watch(connection(stream, service, client_timeout)).await,
                    Some(tls) => {
                        let secured = tokio::select! {
                            secured = secure(tls, stream, client_timeout) => secured,
                            () = shutdown.draining() => return,
                        };
                        let Some(stream) = secured else { return };
                        watcher.watch(connection(stream, service, client_timeout)).await
                    }
                };
                if let Err(error) = ended {
                    debug!(error = chain(&error), "a connection ended");
                }
            };
            tokio::spawn(until_closed(place, served));
        }
        drop(listener);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = shutdown.aborting() => {}
        }
        api.actions_ended().await;
    }
}

/// The connection with TLS; none if the client speaks it badly or too slowly.
async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    tls: TlsAcceptor,
    stream: S,
    limit: Duration,
) -> Option<TlsStream<S>> {
    match timeout(limit, tls.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => debug!(error = chain(&error), "a TLS handshake failed"),
        Err(_) => debug!("a TLS handshake took too long"),
    }
    None
}
