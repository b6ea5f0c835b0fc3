//! Where the outcome of a submission is to be told, and how that went: the one step that comes after
//! the end and changes nothing of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// The newest deliveries that are remembered.
const REMEMBERED: usize = 20;

/// Who is to be told of the outcome.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where. Its query may be a secret: see [`shown_url`].
    pub url: String,
    /// Whether the receiver wants to hear no more.
    pub gone: bool,
    /// The newest tries, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// A try to tell the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Delivery {
    /// When it ended.
    pub at: Timestamp,
    /// Which of the tries in a row it was, from 1.
    pub attempt: u32,
    /// What became of it.
    pub result: DeliveryResult,
    /// The receiver's answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What became of a try to tell an outcome: a closed set, for programs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryResult {
    /// 2xx.
    Delivered,
    /// 410: nothing more is sent.
    Gone,
    /// Any other 4xx.
    ClientError,
    /// 3xx: redirects are not followed.
    Redirected,
    /// 5xx, and what belongs nowhere.
    ServerError,
    /// No connection: refused, DNS, TLS.
    NoConnection,
    /// The address is one that must not be called, or nothing may be sent there.
    NotAllowed,
    /// No answer in time, or the connection broke.
    NoResponse,
    /// The account has no secret to sign with, where the step was taken.
    NoSecret,
}

impl DeliveryResult {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Gone,
        Self::ClientError,
        Self::Redirected,
        Self::ServerError,
        Self::NoConnection,
        Self::NotAllowed,
        Self::NoResponse,
        Self::NoSecret,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Gone => "gone",
            Self::ClientError => "client_error",
            Self::Redirected => "redirected",
            Self::ServerError => "server_error",
            Self::NoConnection => "no_connection",
            Self::NotAllowed => "not_allowed",
            Self::NoResponse => "no_response",
            Self::NoSecret => "no_secret",
        }
    }
}

impl Webhook {
    /// Nobody has been told yet.
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
            .field("url", &shown_url(&self.url))
            .field("gone", &self.gone)
            .field("deliveries", &self.deliveries)
            .finish()
    }
}

/// A URL as it may be shown: without its query, which may be a secret.
pub fn shown_url(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
