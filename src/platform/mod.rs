//! The client of the Platform's Upload API: it sends requests, and gives their responses a meaning in
//! the terms of [`ferry_types::domain::outcome`]. It knows nothing of stores and schedules.

mod access_log;
mod access_token;
mod account;
mod authorized;
mod check;
mod client;
mod coding;
mod denial_limit;
mod endpoint;
mod exchange;
mod guard;
mod http;
mod metrics;
mod observed;
mod proxy;
mod response;
mod scrub;
mod secrets;
mod shape;
mod status_map;
mod token_endpoint;
mod token_shape;
mod tokens;
mod upload;
mod url;
mod wire;

pub use access_log::{Access, AccessLog, AccessLogs};
pub use account::{AccountConfig, InvalidAccountError, Limits, OverwriteFormat};
pub use check::ApiCheck;
pub use client::{Platform, PlatformParts};
pub use guard::{RequestError, RequestGuard, Unguarded, Withheld};
pub use http::HttpWire;
#[doc(hidden)]
pub use http::decoded;
pub use metrics::{Direction, PayloadMetrics, PlatformMetrics};
pub use status_map::StatusMap;
pub(crate) use token_endpoint::no_token;
pub use upload::Upload;
pub use wire::{Connection, TransportError, Wire, WireRequest, WireResponse, Wires};

/// Returns what is wrong with the URL of a service, if anything is.
pub fn check_url(text: &str) -> Result<(), String> {
    url::base_url(text, url::Query::Forbidden).map(drop)
}

/// Returns what is wrong with the URL of a token endpoint, which may have a query.
pub fn check_token_url(text: &str) -> Result<(), String> {
    url::base_url(text, url::Query::Allowed).map(drop)
}
