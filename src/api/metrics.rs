//! The metrics of the HTTP API.

use std::time::Duration;

use crate::metrics::{Counter, Gauge, Histogram, Route, label, metrics};

const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

metrics! {
    /// The metrics of the HTTP API.
    pub(super) struct HttpMetrics {
        /// HTTP responses by route, `unknown` for paths without one, and by the first digit of the status.
        requests: Counter<(Route, HttpClass)> = "ferry_http_requests_total";
        /// Time from an HTTP request to the head of its response, in seconds, with the delay of `wait`.
        durations: Histogram<Route> = "ferry_http_request_duration_seconds" in SECONDS;
        /// HTTP requests of callers in flight, scrapes left out: of `max_concurrent_requests` at once.
        in_flight: Gauge = "ferry_http_requests_in_flight";
    }
}

impl HttpMetrics {
    /// Counts a request that got its response.
    pub(super) fn responded(&self, route: &str, status: u16, took: Duration) {
        let class = match status / 100 {
            2 => HttpClass::Success,
            3 => HttpClass::Redirection,
            4 => HttpClass::ClientError,
            _ => HttpClass::ServerError,
        };
        self.requests.inc((route.into(), class));
        self.durations.observe(route.into(), took.as_secs_f64());
    }
}

label! {
    /// The class of a response.
    pub(super) enum HttpClass: "class" {
        /// It was done.
        Success = "2xx",
        /// Nothing is new.
        Redirection = "3xx",
        /// The client has to change something, or to wait.
        ClientError = "4xx",
        /// Ferry could not do it.
        ServerError = "5xx",
    }
}
