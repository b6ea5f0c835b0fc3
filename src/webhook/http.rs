//! The way to receivers over HTTP. No body of a response is read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode};

use super::guard::{BlockedAddressError, Guard, Rules};
use super::wire::{Attempt, SignedMessage, WebhookWire};
use ferry_client::http::{self, Tls, TlsSetupError, retry_after};
use ferry_types::causes::root_cause;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::DeliveryResult;

/// Sends to where its rules allow it.
#[derive(Debug)]
pub(super) struct HttpWebhookWire(Client);

impl HttpWebhookWire {
    /// An attempt takes `timeout` at most.
    pub(super) fn new(
        tls: Tls<'_>,
        rules: Rules,
        timeout: Duration,
    ) -> Result<Self, TlsSetupError> {
        let rules = Arc::new(rules);
        let http = http::client(tls, |builder| {
            builder
                .timeout(timeout)
                .connect_timeout(timeout)
                // A proxy would look names up by itself, past the guard.
                .no_proxy()
                .dns_resolver(Guard::new(rules.clone()))
        })?;
        Ok(Self(http))
    }
}

#[async_trait]
impl WebhookWire for HttpWebhookWire {
    async fn post(&self, message: SignedMessage) -> Attempt {
        let request = self
            .0
            .post(message.url)
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.now.timestamp())
            .header("webhook-signature", message.signatures)
            .body(message.body);
        match request.send().await {
            Ok(response) => attempt(&response, message.now),
            Err(error) => lost(&error.without_url()),
        }
    }
}

fn attempt(response: &Response, now: Timestamp) -> Attempt {
    let status = response.status();
    let asks = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    Attempt {
        result: meaning(status),
        status: Some(status.as_u16()),
        retry_after: retry_after(response.headers(), now).filter(|_| asks),
        cause: None,
    }
}

fn meaning(status: StatusCode) -> DeliveryResult {
    match status.as_u16() {
        200..=299 => DeliveryResult::Delivered,
        410 => DeliveryResult::Gone,
        300..=399 => DeliveryResult::Redirected,
        400..=499 => DeliveryResult::ClientError,
        _ => DeliveryResult::ServerError,
    }
}

fn lost(error: &reqwest::Error) -> Attempt {
    // The outer ones only repeat that a request failed.
    let cause = root_cause(error);
    let result = if cause.is::<BlockedAddressError>() {
        DeliveryResult::NotAllowed
    } else if error.is_connect() || error.is_builder() {
        DeliveryResult::NoConnection
    } else {
        DeliveryResult::NoResponse
    };
    Attempt::without_response(result, Some(cause.to_string()))
}
