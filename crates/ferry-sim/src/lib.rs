//! The Platform itself, for demonstrations, rehearsals and tests: over HTTP as [`Sim`], and without
//! as [`World`], which is handed the time.
//!
//! It is strict about what it receives, counts and logs what it does, speaks several [`Dialect`]s,
//! and fails by script or by chance. It shares no type with the client, so that one wrong belief
//! cannot cancel itself out.

mod connection;
mod exchange;
mod faults;
mod processing;
mod reply;
mod time;

mod dataset;
mod dialect;
mod ledger;
mod question;
mod requests;
mod throttles;

mod config;
mod jobs;

mod behavior;

mod platform;

mod responses;
mod world;

mod http;

pub use behavior::{Behavior, FaultKind};
pub use config::{Credentials, SimConfig};
pub use dataset::expected_results;
pub use dialect::Dialect;
pub use exchange::{Delivery, Exchange, Request, Response};
pub use faults::{Endpoint, Fault, FaultRates, RetryAfter};
pub use ledger::{AcceptedUpload, Ledger, NameLedger, UnlistedTotals};
pub use processing::Processing;
pub use requests::{Effect, LoggedRequest};
pub use world::World;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use connection::AbortableConnections;
use http::Service;

/// A running simulator; it ends, and its connections break, when this is dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    service: Arc<Service>,
    server: JoinHandle<()>,
    open: watch::Sender<()>,
}

impl Sim {
    /// Starts to serve at `listen`; port 0 takes a free one.
    pub async fn start(config: SimConfig, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let raw_lines: Arc<str> = config.dialect.unwrap_or(Dialect::PLAIN).raw_lines().into();
        let service = Arc::new(Service::new(config, !raw_lines.is_empty()));
        let (open, is_open) = watch::channel(());
        let listener = AbortableConnections { listener, open: is_open, raw_lines };
        let server = tokio::spawn(http::serve(listener, service.clone()));
        Ok(Self { address, service, server, open })
    }

    /// Ends the simulator; after that another one can listen at its address.
    pub async fn stop(mut self) {
        self.server.abort();
        // It was just aborted.
        let _ = (&mut self.server).await;
        self.open.send_replace(());
        self.open.closed().await;
    }

    /// Address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of its token endpoint.
    pub fn token_url(&self) -> String {
        format!("http://{}/connect/token", self.address)
    }

    /// URL of its Upload API.
    pub fn api_url(&self) -> String {
        format!("http://{}/upload", self.address)
    }

    /// Counts of everything so far.
    pub fn ledger(&self) -> Ledger {
        self.service.world().ledger().clone()
    }

    /// The newest requests, in the order of their arrival.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.service.world().requests().cloned().collect()
    }

    /// Gives `fault` to the next request to `endpoint` that has no scripted one yet.
    pub fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.service.world().script(endpoint, fault);
    }

    /// Fails every request while `outage` is true.
    pub fn set_outage(&self, outage: bool) {
        self.service.world().set_outage(outage);
    }

    /// Others upload a dataset called `name`.
    pub fn occupy(&self, name: &str) {
        self.service.world().occupy(name);
    }

    /// True if all scripted faults have been used.
    pub fn is_script_done(&self) -> bool {
        self.service.world().is_script_done()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}
