//! How the simulator is spoken to: requests become questions to the world, and faults happen to
//! what travels.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use futures_util::stream;
use tokio::net::TcpListener;

use super::SimConfig;
use super::connection::{Breakables, Breaker};
use super::faults::{Endpoint, Fault, RetryAfter};
use super::world::{Reply, ResultsQuery, UploadData, World};
use crate::clock::{Clock, SystemClock};
use crate::domain::{Timestamp, timestamp};

/// What serves the requests.
#[derive(Debug)]
pub(super) struct Service {
    world: Mutex<World>,
    max_upload_bytes: usize,
    clock_skew: i64,
}

/// A request, taken apart.
struct Question {
    endpoint: Endpoint,
    access_token: Option<String>,
    authorization: String,
    content_type: String,
    query: ResultsQuery,
    body: Bytes,
    upload: Option<UploadData>,
}

pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let app = Router::new().fallback(answer).with_state(service);
    let app = app.into_make_service_with_connect_info::<Breaker>();
    // It ends with the task.
    let _ = axum::serve(Breakables(listener), app).await;
}

async fn answer(
    State(service): State<Arc<Service>>,
    ConnectInfo(breaker): ConnectInfo<Breaker>,
    request: Request,
) -> Response<Body> {
    if request.method() == Method::GET && request.uri().path() == "/ledger" {
        let ledger = serde_json::to_string(&service.world().ledger).unwrap_or_default();
        return respond(Reply { status: 200, content_type: "application/json", body: ledger });
    }
    match service.take_apart(request).await {
        Ok(question) => {
            let response = service.respond(question, &breaker).await;
            service.dated(response)
        }
        Err(reply) => respond(reply),
    }
}

impl Service {
    pub(super) fn new(config: SimConfig) -> Self {
        Self {
            max_upload_bytes: config.max_upload_bytes,
            clock_skew: config.clock_skew,
            world: Mutex::new(World::new(config)),
        }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_apart(&self, request: Request) -> Result<Question, Reply> {
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
        let body = to_bytes(body, self.max_upload_bytes)
            .await
            .map_err(|_| Reply::text(413, "the upload is too large"))?;
        let authorization = text(&parts.headers, &header::AUTHORIZATION);
        let upload = (endpoint == Endpoint::Upload).then(|| serde_json::from_slice(&body).ok());
        Ok(Question {
            endpoint,
            access_token: authorization.strip_prefix("Bearer ").map(str::to_owned),
            authorization,
            content_type: text(&parts.headers, &header::CONTENT_TYPE),
            query,
            body,
            upload: upload.flatten(),
        })
    }

    async fn respond(&self, question: Question, breaker: &Breaker) -> Response<Body> {
        let fault = {
            let mut world = self.world();
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
            Some(Fault::SlowDown(retry_after)) => self.slow_down(&question, retry_after),
            Some(Fault::ResetBefore) => broken(breaker),
            Some(Fault::RefuseToken) => {
                self.world().revoke(question.access_token.as_deref().unwrap_or_default());
                respond(self.reply(&question, false))
            }
            Some(Fault::ResetAfter) => {
                self.reply(&question, true);
                broken(breaker)
            }
            Some(Fault::Stall(pause)) => {
                let reply = self.reply(&question, false);
                tokio::time::sleep(pause).await;
                respond(reply)
            }
            Some(Fault::SlowBody(pause)) => slow(self.reply(&question, false), pause),
            Some(Fault::CutBody) => cut(self.reply(&question, true)),
            Some(Fault::Enormous(bytes)) => {
                self.reply(&question, true);
                enormous(bytes)
            }
            None => respond(self.reply(&question, false)),
        }
    }

    /// What the world answers.
    fn reply(&self, question: &Question, answer_lost: bool) -> Reply {
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
        match &question.upload {
            Some(upload) if question.content_type == "application/json" => {
                world.upload(upload, answer_lost)
            }
            _ => Reply::text(400, "not an upload: check the fields and the content type"),
        }
    }

    fn slow_down(&self, question: &Question, retry_after: RetryAfter) -> Response<Body> {
        let mut response = respond(Reply::text(429, "too many requests"));
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => {
                let pause = Duration::from_secs_f64(seconds);
                self.world().ask_to_wait(question.about(), pause);
                seconds.to_string()
            }
            RetryAfter::Date(pause) => {
                let at = self.now() + pause;
                // An HTTP date has whole seconds: it asks for no more than is left until then.
                let floor = timestamp(at.timestamp() * 1000);
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
    fn now(&self) -> Timestamp {
        timestamp(SystemClock.now().timestamp_millis() + self.clock_skew * 1000)
    }

    fn dated(&self, mut response: Response<Body>) -> Response<Body> {
        insert(response.headers_mut(), header::DATE, &http_date(self.now()));
        response
    }
}

impl Question {
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
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "token" => results.token = value.into_owned(),
            "dataKey" => results.data_key = value.into_owned(),
            "key" => results.key = value.into_owned(),
            _ => {}
        }
    }
    results
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn http_date(at: Timestamp) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn respond(reply: Reply) -> Response<Body> {
    build(reply.status, reply.content_type, None, Body::from(reply.body))
}

fn build(
    status: u16,
    content_type: &'static str,
    length: Option<u64>,
    body: Body,
) -> Response<Body> {
    let mut builder = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    if let Some(length) = length {
        builder = builder.header(header::CONTENT_LENGTH, length);
    }
    builder.body(body).unwrap_or_default()
}

fn broken(breaker: &Breaker) -> Response<Body> {
    breaker.break_off();
    Response::default()
}

fn slow(reply: Reply, pause: Duration) -> Response<Body> {
    let bytes = stream::unfold(reply.body.into_bytes().into_iter(), move |mut rest| async move {
        let byte = rest.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(Bytes::from(vec![byte])), rest))
    });
    build(reply.status, reply.content_type, None, Body::from_stream(bytes))
}

fn cut(reply: Reply) -> Response<Body> {
    let length = reply.body.len() as u64 + 1;
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let parts = stream::iter([Ok(Bytes::from(reply.body)), Err(error)]);
    build(reply.status, reply.content_type, Some(length), Body::from_stream(parts))
}

fn enormous(bytes: u64) -> Response<Body> {
    const CHUNK: u64 = 64 << 10;
    let chunks = stream::unfold(bytes, |left| async move {
        let size = left.min(CHUNK);
        let chunk = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size as usize]));
        (size > 0).then_some((chunk, left - size))
    });
    build(200, "text/plain", None, Body::from_stream(chunks))
}
