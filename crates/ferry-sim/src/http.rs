//! How the simulator is spoken to: requests become questions to the world, and faults happen to
//! what travels.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;

use super::SimConfig;
use super::answers::{broken, cut, enormous, respond, slow};
use super::connection::{AbortableConnections, Breaker};
use super::faults::{Endpoint, Fault, RetryAfter};
use super::world::{Reply, ResultsQuery, UploadData, World};

/// What serves the requests.
pub(super) struct Service {
    world: Mutex<World>,
    max_upload_bytes: usize,
    latency: Duration,
    clock_skew: i64,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

/// A request, taken apart.
struct ParsedRequest {
    endpoint: Endpoint,
    access_token: Option<String>,
    authorization: String,
    content_type: String,
    query: ResultsQuery,
    body: Bytes,
    upload: Option<UploadData>,
}

pub(super) async fn serve(listener: AbortableConnections, service: Arc<Service>) {
    let app = Router::new().fallback(response).with_state(service);
    let app = app.into_make_service_with_connect_info::<Breaker>();
    // It ends with the task.
    let _ = axum::serve(listener, app).await;
}

async fn response(
    State(service): State<Arc<Service>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request,
) -> Response<Body> {
    if request.method() == Method::GET && request.uri().path() == "/ledger" {
        let ledger = serde_json::to_string(&service.world().ledger).unwrap_or_default();
        return respond(Reply::of(200, "application/json", ledger));
    }
    let response = match service.take_apart(request).await {
        Ok(question) => respond_to(&service, question, &breaker).await,
        Err(reply) => respond(reply),
    };
    service.dated(response)
}

/// What the world answers, or what goes wrong instead.
async fn respond_to(
    service: &Arc<Service>,
    question: ParsedRequest,
    breaker: &Breaker,
) -> Response<Body> {
    let fault = {
        let mut world = service.world();
        world.note_request(question.about());
        world.next_fault(question.endpoint, question.access_token.as_deref())
    };
    match fault {
        Some(Fault::Respond { status, headers, body }) => {
            let mut response = respond(Reply::text(status, body));
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        }
        Some(Fault::SlowDown(retry_after)) => service.slow_down(&question, retry_after),
        Some(Fault::ResetBefore) => broken(breaker),
        Some(Fault::RefuseToken) => {
            service.world().revoke(question.access_token.as_deref().unwrap_or_default());
            respond(service.reply(&question, false))
        }
        Some(Fault::ResetAfter) => {
            service.reply(&question, true);
            broken(breaker)
        }
        // The client may not wait so long: only then it has been told.
        Some(Fault::Stall(delay)) => {
            let reply = service.reply(&question, true);
            tokio::time::sleep(delay).await;
            service.sent(&reply);
            respond(reply)
        }
        Some(Fault::SlowBody(delay)) => {
            let service = service.clone();
            let reply = service.reply(&question, true);
            slow(reply, delay, move |reply| service.sent(reply))
        }
        Some(Fault::CutBody) => cut(service.reply(&question, true)),
        Some(Fault::Enormous(bytes)) => {
            service.reply(&question, true);
            enormous(bytes)
        }
        None => {
            let reply = service.reply(&question, false);
            if !service.latency.is_zero() {
                tokio::time::sleep(service.latency).await;
            }
            respond(reply)
        }
    }
}

impl Service {
    pub(super) fn new(config: SimConfig) -> Self {
        Self {
            max_upload_bytes: config.max_upload_bytes,
            latency: config.latency,
            clock_skew: config.clock_skew,
            world: Mutex::new(World::new(config)),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_apart(&self, request: Request) -> Result<ParsedRequest, Reply> {
        let (parts, body) = request.into_parts();
        let query = results_query(parts.uri.query().unwrap_or_default());
        let endpoint = match (parts.method, parts.uri.path()) {
            (Method::POST, "/connect/token") => Endpoint::Token,
            (Method::POST, "/upload/UploadData") => Endpoint::Upload,
            (Method::GET, "/upload/GetResults") => match query.data_key.as_str() {
                "status" => Endpoint::Status,
                "feedback" => Endpoint::Feedback,
                _ => Endpoint::Results,
            },
            _ => return Err(Reply::text(404, "nothing here")),
        };
        let Some(body) = read(body, self.max_upload_bytes).await else {
            self.world().ledger.uploads_refused += u64::from(endpoint == Endpoint::Upload);
            return Err(Reply::text(413, "the upload is too large"));
        };
        let authorization = text(&parts.headers, &header::AUTHORIZATION);
        let upload = (endpoint == Endpoint::Upload).then(|| serde_json::from_slice(&body).ok());
        Ok(ParsedRequest {
            endpoint,
            access_token: authorization.strip_prefix("Bearer ").map(str::to_owned),
            authorization,
            content_type: media_type(&parts.headers),
            query,
            body,
            upload: upload.flatten(),
        })
    }

    /// What the world answers.
    fn reply(&self, question: &ParsedRequest, answer_lost: bool) -> Reply {
        let mut world = self.world();
        if question.endpoint == Endpoint::Token {
            let body = String::from_utf8_lossy(&question.body);
            return world.token(&question.authorization, &question.content_type, &body);
        }
        if let Err(reply) = world.authorize(question.access_token.as_deref()) {
            return reply;
        }
        if question.endpoint != Endpoint::Upload {
            return world.results(&question.query);
        }
        let is_json = question.content_type == "application/json";
        world.upload(question.upload.as_ref().filter(|_| is_json), answer_lost)
    }

    fn sent(&self, reply: &Reply) {
        if let Some((name, token)) = &reply.stored {
            self.world().ledger.sent(name, token);
        }
    }

    fn slow_down(&self, question: &ParsedRequest, retry_after: RetryAfter) -> Response<Body> {
        let mut response = respond(Reply::text(429, "too many requests"));
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => {
                let delay = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                self.world().ask_to_wait(question.about(), delay);
                seconds.to_string()
            }
            RetryAfter::Date(delay) => {
                let at = self.now() + delay;
                // An HTTP date has whole seconds: it asks for no more than is left until then.
                let floor = at - TimeDelta::nanoseconds(i64::from(at.timestamp_subsec_nanos()));
                let left = (floor - self.now()).to_std().unwrap_or_default();
                self.world()
                    .ask_to_wait(question.about(), left.saturating_sub(Duration::from_secs(1)));
                http_date(at)
            }
            RetryAfter::Missing => return response,
        };
        insert(response.headers_mut(), header::RETRY_AFTER, &value);
        response
    }

    /// By the simulator's own clock, which may be wrong.
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "the Platform has a clock of its own")]
        let now = DateTime::from(SystemTime::now());
        now + TimeDelta::seconds(self.clock_skew)
    }

    fn dated(&self, mut response: Response<Body>) -> Response<Body> {
        if !response.headers().contains_key(header::DATE) {
            insert(response.headers_mut(), header::DATE, &http_date(self.now()));
        }
        response
    }
}

