//! The HTTP API over real TCP: in this process where a test looks behind it, and as `ferry serve`
//! where the process matters.

pub(crate) mod harness;

mod abuse;
mod accounts;
mod audited;
mod bound;
mod bulk;
mod bulk_actions;
mod client;
mod content;
mod correct;
pub(crate) mod encoding;
mod endless;
mod errors;
pub(crate) mod events;
mod examples;
mod generated;
pub(crate) mod keys;
mod large_records;
mod limits;
mod listing;
mod many_values;
mod openapi;
mod operate;
mod ready;
mod revoked;
mod secrets;
mod secure;
pub(crate) mod serve;
mod shares;
mod silent;
mod submit;
mod waiting;
