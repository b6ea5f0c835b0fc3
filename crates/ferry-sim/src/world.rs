//! A simulated Platform without HTTP, which gets the time: faults, the ledger and the log of
//! requests around the Platform's own state.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::config::SimConfig;
use super::dialect::Dialect;
use super::exchange::{Delivery, Exchange, Request};
use super::faults::{Asked, Endpoint, Fault, FaultRates, Faults, RetryAfter};
use super::ledger::Ledger;
use super::parsed_request::ParsedRequest;
use super::platform::{Oddities, Platform, PlatformReply};
use super::reply::{Rejection, Reply, Word};
use super::requests::{LoggedRequest, RequestLog};
use super::throttles::Throttles;
use super::time::http_date;

/// A simulated Platform. To execute a request and to deliver its response are two acts, so that
/// anything may happen between them.
#[derive(Debug)]
pub struct World {
    platform: Platform,
    throttles: Throttles,
    faults: Faults,
    log: RequestLog,
    dialect: Dialect,
}

/// A reply with its way to the client.
struct Served {
    outcome: PlatformReply,
    delivery: Delivery,
    headers: Vec<(String, String)>,
}

impl World {
    /// Creates a Platform that has seen nothing.
    pub fn new(config: SimConfig) -> Self {
        Self {
            faults: Faults::new(config.faults, config.retry_after, config.requests_per_second),
            throttles: Throttles::default(),
            log: RequestLog::default(),
            dialect: config.dialect.unwrap_or(Dialect::PLAIN),
            platform: Platform::new(config),
        }
    }

    /// Executes a request that arrives at `now`.
    pub fn carry_out(&mut self, now: DateTime<Utc>, request: &Request) -> Exchange {
        let Some(parsed) = ParsedRequest::of(request) else {
            let rejection = Reply::rejection(Rejection::NoSuchPath);
            return self.exchange(now, Served::whole(rejection.into()), 0, None);
        };
        let early = self.throttles.is_early(now, parsed.dataset());
        let ledger = &mut self.platform.ledger;
        ledger.requests += 1;
        ledger.early_requests += u64::from(early);
        let number = ledger.requests;
        let fault = self.next_fault(now, &parsed);
        let account = self.platform.account_of(&parsed);
        let served = self.serve(now, &parsed, fault.as_ref());
        let stored = served.outcome.stored.clone();
        let query_token = Some(&parsed.query.token).filter(|token| !token.is_empty()).cloned();
        let name = match &parsed.upload {
            Some(upload) => Some(upload.name.clone()),
            None => self.platform.name_of(&parsed.query.token).map(str::to_owned),
        };
        let is_reported = matches!(served.outcome.reply, Reply::Stored { .. });
        let reports = name.clone().zip(stored.clone()).filter(|_| is_reported);
        let effect = served.outcome.effect;
        let exchange = self.exchange(now, served, number, reports);
        self.log.push(LoggedRequest {
            number,
            at: now,
            caller: request.caller.clone(),
            account,
            endpoint: parsed.endpoint,
            name,
            processing_token: stored.or(query_token),
            effect,
            fault: fault.as_ref().map(Fault::name),
            status: (exchange.delivery != Delivery::Broken).then_some(exchange.response.status),
            delivered: false,
            early,
        });
        exchange
    }

    /// Notes that the client has the whole response.
    pub fn delivered(&mut self, exchange: &Exchange) {
        self.log.delivered(exchange.number);
        if let Some((name, token)) = &exchange.reports {
            self.platform.ledger.reported(name, token);
        }
    }

    /// Counts of everything so far.
    pub fn ledger(&self) -> &Ledger {
        &self.platform.ledger
    }

    /// The newest requests, in the order of their arrival.
    pub fn requests(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.log.iter()
    }

    /// Gives `fault` to the next request to `endpoint` that has no scripted one yet.
    pub fn script(&mut self, endpoint: Endpoint, fault: Fault) {
        self.faults.script(endpoint, fault);
    }

    /// Gives `fault` to the next upload of a dataset called `name`.
    pub fn script_name(&mut self, name: &str, fault: Fault) {
        self.faults.script_name(name, fault);
    }

    /// Takes back a scripted fault that no request had yet.
    pub fn unscript(&mut self, fault: &Fault) {
        self.faults.unscript(fault);
    }

    /// True if a request to come has this scripted fault.
    pub fn is_scripted(&self, fault: &Fault) -> bool {
        self.faults.is_scripted(fault)
    }

    /// True if all scripted faults have been used.
    pub fn is_script_done(&self) -> bool {
        self.faults.is_script_done()
    }

    /// Fails every request while `outage` is true.
    pub fn set_outage(&mut self, outage: bool) {
        self.faults.outage = outage;
    }

    /// True during an outage.
    pub fn is_out(&self) -> bool {
        self.faults.outage
    }

    /// Gives each fault another probability.
    pub fn set_rates(&mut self, rates: FaultRates) {
        self.faults.rates = rates;
    }

    /// Probability of each fault.
    pub fn rates(&self) -> FaultRates {
        self.faults.rates
    }

    /// Responds 429 to every request but those for tokens, for so long from `now`.
    pub fn throttle_for(&mut self, now: DateTime<Utc>, delay: Duration) {
        self.faults.throttle(now, delay);
        if delay.is_zero() {
            self.throttles = Throttles::default();
        }
    }

    /// Time for which requests still get 429.
    pub fn throttled_for(&self, now: DateTime<Utc>) -> Duration {
        self.faults.throttled_for(now)
    }