impl ParsedRequest {
    /// The dataset that it is about, by Name or processing token.
    fn about(&self) -> Option<&str> {
        match self.endpoint {
            Endpoint::Token => None,
            Endpoint::Upload => self.upload.as_ref().map(|upload| upload.name.as_str()),
            Endpoint::Status | Endpoint::Feedback | Endpoint::Results => Some(&self.query.token),
        }
    }
}

fn results_query(query: &str) -> ResultsQuery {
    let mut results = ResultsQuery::default();
    let mut names = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "token" => results.token = value.into_owned(),
            "dataKey" => results.data_key = value.into_owned(),
            "key" => results.key = value.into_owned(),
            _ => {}
        }
        names.push(name);
    }
    names.sort_unstable();
    results.is_strange = names != ["dataKey", "key", "token"];
    results
}

/// A body that is not longer than allowed. One that is gets read to its end all the same: whoever
/// is cut off while sending may never see the answer.
async fn read(body: Body, limit: usize) -> Option<Bytes> {
    let mut stream = body.into_data_stream();
    let (mut read, mut length) = (Vec::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.ok()?;
        length += chunk.len();
        if length <= limit {
            read.extend_from_slice(&chunk);
        }
    }
    (length <= limit).then(|| read.into())
}

/// The content type in lower case, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let content_type = text(headers, &header::CONTENT_TYPE).to_ascii_lowercase();
    content_type.split(';').next().unwrap_or_default().trim().to_owned()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
