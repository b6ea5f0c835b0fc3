//! Tells receivers of outcomes, signed after Standard Webhooks. What a receiver answers means whether
//! it has heard, and nothing else; no URL of one reaches a log or an error whole.

mod guard;
mod sign;

pub use guard::{Allowed, Rules};
pub use sign::{Secret, UnusableSecretError};

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, StatusCode, redirect};

use crate::traces::StepTrace;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::DeliveryResult;
use guard::{BlockedAddressError, Guard};

/// What an account says about those who want to hear of its submissions.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// Where outcomes are told, unless a submission says otherwise.
    pub url: Option<String>,
    /// What they are signed with: by each, so that one can replace another.
    pub secrets: Vec<Secret>,
}

/// The receivers, by account.
pub type WebhookTargets = BTreeMap<String, Receiver>;

/// Those who vouch for receivers, beside those that the machine trusts.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<Certificate>);

impl Authorities {
    /// Reads their certificates from a text of PEM.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        install_provider();
        let certificates = Certificate::from_pem_bundle(pem);
        // What is no certificate for all its PEM is found where one is used.
        let used = |certificates: Vec<Certificate>| {
            let client = Client::builder().tls_certs_only(certificates.clone()).build();
            client.map(|_| Self(certificates))
        };
        certificates.and_then(used).map_err(|_| "it holds what is no certificate".to_owned())
    }
}

/// What is told, and where.
#[derive(Debug)]
pub struct Message<'a> {
    /// The account whose secrets sign it.
    pub account: &'a str,
    /// Where it goes.
    pub url: &'a str,
    /// The same for each try.
    pub id: &'a str,
    /// When this try begins.
    pub now: Timestamp,
    /// JSON.
    pub body: String,
}

/// Sends messages to receivers.
#[derive(Debug)]
pub struct Webhooks {
    http: Client,
    rules: Arc<Rules>,
    targets: WebhookTargets,
}

impl Webhooks {
    /// What sends to where `rules` allow it; a try takes `timeout` at most.
    pub fn new(
        rules: Rules,
        targets: WebhookTargets,
        authorities: &Authorities,
        timeout: Duration,
    ) -> Self {
        install_provider();
        let rules = Arc::new(rules);
        let builder = || builder(&rules, timeout);
        // To read the certificates takes long, and nothing is sent without a secret. A machine without
        // certificates can still speak plain HTTP.
        let is_used = targets.values().any(|receiver| !receiver.secrets.is_empty());
        let trusting = || builder().tls_certs_merge(authorities.0.clone());
        let with = is_used.then(|| trusting().build().ok()).flatten();
        let http = with.unwrap_or_else(|| {
            let without = builder().tls_certs_only([]).build();
            without.expect("a client that trusts nobody needs nothing")
        });
        Self { http, rules, targets }
    }

    /// Sends a message once. The answer's body is nobody's business, and not read.
    pub async fn send(&self, message: Message<'_>) -> (DeliveryResult, Option<u16>) {
        let secrets = self.targets.get(message.account).map(|receiver| &receiver.secrets);
        let Some(secrets) = secrets.filter(|secrets| !secrets.is_empty()) else {
            return (DeliveryResult::NoSecret, None);
        };
        // What was accepted under other rules.
        let Ok(url) = self.rules.check(message.url) else {
            return (DeliveryResult::NotAllowed, None);
        };
        let seconds = message.now.timestamp();
        let signed = |secret: &Secret| secret.sign(message.id, seconds, &message.body);
        let signatures: Vec<String> = secrets.iter().map(signed).collect();
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures.join(" "))
            .body(message.body);
        let call = StepTrace::current().call("webhook");
        let (result, status) = match request.send().await {
            Ok(response) => (heard(response.status()), Some(response.status().as_u16())),
            Err(error) => (lost(&error), None),
        };
        call.ended(result.as_str(), result != DeliveryResult::Delivered);
        (result, status)
    }
}

/// Whoever comes second finds the same one installed.
fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn builder(rules: &Arc<Rules>, timeout: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        // A proxy would look names up by itself, past the guard.
        .no_proxy()
        .dns_resolver(Guard::new(rules.clone()))
}

fn heard(status: StatusCode) -> DeliveryResult {
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
