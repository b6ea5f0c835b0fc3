//! The HTTP API over real TCP: in this process where a test looks behind it, and as `ferry serve`
//! where the process matters.

mod harness;

mod bulk;
mod client;
mod content;
mod events;
mod examples;
mod handover;
mod keys;
mod limits;
mod listing;
mod mistakes;
mod operate;
mod serve;
mod waiting;
