//! The way from a worker to the simulated Platform: each request is a pending call of the history.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ferry::platform::{TransportError, Wire, WireRequest, WireResponse};
use ferry_sim::{Delivery, Effect, Endpoint, Fault, Request, Response, World};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use crate::calls::{Calls, Destination};
use crate::recorder::Recorder;
use crate::time::Time;
use crate::trace::{AccountNumber, Event, SubmissionNumber, WorkerNumber};

/// The way of one worker to the Platform, as one of its accounts.
#[derive(Debug, Clone)]
pub(crate) struct WorkerWire {
    pub(crate) worker: WorkerNumber,
    pub(crate) account: AccountNumber,
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) calls: Calls,
    pub(crate) recorder: Recorder,
    pub(crate) time: Time,
}

type Answer = Result<WireResponse, TransportError>;

#[async_trait]
impl Wire for WorkerWire {
    async fn send(&self, request: WireRequest) -> Answer {
        let number = self.calls.next_number();
        let (worker, account, endpoint) = (self.worker, self.account, endpoint(&request));
        let of = uploaded(&request).or_else(|| self.recorder.of_token(&token(&request)?));
        self.recorder.record(Event::Sent { request: number, worker, account, endpoint, of });
        let (wire, request) = (self.clone(), plain(&request, worker));
        let work = move |fault| (wire.carry_out(number, endpoint, of, &request, fault), Vec::new());
        let lost = |_| Err(TransportError::TimedOut("no response in time".to_owned()));
        let answer = self.calls.call(worker, Destination::Platform(endpoint), work, lost).await;
        let response = answer.as_ref().ok();
        self.recorder.record(Event::Read {
            request: number,
            status: response.map(|response| response.status.as_u16()),
            retry_after: response.and_then(retry_after),
        });
        answer
    }
}

impl WorkerWire {
    fn carry_out(
        &self,
        number: u64,
        endpoint: Endpoint,
        of: Option<SubmissionNumber>,
        request: &Request,
        fault: Option<Fault>,
    ) -> Answer {
        let mut world = self.world.lock().expect("no test has panicked");
        if let Some(fault) = fault {
            world.script(endpoint, fault);
        }
        let exchange = world.carry_out(self.time.platform_now(), request);
        let logged = world.requests().last().expect("it was just logged");
        let is_stored =
            matches!(logged.effect, Effect::Stored | Effect::Replaced | Effect::ReplacedForeign);
        let token = logged.processing_token.clone().filter(|_| is_stored);
        if let Some((token, of)) = token.as_ref().zip(of) {
            self.recorder.stored(token, of);
        }
        let (status, effect) = (logged.status, logged.effect);
        self.recorder.record(Event::Arrived { request: number, status, effect, token });
        match exchange.delivery {
            Delivery::Broken => Err(TransportError::NoResponse("the connection broke".to_owned())),
            _ => Ok(response(exchange.response)),
        }
    }
}

fn endpoint(request: &WireRequest) -> Endpoint {
    let query = request.url.query().unwrap_or_default();
    match request.url.path() {
        "/connect/token" => Endpoint::Token,
        "/upload/UploadData" => Endpoint::Upload,
        _ if query.contains("dataKey=status") => Endpoint::Status,
        _ if query.contains("dataKey=feedback") => Endpoint::Feedback,
        _ => Endpoint::Results,
    }
}

/// The submission of an upload, by the reference in its first row.
fn uploaded(request: &WireRequest) -> Option<SubmissionNumber> {
    let body: serde_json::Value = serde_json::from_slice(&request.body).ok()?;
    let row = body.get("Data")?.as_str()?.lines().nth(1)?;
    row.strip_prefix('S')?.split(',').next()?.parse().ok()
}

/// The processing token that a request is about.
fn token(request: &WireRequest) -> Option<String> {
    let mut pairs = request.url.query_pairs();
    pairs.find(|(key, _)| key == "token").map(|(_, token)| token.into_owned())
}

fn plain(request: &WireRequest, worker: WorkerNumber) -> Request {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let query = request.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Request {
        caller: worker.to_string(),
        method: request.method.to_string(),
        target: format!("{}{query}", request.url.path()),
        headers: request.headers.iter().map(header).collect(),
        body: request.body.clone(),
    }
}

fn response(response: Response) -> WireResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name of a header");
        headers.insert(name, HeaderValue::from_str(&value).expect("a value of a header"));
    }
    let status = StatusCode::from_u16(response.status).expect("a status");
    WireResponse { status, headers, body: response.body }
}

fn retry_after(response: &WireResponse) -> Option<Duration> {
    let seconds = response.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}
