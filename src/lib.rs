//! Ferry carries CSV datasets to the Platform's Upload API, durably, and brings the answer back.
//!
//! The modules stand in layers, lowest first; a module imports only from layers above its own here,
//! and `tests/tidy.rs` proves it. Without the feature `full` only what producers need is left.

// L0: what Ferry is about; pure
pub mod domain;

// L1: foundations
#[cfg(feature = "full")]
pub mod clock;
pub mod contract;
#[cfg(feature = "full")]
pub mod metrics;
#[cfg(feature = "full")]
pub mod shutdown;
#[cfg(feature = "full")]
pub mod telemetry;
#[cfg(feature = "full")]
pub mod traces;
// tells the log, too
#[cfg(feature = "full")]
pub mod audit;

// L2: the outside world
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "full")]
pub mod platform;
#[cfg(feature = "full")]
pub mod store;
#[cfg(feature = "full")]
pub mod webhook;

// L3: what carries submissions
#[cfg(feature = "full")]
pub mod pipeline;

// L4: what stands around it
#[cfg(feature = "full")]
pub mod admin;
#[cfg(feature = "full")]
pub mod api;
#[cfg(feature = "full")]
pub mod exporter;
#[cfg(feature = "full")]
pub mod sim;

// L5: the program
#[cfg(feature = "full")]
pub mod config;

// its parts put together
#[cfg(feature = "full")]
pub mod app;

// its command line
#[cfg(feature = "full")]
pub mod cli;
