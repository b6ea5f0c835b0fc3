//! Counts what the client does. What is counted says nothing of what was sent or answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::StatusCode;

use super::response::PlatformResponse;
use super::wire::TransportError;
use super::{FEEDBACK, RESULTS, STATUS, UPLOAD};
use crate::metrics::{Class, Direction, Endpoint, Metrics, TokenResult};
use crate::traces::StepTrace;
use ferry_types::clock::Clock;
use ferry_types::domain::later;
use ferry_types::domain::outcome::PlatformError;

/// Counts for one account.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    metrics: Arc<Metrics>,
    account: Arc<str>,
}

impl Observer {
    pub(super) fn new(metrics: Arc<Metrics>, account: &str) -> Self {
        Self { metrics, account: account.into() }
    }

    /// Waits for the answer to a request, and counts it.
    pub(super) async fn observe(
        &self,
        endpoint: &str,
        requested: impl Future<Output = Result<PlatformResponse, TransportError>>,
        clock: &dyn Clock,
    ) -> Result<PlatformResponse, TransportError> {
        let (started, endpoint, step) = (Instant::now(), label(endpoint), StepTrace::current());
        let call = step.call(endpoint.as_str());
        let response = requested.await;
        let wait = response.as_ref().ok().and_then(|response| response.throttled(clock.now()));
        if let Some(PlatformError::Throttled { retry_after: Some(delay), .. }) = wait {
            self.metrics.retry_after(delay);
        }
        let class = match &response {
            Ok(_) if wait.is_some() => Class::Throttled,
            Ok(response) => class(response.status),
            Err(TransportError::NotSent(_)) => Class::NoConnection,
            Err(TransportError::Unanswered(_) | TransportError::Unreadable(_)) => Class::NoResponse,
            Err(TransportError::TooLarge) => Class::TooLarge,
        };
        let exemplar = step.exemplar(clock.now());
        self.metrics.request(&self.account, endpoint, class, started.elapsed(), exemplar);
        call.ended(class.as_str(), class != Class::Ok);
        response
    }

    /// Counts a token that was asked for; `left` is how long it lasts.
    pub(super) fn token(&self, left: Result<Duration, &PlatformError>, clock: &dyn Clock) {
        let result = match left {
            Ok(left) => {
                self.metrics.token_expires(&self.account, later(clock.now(), left));
                TokenResult::Ok
            }
            Err(PlatformError::Credentials(_)) => TokenResult::Denied,
            Err(_) => TokenResult::Failed,
        };
        self.metrics.token(&self.account, result);
    }

    pub(super) fn payload(&self, direction: Direction, bytes: u64) {
        self.metrics.payload(direction, bytes);
    }
}

fn label(endpoint: &str) -> Endpoint {
    match endpoint {
        UPLOAD => Endpoint::Upload,
        STATUS => Endpoint::Status,
        FEEDBACK => Endpoint::Feedback,
        RESULTS => Endpoint::Results,
        _ => Endpoint::Token,
    }
}

fn class(status: StatusCode) -> Class {
    match status.as_u16() {
        200..300 => Class::Ok,
        401 => Class::Unauthorized,
        403 => Class::Forbidden,
        404 => Class::NotFound,
        408 | 425 => Class::ServerError,
        400..500 => Class::ClientError,
        _ => Class::ServerError,
    }
}
