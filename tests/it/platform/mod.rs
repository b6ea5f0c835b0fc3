//! The client of the Platform over real HTTP, against the simulator.

mod client;
mod envelopes;
mod lenient;
mod private;
mod results;
mod secrets;
mod tokens;
mod uploads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use client::Client;
use ferry::platform::{AccountConfig, Limits, OverwriteFormat, StatusMap, Upload};
use ferry_client::http::Authorities;
use ferry_sim::{Credentials, Dialect, Fault, Processing, RetryAfter, Sim, SimConfig};
use ferry_types::clock::{Clock, SystemClock};
use ferry_types::domain::Timestamp;
use ferry_types::domain::outcome::PlatformError;

use crate::dialect::drawn;

const DATA: &str = "Reference,StartDate,StartTime,EndDate,EndTime\n\
                    CONFIDENTIAL-1,01/02/2026,08:00,01/02/2026,09:30\n\
                    \"O'Hara, \u{c9}. \"\"x\"\"\",02/02/2026,23:59,03/02/2026,00:00\n";

/// A clock that is wrong by so many seconds.
#[derive(Debug)]
struct WrongBy(i64);

impl Clock for WrongBy {
    fn now(&self) -> Timestamp {
        SystemClock.now() + chrono::TimeDelta::seconds(self.0)
    }
}

/// Ready at once, unless a test says otherwise.
fn quick() -> SimConfig {
    SimConfig { processing: Processing::Fixed(Duration::ZERO), ..SimConfig::default() }
}

/// In the words and forms that the documentation shows.
fn plain() -> SimConfig {
    SimConfig { dialect: Some(Dialect::PLAIN), ..quick() }
}

fn localhost() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn start(config: SimConfig) -> (Sim, Client) {
    let account = account_of(&config.credentials);
    let sim = Sim::start(drawn(config), localhost()).await.expect("a port is free");
    let platform = client_of(&sim, account);
    (sim, platform)
}

fn account_of(credentials: &Credentials) -> AccountConfig {
    AccountConfig {
        name: "main".into(),
        token_url: String::new(),
        api_url: String::new(),
        client_id: credentials.client_id.clone(),
        client_secret: credentials.client_secret.clone().into(),
        api_key: credentials.api_key.clone().into(),
        overwrite_format: OverwriteFormat::Strings,
        account_limits: ferry_types::domain::limits::AccountLimits::default(),
        status_map: StatusMap::default(),
    }
}

fn client_of(sim: &Sim, account: AccountConfig) -> Client {
    client(
        AccountConfig { token_url: sim.token_url(), api_url: sim.api_url(), ..account },
        limits(),
        0,
    )
}

fn client(account: AccountConfig, limits: Limits, wrong_by: i64) -> Client {
    Client::new(account, limits, Arc::new(WrongBy(wrong_by))).expect("a valid account")
}

/// Longer than anything takes on a busy machine.
fn limits() -> Limits {
    Limits {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_secs(20),
        max_response_bytes: 100_000,
        denied_timeout: Duration::from_secs(20),
        authorities: Authorities::default(),
    }
}

/// For tests that wait for the timeout.
fn impatient() -> Limits {
    Limits { request_timeout: Duration::from_millis(500), ..limits() }
}

fn upload(name: &str) -> Upload<'_> {
    Upload { name, data: DATA, event_data: None, overwrite: false }
}

fn says(status: u16, body: impl Into<String>) -> Fault {
    Fault::Respond { status, headers: Vec::new(), body: body.into() }
}

fn says_with(status: u16, header: (&str, &str), body: impl Into<String>) -> Fault {
    let headers = vec![(header.0.to_owned(), header.1.to_owned())];
    Fault::Respond { status, headers, body: body.into() }
}

fn seconds(seconds: f64) -> RetryAfter {
    RetryAfter::Seconds(seconds)
}

fn is_transient<T>(response: &Result<T, PlatformError>) -> bool {
    matches!(response, Err(PlatformError::Transient(_) | PlatformError::Unsent(_)))
}

fn is_ambiguous<T>(response: &Result<T, PlatformError>) -> bool {
    matches!(
        response,
        Err(PlatformError::Ambiguous(_)
            | PlatformError::TimedOut(_)
            | PlatformError::Unreadable(_))
    )
}

fn is_not_yet<T>(response: &Result<T, PlatformError>) -> bool {
    matches!(response, Err(PlatformError::NotYet { .. }))
}

fn is_unreadable<T>(response: &Result<T, PlatformError>) -> bool {
    matches!(response, Err(PlatformError::Unreadable(_)))
}

fn is_of_credentials<T>(response: &Result<T, PlatformError>) -> bool {
    matches!(response, Err(PlatformError::Credentials(_)))
}

/// The requested delay, if there was one.
fn pause<T: std::fmt::Debug>(response: Result<T, PlatformError>) -> Option<Duration> {
    match response {
        Err(PlatformError::Throttled { retry_after, .. }) => retry_after,
        other => panic!("not throttled: {other:?}"),
    }
}