    /// Denies the credentials, and every access token, while `denied` is true.
    pub fn set_denied(&mut self, denied: bool) {
        self.platform.denied = denied;
    }

    /// True while the credentials are denied.
    pub fn is_denied(&self) -> bool {
        self.platform.denied
    }

    /// `Retry-After` of a 429 by chance.
    pub fn retry_after(&self) -> Duration {
        self.faults.retry_after
    }

    /// The status of a dataset that was rejected.
    pub fn rejected_word(&self) -> &'static str {
        self.dialect.word(Word::Failed)
    }

    /// Ends every fault but those of a dataset name.
    pub fn calm(&mut self) {
        self.faults.clear();
        self.throttles = Throttles::default();
        self.platform.denied = false;
    }

    /// Others upload a dataset called `name`.
    pub fn occupy(&mut self, name: &str) {
        self.platform.occupy(name);
    }

    fn next_fault(&mut self, now: DateTime<Utc>, parsed: &ParsedRequest<'_>) -> Option<Fault> {
        let asked = Asked {
            now,
            endpoint: parsed.endpoint,
            name: parsed.upload.as_ref().map(|upload| upload.name.as_str()),
            token_in_use: self.platform.is_in_use(parsed.access_token()),
        };
        let fault = self.faults.next(asked, &mut self.platform.rng)?;
        *self.platform.ledger.faults.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    /// Executes the request as its fault demands.
    fn serve(
        &mut self,
        now: DateTime<Utc>,
        parsed: &ParsedRequest<'_>,
        fault: Option<&Fault>,
    ) -> Served {
        let oddities = match fault {
            Some(Fault::UnknownFor(delay)) => {
                Oddities { unknown_for: *delay, ..Oddities::default() }
            }
            Some(Fault::RejectName) => Oddities { reject_name: true, ..Oddities::default() },
            Some(Fault::OddWord) => Oddities { odd_word: true, ..Oddities::default() },
            Some(Fault::RejectRow) => Oddities { reject_row: true, ..Oddities::default() },
            _ => Oddities::default(),
        };
        if matches!(fault, Some(Fault::RevokeToken)) {
            self.platform.revoke(parsed.access_token());
        }
        let is_done =
            !matches!(fault, Some(Fault::Respond { .. } | Fault::Throttle(_) | Fault::ResetBefore));
        let done = is_done.then(|| self.platform.carry_out(now, parsed, oddities));
        let outcome = done.unwrap_or_else(|| Reply::rejection(Rejection::Throttled).into());
        let mut served = Served::whole(outcome);
        match fault {
            Some(
                Fault::Respond { status, headers, body }
                | Fault::RespondAfter { status, headers, body },
            ) => {
                let (status, headers, body) = (*status, headers.clone(), body.clone());
                served.outcome.reply = Reply::Dictated { status, headers, body };
            }
            Some(Fault::Throttle(retry_after)) => {
                served.headers = self.throttle(now, parsed, *retry_after);
            }
            Some(Fault::ThrottleAfter(retry_after)) => {
                served.headers = self.throttle(now, parsed, *retry_after);
                let (status, headers, body) = (503, Vec::new(), String::new());
                served.outcome.reply = Reply::Dictated { status, headers, body };
            }
            _ => served.delivery = delivery(fault),
        }
        served
    }

    /// Asks the client to wait.
    fn throttle(
        &mut self,
        now: DateTime<Utc>,
        parsed: &ParsedRequest<'_>,
        retry_after: RetryAfter,
    ) -> Vec<(String, String)> {
        let (value, delay) = match retry_after {
            RetryAfter::Seconds(seconds) => {
                let delay = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                (seconds.to_string(), delay)
            }
            RetryAfter::Date(delay) => {
                let (clock, at) = (self.clock(now), self.clock(now) + delay);
                // An HTTP date has whole seconds: it asks for no more than is left until then.
                let floor = at - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()));
                let left = (floor - clock).to_std().unwrap_or_default();
                (http_date(at), left.saturating_sub(Duration::from_secs(1)))
            }
            RetryAfter::Missing => return Vec::new(),
        };
        self.throttles.add(now, parsed.dataset(), delay, self.platform.config.notice);
        vec![("retry-after".to_owned(), value)]
    }

    fn exchange(
        &self,
        now: DateTime<Utc>,
        served: Served,
        number: u64,
        reports: Option<(String, String)>,
    ) -> Exchange {
        let mut response = self.dialect.response(&served.outcome.reply);
        response.headers.extend(served.headers);
        if response.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("date")) {
            response.headers.push(("date".to_owned(), http_date(self.clock(now))));
        }
        Exchange { response, delivery: served.delivery, number, reports }
    }

    /// The Platform's own clock, which may be wrong.
    fn clock(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + TimeDelta::seconds(self.platform.config.clock_skew)
    }
}

impl Served {
    fn whole(outcome: PlatformReply) -> Self {
        Self { outcome, delivery: Delivery::Whole, headers: Vec::new() }
    }
}

fn delivery(fault: Option<&Fault>) -> Delivery {
    match fault {
        Some(Fault::ResetBefore | Fault::ResetAfter) => Delivery::Broken,
        Some(Fault::Stall(delay)) => Delivery::Late(*delay),
        Some(Fault::SlowBody(delay)) => Delivery::Slow(*delay),
        Some(Fault::CutBody) => Delivery::Cut,
        Some(Fault::Enormous(bytes)) => Delivery::Enormous(*bytes),
        _ => Delivery::Whole,
    }
}
