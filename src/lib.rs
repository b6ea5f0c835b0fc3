//! Ferry uploads CSV datasets to the Platform's Upload API, durably, and fetches the results.
//!
//! The modules stand in layers, lowest first; a module imports only from layers above its own here,
//! and `tests/tidy` proves it. What they stand on are the crates below `crates/`.

// L1: foundations
pub mod boot_clock;
pub mod charset;
pub mod content_type;
pub mod file_access;
mod followed_files;
pub mod network;
pub mod pace;
pub mod private_files;
pub mod secret;
pub mod sent;
// keeps places until responses are sent
pub mod connections;
// at a pace
pub mod paced_stream;

pub mod metrics;
pub mod open_files;
pub mod shutdown;
pub mod telemetry;
pub mod traces;
// logs, too
pub mod audit;
pub mod listener;

// L2: the outside world
pub mod platform;
pub mod store_failures;
// one that fails makes a process unready
pub mod readiness;
// counts for the metrics what a store does
pub mod instrumented;
pub mod throughput;
pub mod webhook;

// L3: what carries submissions
pub mod pipeline;

// acts on many of them, for the API and the command line
pub mod bulk_actions;

// L4: what stands around it
pub mod admin;
// sentences for people, of the console and the command line
pub mod words;
// others read them in the store
pub mod heartbeats;
// they are in the log, too
pub mod account_watch;

// the checks of its store
pub mod durability;

// the size of the queue, and what is wrong with it
mod queue;

// drills of a demonstration, with the sentences about the queue
pub mod rehearsal;

// the pages of the console
mod console;

// the HTTP API, and the console over HTTP
pub mod api;
pub mod redis_metrics;
// reads these as well
pub mod exporter;
pub mod store_watch;

// L5: the program
pub mod config;

// its parts put together
pub mod app;

// its command line
pub mod cli;
