//! Faults, scripted or by chance.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde::Serialize;

use super::time::later;

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
    /// This response, and nothing else happens.
    Respond {
        /// The HTTP status.
        status: u16,
        /// More headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// All is done as asked, and this is the response.
    RespondAfter {
        /// The HTTP status.
        status: u16,
        /// More headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// 429, and nothing else happens.
    Throttle(RetryAfter),
    /// 503 with `Retry-After`, and all is done as asked.
    ThrottleAfter(RetryAfter),
    /// The connection breaks, and nothing else happens.
    ResetBefore,
    /// All is done as asked, and the connection breaks instead of a response.
    ResetAfter,
    /// All is done as asked, and the response comes so much later.
    Stall(Duration),
    /// The response's body comes byte by byte, with a pause after each.
    SlowBody(Duration),
    /// The connection breaks in the middle of the response's body.
    CutBody,
    /// The access token is revoked: 401.
    RevokeToken,
    /// The response's body is that many bytes instead.
    Enormous(u64),
    /// An upload is stored, and its processing token is unknown for so long.
    UnknownFor(Duration),
    /// An upload is rejected as if its name existed, whatever its `Overwrite`.
    RejectName,
    /// A response to a status request has a word that no document names.
    OddWord,
    /// An upload is stored, and its first row is rejected, whatever is in it.
    RejectRow,
}

impl Fault {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Respond { status: 500.., .. } => "server_error",
            Self::Respond { .. } => "respond",
            Self::Throttle(_) => "throttled",
            Self::ResetBefore => "reset",
            Self::ResetAfter => "lost_response",
            Self::Stall(_) => "stall",
            Self::SlowBody(_) => "slow_body",
            Self::CutBody => "cut_body",
            Self::RevokeToken => "token_revoked",
            Self::Enormous(_) => "enormous",
            Self::RespondAfter { .. } => "done_otherwise",
            Self::ThrottleAfter(_) => "done_throttled",
            Self::UnknownFor(_) => "unknown_token",
            Self::RejectName => "name_rejected",
            Self::OddWord => "odd_word",
            Self::RejectRow => "rejected_row",
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
    pub throttled: f64,
    /// The connection breaks before anything happened.
    pub reset: f64,
    /// An upload is stored, and the connection breaks before the response.
    pub lost_response: f64,
    /// An access token that has been in use is revoked.
    pub token_revoked: f64,
    /// An upload is stored, and the response is 500, 502, 504, or a web page.
    pub done_otherwise: f64,
    /// An upload is stored, and the response is 503 with `Retry-After`.
    pub done_throttled: f64,
    /// An upload is stored, and its processing token is unknown for the time of `Retry-After`.
    pub unknown_token: f64,
    /// An upload is rejected as if its name existed, whatever its `Overwrite`.
    pub name_rejected: f64,
    /// The response to a status request has a word that no document names.
    pub odd_word: f64,
    /// The response to `GetResults` is 202 or 204.
    pub not_yet: f64,
}

impl FaultRates {
    /// Failures as a real Platform might have them, together as often as `share`.
    pub fn mixed(share: f64) -> Self {
        Self {
            server_error: share * 0.4,
            throttled: share * 0.2,
            reset: share * 0.2,
            lost_response: share * 0.1,
            token_revoked: share * 0.1,
            ..Self::default()
        }
    }
}

fn done_otherwise(rng: &mut Rng) -> Fault {
    let status = [500, 502, 504, 200][rng.usize(..4)];
    let body = "<html><body>upstream error</body></html>".to_owned();
    Fault::RespondAfter { status, headers: Vec::new(), body }
}

fn happens(rng: &mut Rng, rate: f64) -> bool {
    rate > 0.0 && rng.f64() < rate
}

/// A request, as far as its fault depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) now: DateTime<Utc>,
    pub(super) endpoint: Endpoint,
    /// Dataset name of an upload.
    pub(super) name: Option<&'a str>,
    /// True if its access token has been accepted before.
    pub(super) token_in_use: bool,
}

/// Decides on the fault of each request.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) rates: FaultRates,
    pub(super) retry_after: Duration,
    scripts: HashMap<Endpoint, VecDeque<Fault>>,
    /// Faults of the next upload of a dataset name.
    named: HashMap<String, Fault>,
    pub(super) outage: bool,
    throttled_until: Option<DateTime<Utc>>,
    allowance: Option<Allowance>,
}

/// The requests of a second, which are allowed.
#[derive(Debug)]
struct Allowance {
    per_second: f64,
    left: f64,
    seen: Option<DateTime<Utc>>,
}

impl Allowance {
    fn new(per_second: f64) -> Self {
        Self { per_second, left: per_second.max(1.0), seen: None }
    }

