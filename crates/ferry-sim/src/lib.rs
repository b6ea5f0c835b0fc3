//! The Platform itself, for demonstrations, rehearsals and tests: over HTTP as [`Sim`], and without
//! as [`World`], which gets the time.
//!
//! It is strict about what it receives, counts and logs what it does, speaks several [`Dialect`]s,
//! and fails by script or by chance. It shares no type with the client, so that one wrong belief
//! cannot cancel itself out.

mod connection;
mod exchange;
mod processing;
mod reply;
mod time;

mod faults;

mod dataset;
mod dialect;
mod ledger;
mod parsed_request;
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
use std::time::Duration;

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

    /// Gives `fault` to the next upload of a dataset called `name`.
    pub fn script_name(&self, name: &str, fault: Fault) {
        self.service.world().script_name(name, fault);
    }

    /// Takes back a scripted fault that no request had yet.
    pub fn unscript(&self, fault: &Fault) {
        self.service.world().unscript(fault);
    }

    /// True if a request to come has this scripted fault.
    pub fn is_scripted(&self, fault: &Fault) -> bool {
        self.service.world().is_scripted(fault)
    }

    /// Gives each fault another probability.
    pub fn set_rates(&self, rates: FaultRates) {
        self.service.world().set_rates(rates);
    }

    /// Probability of each fault.
    pub fn rates(&self) -> FaultRates {
        self.service.world().rates()
    }

    /// Responds 429 to every request but those for tokens, for so long from now.
    pub fn throttle_for(&self, delay: Duration) {
        self.service.world().throttle_for(self.service.now(), delay);
    }

    /// Time for which requests still get 429.
    pub fn throttled_for(&self) -> Duration {
        self.service.world().throttled_for(self.service.now())
    }

    /// Denies the credentials, and every access token, while `denied` is true.
    pub fn set_denied(&self, denied: bool) {
        self.service.world().set_denied(denied);
    }

    /// True while the credentials are denied.
    pub fn is_denied(&self) -> bool {
        self.service.world().is_denied()
    }

    /// `Retry-After` of a 429 by chance.
    pub fn retry_after(&self) -> Duration {
        self.service.world().retry_after()
    }

    /// The status of a dataset that was rejected.
    pub fn rejected_word(&self) -> &'static str {
        self.service.world().rejected_word()
    }

    /// Ends every fault but those of a dataset name.
    pub fn calm(&self) {
        self.service.world().calm();
    }

    /// True during an outage.
    pub fn is_out(&self) -> bool {
        self.service.world().is_out()
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
