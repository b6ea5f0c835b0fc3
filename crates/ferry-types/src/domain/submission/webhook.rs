//! The receiver of an outcome, and the deliveries to it: the one step that comes after the end and
//! changes nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::Timestamp;

/// Number of deliveries that are stored.
const REMEMBERED: usize = 20;

/// Receiver of an outcome.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its URL. Path and query may be secrets: see [`shown_url`] and [`shown_origin`].
    pub url: String,
    /// True if the receiver responded 410.
    pub gone: bool,
    /// The newest attempts, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// One attempt to deliver an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Delivery {
    /// Time of its end.
    pub at: Timestamp,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Its result.
    pub result: DeliveryResult,
    /// HTTP status of the response, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

closed_set! {
    /// Result of a delivery attempt: a closed set, for programs and metrics.
    pub enum DeliveryResult: "result" in json {
        /// 2xx.
        Delivered = "delivered",
        /// 410: nothing more is sent.
        Gone = "gone",
        /// Any other 4xx.
        ClientError = "client_error",
        /// 3xx: redirects are not followed.
        Redirected = "redirected",
        /// 5xx, or a status outside of 200 to 499.
        ServerError = "server_error",
        /// No connection: connection refused, DNS, TLS.
        NoConnection = "no_connection",
        /// The address is one that must not be called, or nothing may be sent there.
        NotAllowed = "not_allowed",
        /// No response in time, or the connection broke.
        NoResponse = "no_response",
        /// The account has no secret to sign with in the worker that claimed the step.
        NoSecret = "no_secret",
    }
}

closed_set! {
    /// State of a webhook.
    pub enum WebhookState: "state of a webhook" in json {
        /// Nothing was delivered yet.
        Pending = "pending",
        /// The receiver acknowledged the outcome.
        Delivered = "delivered",
        /// The last attempt failed; it is retried, or was abandoned.
        Failed = "failed",
        /// The receiver responded 410.
        Gone = "gone",
    }
}

impl Webhook {
    /// Its state, as the last delivery left it.
    pub fn state(&self) -> WebhookState {
        match self.deliveries.last().map(|delivery| delivery.result) {
            None => WebhookState::Pending,
            Some(DeliveryResult::Delivered) => WebhookState::Delivered,
            Some(DeliveryResult::Gone) => WebhookState::Gone,
            Some(_) => WebhookState::Failed,
        }
    }

    /// A receiver without deliveries yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), gone: false, deliveries: Vec::new() }
    }

    pub(super) fn remember(&mut self, delivery: Delivery) {
        self.gone = delivery.result == DeliveryResult::Gone;
        self.deliveries.push(delivery);
        let excess = self.deliveries.len().saturating_sub(REMEMBERED);
        self.deliveries.drain(..excess);
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("url", &shown_origin(&self.url))
            .field("gone", &self.gone)
            .field("deliveries", &self.deliveries)
            .finish()
    }
}

/// A URL as it may be shown: without its query, which may be a secret.
pub fn shown_url(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A URL as every reader may see it: its scheme and host, because the path may be a secret, too.
///
/// ```
/// use ferry_types::domain::submission::shown_origin;
///
/// assert_eq!(shown_origin("https://me:pw@hooks.example.com:8443/T0/SECRET"), "https://hooks.example.com:8443");
/// assert_eq!(shown_origin("https://hooks.example.com?token=SECRET"), "https://hooks.example.com");
/// ```
pub fn shown_origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}
