//! Accepts connections. What keeps it from that, such as too many open files, is logged when it begins
//! and when it is over.

use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tracing::{info, warn};

use crate::recurring::Recurring;

/// Delay after a connection that could not be accepted.
const DELAY: Duration = Duration::from_millis(100);

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
}

impl Listener for PatientListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.failures
                        .worked(|failures| info!(failures, "connections are accepted again"));
                    return accepted;
                }
                Err(error) => {
                    self.failures.failed(|| warn!("cannot accept connections, retrying: {error}"));
                    tokio::time::sleep(DELAY).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
