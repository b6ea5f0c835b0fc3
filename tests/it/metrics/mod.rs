//! What is shown to those who watch over Ferry: metrics, alerts and dashboards, held against a real
//! Prometheus.

mod backlog;
mod draining;
mod files;
mod prometheus;
mod run;
mod scraped;
mod traces;
