//! Ferry uploads CSV datasets to the Platform's Upload API, durably, and fetches the results.
//!
//! The modules stand in layers, lowest first; a module imports only from layers above its own here,
//! and `tests/tidy` proves it. What they stand on are the crates below `crates/`.

// L1: foundations. A blank line keeps the formatter from sorting what depends on the lines above.
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
mod to_json;

// After `sent`: a connection gives its place back when its response was sent.
pub mod connections;

// After `pace`.
pub mod paced_stream;

pub mod metrics;
pub mod open_files;
pub mod shutdown;
pub mod telemetry;
pub mod traces;

// After `telemetry`: both log.
pub mod audit;
pub mod listener;

// L2: the outside world.
pub mod platform;
pub mod store_failures;

// After `store_failures`: a store that fails makes a process unready.
pub mod readiness;

// After `store_failures`: it counts them.
pub mod instrumented;
pub mod throughput;
pub mod webhook;

// L3: runs the steps of submissions.
pub mod pipeline;

pub mod bulk_actions;

// L4: interfaces and observation.
pub mod admin;

pub mod words;

// After `words`: it shows commands.
mod server_commands;

pub mod heartbeats;

// After `words`: it logs their sentences.
pub mod account_watch;

pub mod durability;

mod queue;

// After `queue`: a drill shows its sentences.
pub mod rehearsal;

// After `queue` and `rehearsal`: pages show both.
mod console;

// After `console`: it serves the pages.
pub mod api;
pub mod redis_metrics;

// After `redis_metrics`: it exports them.
pub mod exporter;
pub mod store_watch;

// L5: the program.
pub mod config;

// After `config`: it puts the parts together.
pub mod app;

// After `app`: it runs it.
pub mod cli;
