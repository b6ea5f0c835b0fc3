//! The integration tests: one binary, so that it links once.

mod cli;
mod pipeline;
mod platform;
mod sim;
mod store;
mod support;