    /// True if another request is allowed, which uses it up.
    fn take(&mut self, now: DateTime<Utc>) -> bool {
        let since = self.seen.map_or(0.0, |seen| (now - seen).as_seconds_f64().max(0.0));
        self.left = (self.left + since * self.per_second).min(self.per_second.max(1.0));
        self.seen = Some(now);
        let is_allowed = self.left >= 1.0;
        self.left -= f64::from(u8::from(is_allowed));
        is_allowed
    }
}

impl Faults {
    pub(super) fn new(
        rates: FaultRates,
        retry_after: Duration,
        requests_per_second: Option<f64>,
    ) -> Self {
        Self {
            rates,
            retry_after,
            allowance: requests_per_second.map(Allowance::new),
            scripts: HashMap::new(),
            named: HashMap::new(),
            outage: false,
            throttled_until: None,
        }
    }

    /// Ends every fault but those of a dataset name.
    pub(super) fn clear(&mut self) {
        let named = std::mem::take(&mut self.named);
        let allowance = self.allowance.take();
        *self =
            Self { named, allowance, ..Self::new(FaultRates::default(), self.retry_after, None) };
    }

    pub(super) fn script(&mut self, endpoint: Endpoint, fault: Fault) {
        self.scripts.entry(endpoint).or_default().push_back(fault);
    }

    pub(super) fn script_name(&mut self, name: &str, fault: Fault) {
        self.named.insert(name.to_owned(), fault);
    }

    /// Removes a scripted fault that no request had yet.
    pub(super) fn unscript(&mut self, fault: &Fault) {
        self.scripts.values_mut().for_each(|script| script.retain(|one| one != fault));
    }

    pub(super) fn is_scripted(&self, fault: &Fault) -> bool {
        self.scripts.values().any(|script| script.contains(fault))
    }

    pub(super) fn is_script_done(&self) -> bool {
        self.scripts.values().all(VecDeque::is_empty)
    }

    pub(super) fn throttle(&mut self, now: DateTime<Utc>, delay: Duration) {
        self.throttled_until = Some(later(now, delay));
    }

    /// Time that every request but one for a token still gets 429.
    pub(super) fn throttled_for(&self, now: DateTime<Utc>) -> Duration {
        let left = self.throttled_until.map(|until| until - now);
        left.and_then(|left| left.to_std().ok()).unwrap_or_default()
    }

    /// The delay of the 429 to a request that comes too soon.
    fn throttled(&mut self, now: DateTime<Utc>) -> Option<RetryAfter> {
        let throttled_for = self.throttled_for(now);
        if !throttled_for.is_zero() {
            return Some(RetryAfter::Seconds(throttled_for.as_secs_f64().ceil()));
        }
        let is_allowed = self.allowance.as_mut().is_none_or(|allowance| allowance.take(now));
        (!is_allowed).then(|| self.asked_for())
    }

    /// The fault of the next request.
    pub(super) fn next(&mut self, asked: Asked<'_>, rng: &mut Rng) -> Option<Fault> {
        let Asked { now, endpoint, name, token_in_use } = asked;
        if let Some(fault) = self.scripts.get_mut(&endpoint).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        if self.outage {
            return Some(if rng.bool() { Fault::error(503) } else { Fault::ResetBefore });
        }
        if endpoint != Endpoint::Token
            && let Some(asked_for) = self.throttled(now)
        {
            return Some(Fault::Throttle(asked_for));
        }
        if let Some(fault) = name.and_then(|name| self.named.remove(name)) {
            return Some(fault);
        }
        let rates = self.rates;
        if happens(rng, rates.server_error) {
            return Some(Fault::error(if rng.bool() { 500 } else { 503 }));
        }
        if happens(rng, rates.throttled) {
            return Some(Fault::Throttle(self.asked_for()));
        }
        if happens(rng, rates.reset) {
            return Some(Fault::ResetBefore);
        }
        if endpoint == Endpoint::Upload {
            if happens(rng, rates.lost_response) {
                return Some(Fault::ResetAfter);
            }
            if happens(rng, rates.done_otherwise) {
                return Some(done_otherwise(rng));
            }
            if happens(rng, rates.done_throttled) {
                return Some(Fault::ThrottleAfter(self.asked_for()));
            }
            if happens(rng, rates.unknown_token) {
                return Some(Fault::UnknownFor(self.retry_after));
            }
            if happens(rng, rates.name_rejected) {
                return Some(Fault::RejectName);
            }
        }
        if endpoint == Endpoint::Status && happens(rng, rates.odd_word) {
            return Some(Fault::OddWord);
        }
        if !matches!(endpoint, Endpoint::Token | Endpoint::Upload) && happens(rng, rates.not_yet) {
            let status = if rng.bool() { 202 } else { 204 };
            return Some(Fault::Respond { status, headers: Vec::new(), body: String::new() });
        }
        (token_in_use && happens(rng, rates.token_revoked)).then_some(Fault::RevokeToken)
    }

    fn asked_for(&self) -> RetryAfter {
        RetryAfter::Seconds(self.retry_after.as_secs_f64())
    }
}
