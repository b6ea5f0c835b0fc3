//! The way to a receiver: a signed message leaves as plain data, and the result of the attempt comes back.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;

use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{DeliveryResult, shown_origin};

/// Sends messages to receivers.
#[async_trait]
pub trait WebhookWire: fmt::Debug + Send + Sync + 'static {
    /// Makes one attempt.
    async fn post(&self, message: SignedMessage) -> Attempt;
}

/// A message with its signatures. Its `Debug` shows neither the query nor the body.
#[derive(Clone)]
pub struct SignedMessage {
    /// The URL of the receiver.
    pub url: Url,
    /// The same for each attempt.
    pub id: String,
    /// One for each secret, separated by spaces.
    pub signatures: String,
    /// The beginning of this attempt.
    pub now: Timestamp,
    /// JSON.
    pub body: String,
}

impl fmt::Debug for SignedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedMessage")
            .field("url", &shown_origin(self.url.as_str()))
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// An attempt to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The result.
    pub result: DeliveryResult,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The waiting time that a 429 or 503 asked for.
    pub retry_after: Option<Duration>,
    /// The cause for which there was no response, without path and query of the URL.
    pub cause: Option<String>,
}

impl Attempt {
    /// An attempt without a response.
    pub const fn without_response(result: DeliveryResult, cause: Option<String>) -> Self {
        Self { result, status: None, retry_after: None, cause }
    }

    /// True if the receiver wants no further attempt.
    pub(crate) const fn is_acknowledged(&self) -> bool {
        matches!(self.result, DeliveryResult::Delivered | DeliveryResult::Gone)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.result.as_str())?;
        self.status.iter().try_for_each(|status| write!(f, " ({status})"))?;
        self.cause.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}
