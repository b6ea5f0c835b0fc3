//! What is shown to those who watch over Ferry: metrics, alerts and dashboards, held against a real
//! Prometheus.

mod backlog;
mod draining;
pub(crate) mod files;
mod prometheus;
mod run;
mod scraped;
mod traces;
