//! The log of requests: the newest ones, each with its effect and its response.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::faults::Endpoint;

/// Number of requests that are remembered, the newest ones.
const MAX_REQUESTS: usize = 200_000;

/// A request, and what the Platform did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// Number of the request, counted from 1.
    pub number: u64,
    /// Time of arrival.
    pub at: DateTime<Utc>,
    /// Sender: over HTTP the address of the connection.
    pub caller: String,
    /// Client id of the access token, or of a request for one.
    pub account: Option<String>,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Dataset name, of an upload or of the processing token.
    pub name: Option<String>,
    /// Processing token that the request is about, or that the upload got.
    pub processing_token: Option<String>,
    /// Effect at the Platform.
    pub effect: Effect,
    /// Fault, if there was one.
    pub fault: Option<&'static str>,
    /// HTTP status of the response, which may get lost; `None` if the connection broke instead.
    pub status: Option<u16>,
    /// True if the whole response was sent.
    pub delivered: bool,
    /// True if the request came sooner than a 429 allowed.
    pub early: bool,
}

/// Effect of a request at the Platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// None: the request was rejected, denied or lost.
    Nothing,
    /// An access token was issued.
    TokenIssued,
    /// The dataset was stored, under a new name.
    Stored,
    /// The dataset was stored instead of an earlier one.
    Replaced,
    /// The dataset was stored instead of one that others had uploaded.
    ReplacedForeign,
    /// Status, feedback or a result was read.
    Read,
}

/// The newest requests.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    requests: VecDeque<LoggedRequest>,
    /// Number of the first one in `requests`.
    first: u64,
}

impl RequestLog {
    pub(super) fn push(&mut self, request: LoggedRequest) {
        if self.requests.len() == MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
        self.first = self.requests.front().map_or(0, |request| request.number);
    }

    pub(super) fn delivered(&mut self, number: u64) {
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(request) = at.and_then(|at| self.requests.get_mut(at)) {
            request.delivered = true;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.requests.iter()
    }
}
