//! Counts and traces the requests of one account. Nothing here says what was sent or received.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;

use super::access_log::AccessLog;
use super::endpoint::{FEEDBACK, RESULTS, STATUS, UPLOAD};
use super::metrics::{Class, Direction, Endpoint, PayloadMetrics, PlatformMetrics, TokenResult};
use super::response::PlatformResponse;
use super::wire::TransportError;
use crate::metrics::{Account, seconds};
use crate::traces::StepTrace;
use ferry_types::clock::{Clock, MonotonicClock};
use ferry_types::domain::later;
use ferry_types::domain::outcome::PlatformError;

/// Counts for one account.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    pub(super) account: Account,
    pub(super) metrics: Arc<PlatformMetrics>,
    pub(super) payloads: Arc<PayloadMetrics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
    pub(super) access: AccessLog,
}

impl Observer {
    /// Waits for the response to a request, and counts it.
    pub(super) async fn observe(
        &self,
        endpoint: &str,
        requested: impl Future<Output = Result<PlatformResponse, TransportError>>,
    ) -> Result<PlatformResponse, TransportError> {
        let (started, endpoint) = (self.monotonic.now(), label(endpoint));
        let step = StepTrace::current();
        let call = step.call(endpoint.as_str());
        let response = requested.await;
        let now = self.clock.now();
        let throttled = response.as_ref().ok().and_then(|response| response.throttled(now));
        if let Some(PlatformError::Throttled { retry_after: Some(delay), .. }) = throttled {
            self.metrics.delays.observe((), delay.as_secs_f64());
        }
        let class = match &response {
            Ok(_) if throttled.is_some() => Class::Throttled,
            Ok(response) => class(response.status),
            Err(TransportError::NotSent(_)) => Class::NoConnection,
            Err(
                TransportError::NoResponse(_)
                | TransportError::TimedOut(_)
                | TransportError::CutShort(_)
                | TransportError::Unreadable(_),
            ) => Class::NoResponse,
            Err(TransportError::TooLarge) => Class::TooLarge,
        };
        let seconds = self.monotonic.elapsed(started).as_secs_f64();
        self.metrics.requests.inc((self.account.clone(), endpoint, class));
        self.metrics.durations.observe_with(endpoint, seconds, step.exemplar(now));
        call.ended(class.as_str(), class != Class::Ok);
        response
    }

    /// Counts a token that was requested; `left` is its lifetime.
    pub(super) fn token(&self, left: Result<Duration, &PlatformError>) {
        let result = match left {
            Ok(left) => {
                let now = self.clock.now();
                self.access.issued(now, later(now, left));
                let expiry = seconds(later(now, left));
                self.metrics.token_expiry.set(self.account.clone(), expiry);
                TokenResult::Ok
            }
            Err(error) => self.denied(error),
        };
        self.metrics.tokens.inc((self.account.clone(), result));
    }

    /// Records that the credentials were denied, if the error says so.
    pub(super) fn denied(&self, error: &PlatformError) -> TokenResult {
        let PlatformError::Credentials(response) = error else { return TokenResult::Failed };
        self.access.denied(self.clock.now(), response);
        TokenResult::Denied
    }

    pub(super) fn payload(&self, direction: Direction, bytes: u64) {
        self.payloads.bytes.observe(direction, bytes as f64);
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
