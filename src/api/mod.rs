//! The HTTP API: accepts submissions, shows their state, and acts on them. Workers, in this process or
//! in others, run their steps.

mod accounts;
mod administration;
mod arrival;
mod attempts;
mod audited;
mod auth;
mod body;
mod body_memory;
mod bulk;
mod bulk_actions;
mod caller;
mod capacity;
mod certificate;
mod client_addr;
mod compare;
mod compression;
mod console;
mod content;
mod correct;
mod dataset;
mod documents;
mod encoding;
mod error;
mod event_poller;
mod event_reads;
mod events;
mod found;
mod fuzzed;
mod json;
mod key_file;
mod keys;
mod known;
mod limits;
mod metrics;
mod middleware;
mod openapi;
mod operate;
mod page;
mod params;
mod positions;
mod probes;
mod query;
mod read;
mod response_memory;
mod role;
mod routes;
mod rows;
mod seal;
mod server;
mod service;
mod shared;
mod shares;
mod slots;
mod stats;
mod submit;
mod tls;
mod turns;
mod validate;
mod wait;
mod whoami;

pub use certificate::{CertificateMetrics, watch_certificate};
pub use console::mode::ConsoleMode;
pub use console::session::SessionSecret;
#[doc(hidden)]
pub use fuzzed::respond;
pub use key_file::{
    KeyRecord, KeysError, create_key, key_name, parse_keys, read_keys, read_keys_if_any, revoke_key,
};
pub use keys::Keys;
pub use limits::ApiLimits;
pub use role::Role;
pub use server::Server;
pub use service::Api;
pub use shared::Parts;
pub use tls::{Tls, TlsError, TlsFiles};
