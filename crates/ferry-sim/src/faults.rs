//! Faults, scripted or by chance.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

/// A call of the Upload API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The token endpoint.
    Token,
    /// `UploadData`.
    Upload,
    /// `GetResults` with `dataKey=status`.
    Status,
    /// `GetResults` with `dataKey=feedback`.
    Feedback,
    /// `GetResults` with any other key.
    Results,
}

/// `Retry-After` of a 429.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryAfter {
    /// In seconds.
    Seconds(f64),
    /// As the date so long from now, by the simulator's own clock.
    Date(Duration),
    /// Not at all.
    Missing,
}

/// A fault of one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This answer, and nothing else happens.
    Respond {
        /// The HTTP status.
        status: u16,
        /// More headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// All is done as asked, and this is the answer.
    RespondAfter {
        /// The HTTP status.
        status: u16,
        /// More headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// 429, and nothing else happens.
    SlowDown(RetryAfter),
    /// 503 with `Retry-After`, and all is done as asked.
    SlowDownAfter(RetryAfter),
    /// The connection breaks, and nothing else happens.
    ResetBefore,
    /// All is done as asked, and the connection breaks instead of an answer.
    ResetAfter,
    /// All is done as asked, and the answer comes so much later.
    Stall(Duration),
    /// The answer's body comes byte by byte, with a pause after each.
    SlowBody(Duration),
    /// The connection breaks in the middle of the answer's body.
    CutBody,
    /// The access token is revoked: 401.
    RefuseToken,
    /// The answer's body is that many bytes instead.
    Enormous(u64),
    /// An upload is stored, and its processing token is unknown for so long.
    UnknownFor(Duration),
    /// An upload is refused as if its name existed, whatever its `Overwrite`.
    RefuseName,
    /// An answer to a status request has a word that no document names.
    OddWord,
}

impl Fault {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Respond { status: 500.., .. } => "server_error",
            Self::Respond { .. } => "respond",
            Self::SlowDown(_) => "slow_down",
            Self::ResetBefore => "reset",
            Self::ResetAfter => "lost_answer",
            Self::Stall(_) => "stall",
            Self::SlowBody(_) => "slow_body",
            Self::CutBody => "cut_body",
            Self::RefuseToken => "token_refusal",
            Self::Enormous(_) => "enormous",
            Self::RespondAfter { .. } => "done_otherwise",
            Self::SlowDownAfter(_) => "done_throttled",
            Self::UnknownFor(_) => "unknown_token",
            Self::RefuseName => "name_refusal",
            Self::OddWord => "odd_word",
        }
    }

    fn error(status: u16) -> Self {
        let body = "<html><body>upstream error</body></html>".to_owned();
        Self::Respond { status, headers: Vec::new(), body }
    }
}

/// Probability of each fault for a request, from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultRates {
    /// 500 or 503.
    pub server_error: f64,
    /// 429 with `Retry-After`.
    pub slow_down: f64,
    /// The connection breaks before anything happened.
    pub reset: f64,
    /// An upload is stored, and the connection breaks before the answer.
    pub lost_answer: f64,
    /// An access token that has been in use is revoked.
    pub token_refusal: f64,
    /// An upload is stored, and the answer is 500, 502, 504, or a web page.
    pub done_otherwise: f64,
    /// An upload is stored, and the answer is 503 with `Retry-After`.
    pub done_throttled: f64,
    /// An upload is stored, and its processing token is unknown for the time of `Retry-After`.
    pub unknown_token: f64,
    /// An upload is refused as if its name existed, whatever its `Overwrite`.
    pub name_refusal: f64,
    /// The answer to a status request has a word that no document names.
    pub odd_word: f64,
    /// The answer to `GetResults` is 202 or 204.
    pub not_yet: f64,
}

fn done_otherwise(rng: &mut Rng) -> Fault {
    let status = [500, 502, 504, 200][rng.usize(..4)];
    let body = "<html><body>upstream error</body></html>".to_owned();
    Fault::RespondAfter { status, headers: Vec::new(), body }
}

fn happens(rng: &mut Rng, rate: f64) -> bool {
    rate > 0.0 && rng.f64() < rate
}

/// Decides on the fault of each request.
#[derive(Debug)]
pub(super) struct Faults {
    rates: FaultRates,
    retry_after: Duration,
    scripts: HashMap<Endpoint, VecDeque<Fault>>,
    pub(super) outage: bool,
}

impl Faults {
    pub(super) fn new(rates: FaultRates, retry_after: Duration) -> Self {
        Self { rates, retry_after, scripts: HashMap::new(), outage: false }
    }

    pub(super) fn script(&mut self, endpoint: Endpoint, fault: Fault) {
        self.scripts.entry(endpoint).or_default().push_back(fault);
    }

    pub(super) fn is_script_done(&self) -> bool {
        self.scripts.values().all(VecDeque::is_empty)
    }

    /// The fault of the next request to `endpoint`; `token_in_use` is true if its access token
    /// has been accepted before.
    pub(super) fn next(
        &mut self,
        endpoint: Endpoint,
        token_in_use: bool,
        rng: &mut Rng,
    ) -> Option<Fault> {
        if let Some(fault) = self.scripts.get_mut(&endpoint).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        if self.outage {
            return Some(if rng.bool() { Fault::error(503) } else { Fault::ResetBefore });
        }
        let rates = self.rates;
        if happens(rng, rates.server_error) {
            return Some(Fault::error(if rng.bool() { 500 } else { 503 }));
        }
        if happens(rng, rates.slow_down) {
            return Some(Fault::SlowDown(self.asked_for()));
        }
        if happens(rng, rates.reset) {
            return Some(Fault::ResetBefore);
        }
        if endpoint == Endpoint::Upload {
            if happens(rng, rates.lost_answer) {
                return Some(Fault::ResetAfter);
            }
            if happens(rng, rates.done_otherwise) {
                return Some(done_otherwise(rng));
            }
            if happens(rng, rates.done_throttled) {
                return Some(Fault::SlowDownAfter(self.asked_for()));
            }
            if happens(rng, rates.unknown_token) {
                return Some(Fault::UnknownFor(self.retry_after));
            }
            if happens(rng, rates.name_refusal) {
                return Some(Fault::RefuseName);
            }
        }
        if endpoint == Endpoint::Status && happens(rng, rates.odd_word) {
            return Some(Fault::OddWord);
        }
        if !matches!(endpoint, Endpoint::Token | Endpoint::Upload) && happens(rng, rates.not_yet) {
            let status = if rng.bool() { 202 } else { 204 };
            return Some(Fault::Respond { status, headers: Vec::new(), body: String::new() });
        }
        (token_in_use && happens(rng, rates.token_refusal)).then_some(Fault::RefuseToken)
    }

    fn asked_for(&self) -> RetryAfter {
        RetryAfter::Seconds(self.retry_after.as_secs_f64())
    }
}
