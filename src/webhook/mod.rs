//! Sends outcomes to receivers, signed after Standard Webhooks. A response means that the receiver has
//! the message, or not, and nothing else; no URL of one reaches a log or an error whole.

mod guard;
mod sign;

pub use guard::{Allowed, Rules};
pub use sign::SigningKey;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode, Url};

use crate::http_client::{self, Authorities, ClientError, Tls, retry_after};
use crate::metrics::{Counter, Metrics, metrics};
use crate::secret::Secret;
use crate::traces::StepTrace;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::DeliveryResult;
use guard::{BlockedAddressError, Guard};

/// The webhook settings of an account.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// The webhook URL of submissions that name none.
    pub url: Option<String>,
    /// The secrets that sign: each of them, so that one can replace another.
    pub secrets: Vec<Secret<SigningKey>>,
}

/// The receivers, by account.
pub type WebhookTargets = BTreeMap<String, Receiver>;

/// A message to a receiver.
#[derive(Debug)]
pub struct Message<'a> {
    /// The account whose secrets sign it.
    pub account: &'a str,
    /// The URL of the receiver.
    pub url: &'a str,
    /// The same for each attempt.
    pub id: &'a str,
    /// The beginning of this attempt.
    pub now: Timestamp,
    /// JSON.
    pub body: String,
}

/// An attempt to deliver a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The result.
    pub result: DeliveryResult,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// The waiting time that a 429 or 503 asked for.
    pub retry_after: Option<Duration>,
}

metrics! {
    /// The metrics of deliveries.
    pub struct WebhookMetrics {
        /// Webhook delivery attempts, by result.
        deliveries: Counter<DeliveryResult> = "ferry_webhook_deliveries_total";
        /// Webhooks that were abandoned after their last attempt.
        abandoned: Counter = "ferry_webhooks_abandoned_total";
    }
}

/// Sends messages to receivers.
#[derive(Debug)]
pub struct Webhooks {
    http: Client,
    rules: Arc<Rules>,
    targets: WebhookTargets,
    metrics: Arc<WebhookMetrics>,
}

impl Webhooks {
    /// Sends to where `rules` allow it; an attempt takes `timeout` at most.
    pub fn new(
        rules: Rules,
        targets: WebhookTargets,
        authorities: &Authorities,
        timeout: Duration,
        metrics: &Metrics,
    ) -> Result<Self, ClientError> {
        let rules = Arc::new(rules);
        // Nothing is sent without a secret.
        let is_used = targets.values().any(|receiver| !receiver.secrets.is_empty());
        let tls = if is_used { Tls::Required(authorities) } else { Tls::Unused };
        let http = http_client::client(tls, |builder| {
            builder
                .timeout(timeout)
                .connect_timeout(timeout)
                // A proxy would look names up by itself, past the guard.
                .no_proxy()
                .dns_resolver(Guard::new(rules.clone()))
        })?;
        Ok(Self { http, rules, targets, metrics: metrics.of() })
    }

    /// Counts a webhook that is not attempted again.
    pub fn count_abandoned(&self) {
        self.metrics.abandoned.inc(());
    }

    /// Sends a message, once more if the receiver denies it and a secret was replaced meanwhile. The
    /// body of a response is not read.
    pub async fn send(&self, message: Message<'_>) -> Attempt {
        let attempt = self.attempt(&message).await;
        self.metrics.deliveries.inc(attempt.result);
        attempt
    }

    async fn attempt(&self, message: &Message<'_>) -> Attempt {
        let secrets = self.targets.get(message.account).map(|receiver| receiver.secrets.as_slice());
        let Some(secrets) = secrets.filter(|secrets| !secrets.is_empty()) else {
            return Attempt::without_response(DeliveryResult::NoSecret);
        };
        // It may have been accepted under other rules.
        let Ok(url) = self.rules.check(message.url) else {
            return Attempt::without_response(DeliveryResult::NotAllowed);
        };
        let read_again = |read: fn(&Secret<SigningKey>) -> bool| secrets.iter().map(read).max();
        read_again(Secret::refresh_if_old);
        let attempt = self.send_once(&url, message, secrets).await;
        let is_denied = matches!(attempt.status, Some(401 | 403));
        if is_denied && read_again(Secret::refresh) == Some(true) {
            return self.send_once(&url, message, secrets).await;
        }
        attempt
    }

    async fn send_once(
        &self,
        url: &Url,
        message: &Message<'_>,
        secrets: &[Secret<SigningKey>],
    ) -> Attempt {
        let seconds = message.now.timestamp();
        let signed =
            |secret: &Secret<SigningKey>| secret.get().sign(message.id, seconds, &message.body);
        let signatures: Vec<String> = secrets.iter().map(signed).collect();
        let request = self
            .http
            .post(url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures.join(" "))
            .body(message.body.clone());
        let call = StepTrace::current().call("webhook");
        let attempt = match request.send().await {
            Ok(response) => Attempt::of(&response, message.now),
            Err(error) => Attempt::without_response(lost(&error)),
        };
        call.ended(attempt.result.as_str(), attempt.result != DeliveryResult::Delivered);
        attempt
    }
}

impl Attempt {
    fn of(response: &Response, now: Timestamp) -> Self {
        let status = response.status();
        let asks =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Self {
            result: meaning(status),
            status: Some(status.as_u16()),
            retry_after: retry_after(response.headers(), now).filter(|_| asks),
        }
    }

    /// An attempt without a response.
    pub(crate) const fn without_response(result: DeliveryResult) -> Self {
        Self { result, status: None, retry_after: None }
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

fn lost(error: &reqwest::Error) -> DeliveryResult {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<BlockedAddressError>() {
            return DeliveryResult::NotAllowed;
        }
        cause = inner.source();
    }
    if error.is_connect() || error.is_builder() {
        DeliveryResult::NoConnection
    } else {
        DeliveryResult::NoResponse
    }
}
