//! Sends outcomes to receivers, signed after Standard Webhooks. A response means that the receiver has
//! the message, or not, and nothing else; no URL of one reaches a log or an error whole.

mod guard;
mod http;
mod sign;
mod wire;

pub use guard::{Allowed, Rules};
pub use sign::SigningKey;
pub use wire::{Attempt, SignedMessage, WebhookWire};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::metrics::{Counter, Metrics, metrics};
use crate::secret::Secret;
use crate::traces::StepTrace;
use ferry_client::http::{Authorities, Tls, TlsSetupError};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::DeliveryResult;
use http::HttpWebhookWire;

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
    wire: Arc<dyn WebhookWire>,
    rules: Rules,
    targets: WebhookTargets,
    metrics: Arc<WebhookMetrics>,
}

impl Webhooks {
    /// Sends over HTTP to where `rules` allow it; an attempt takes `timeout` at most.
    pub fn new(
        rules: Rules,
        targets: WebhookTargets,
        authorities: &Authorities,
        timeout: Duration,
        metrics: &Metrics,
    ) -> Result<Self, TlsSetupError> {
        // Nothing is sent without a secret.
        let is_used = targets.values().any(|receiver| !receiver.secrets.is_empty());
        let tls = if is_used { Tls::Required(authorities) } else { Tls::Unused };
        let wire = HttpWebhookWire::new(tls, rules.clone(), timeout)?;
        Ok(Self::over(Arc::new(wire), rules, targets, metrics))
    }

    /// Sends over `wire` to where `rules` allow it.
    pub fn over(
        wire: Arc<dyn WebhookWire>,
        rules: Rules,
        targets: WebhookTargets,
        metrics: &Metrics,
    ) -> Self {
        Self { wire, rules, targets, metrics: metrics.of() }
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
            return Attempt::without_response(DeliveryResult::NoSecret, None);
        };
        // It may have been accepted under other rules.
        let url = match self.rules.check(message.url) {
            Ok(url) => url,
            Err(why) => return Attempt::without_response(DeliveryResult::NotAllowed, Some(why)),
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
        let request = SignedMessage {
            url: url.clone(),
            id: message.id.to_owned(),
            signatures: signatures.join(" "),
            now: message.now,
            body: message.body.clone(),
        };
        let call = StepTrace::current().call("webhook");
        let attempt = self.wire.post(request).await;
        call.ended(attempt.result.as_str(), attempt.result != DeliveryResult::Delivered);
        attempt
    }
}
