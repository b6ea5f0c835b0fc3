//! Metrics, alerts and dashboards, checked with a real Prometheus.

mod backlog;
mod draining;
pub(crate) mod files;
mod prometheus;
mod run;
mod scraped;
mod traces;
