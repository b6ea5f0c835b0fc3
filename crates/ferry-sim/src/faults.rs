//! What goes wrong, when told to or by chance.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use fastrand::Rng;

/// A call of the Upload API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// How a 429 says how long to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryAfter {
    /// In seconds.
    Seconds(f64),
    /// As the date so long from now, by the simulator's own clock.
    Date(Duration),
    /// Not at all.
    Missing,
}

/// Something that goes wrong with one request.
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
    /// 429, and nothing else happens.
    SlowDown(RetryAfter),
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
        }
    }

    fn error(status: u16) -> Self {
        let body = "<html><body>upstream error</body></html>".to_owned();
        Self::Respond { status, headers: Vec::new(), body }
    }
}

/// How likely each fault is for a request, from 0 to 1.
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
}

/// Decides what goes wrong.
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

    /// The fault of the next request to `endpoint`; `token_in_use` says whether its access token has
    /// been accepted before.
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
        let mut happens = |rate: f64| rate > 0.0 && rng.f64() < rate;
        if happens(rates.server_error) {
            return Some(Fault::error(if rng.bool() { 500 } else { 503 }));
        }
        if happens(rates.slow_down) {
            return Some(Fault::SlowDown(RetryAfter::Seconds(self.retry_after.as_secs_f64())));
        }
        if happens(rates.reset) {
            return Some(Fault::ResetBefore);
        }
        if endpoint == Endpoint::Upload && happens(rates.lost_answer) {
            return Some(Fault::ResetAfter);
        }
        (token_in_use && happens(rates.token_refusal)).then_some(Fault::RefuseToken)
    }
}
