//! The integration tests: one binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]
#![expect(clippy::print_stdout, reason = "some tests print their measurements")]

mod api;
mod cli;
mod console;
mod data_loss;
mod deploy;
mod dialect;
mod fleet;
mod full_store;
mod fuzz;
mod metrics;
mod node;
mod open_files;
mod pipeline;
mod platform;
mod pushed;
mod python;
mod secured;
mod storm;
mod strangers;
mod support;
mod topologies;
mod webhooks;
mod worker;
