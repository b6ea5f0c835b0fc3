//! Many submissions in one request: NDJSON in, NDJSON out, each line gets its response once it is durable.

mod lines;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::body::utf8;
use super::caller::Caller;
use super::capacity::Reservation;
use super::encoding::{Decoded, Encoding};
use super::error::ApiError;
use super::keys::Keys;
use super::middleware::Running;
use super::openapi::{self, BYTES, Input, Operation};
use super::query::Query;
use super::shared::Shared;
use crate::content_type::{content_type, media_type};
use crate::pipeline::{Prepared, SourceLabels};
use ferry_store::{Accepted, NewSubmission};
use ferry_types::contract::{BulkResponse, ProblemKind, SubmissionRequest};
use lines::{BulkLine, End, Lines};

const NDJSON: &str = "application/x-ndjson";

/// Lines that are stored together.
const BATCH: usize = 500;

/// Bytes of lines that are stored together; a longer line is stored alone.
const BATCH_BYTES: usize = 4 << 20;

/// Problems that the response to a line lists, and those to a batch together; each line lists one at least.
const LINE_PROBLEMS: usize = 20;
const BATCH_PROBLEMS: usize = 1000;

/// Batches of responses that wait for their client, and their bytes.
const WAITING_RESPONSES: usize = 64;
const WAITING_BYTES: usize = 2 << 20;

/// The lines of a request, and the type of the response.
pub(super) struct BulkBody {
    lines: Decoded,
    content_type: &'static str,
}

impl FromRequest<Arc<Shared>> for BulkBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let content_type = match &*media_type(content_type(&parts.headers)) {
            "application/x-ndjson" | "application/jsonl" | "application/ndjson" => NDJSON,
            // A generated client that does not know NDJSON gets bytes back.
            BYTES => BYTES,
            _ => {
                let what = "the `Content-Type` must be application/x-ndjson, or \
                            application/octet-stream";
                return Err(ApiError::new(ProblemKind::UnsupportedMediaType, what));
            }
        };
        let encoding = Encoding::of(&parts.headers)?;
        let owner = Caller::of(&parts)?.owner.clone();
        let lines = Decoded::new(body, encoding, shared, &owner)?;
        Ok(Self { lines, content_type })
    }
}

impl Input for BulkBody {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        let lines = |of: Vec<String>| json!(of.join("\n") + "\n");
        let sent = lines(openapi::bulk().iter().map(|one| json!(one).to_string()).collect());
        let written = openapi::bulk_responses();
        let written = lines(written.iter().map(|one| json!(one).to_string()).collect());
        let bytes = json!({ "type": "string", "format": "binary" });
        let operation = Encoding::describe(operation)
            .lines_body::<SubmissionRequest>(NDJSON, sent.clone())
            .body(BYTES, bytes.clone(), sent);
        operation
            .empty(200, "A line for each line", &[])
            .lines::<BulkResponse>(200, NDJSON, written.clone())
            .media(200, BYTES, bytes, Some(written))
            .problems(&[ProblemKind::InvalidRequest, ProblemKind::UnsupportedMediaType])
    }
}

/// No parameter is known here.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

/// Accepts lines and responds to each, until there are no more or the client leaves.
pub(super) async fn bulk(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(NoQuery {}): Query<NoQuery>,
    Extension(Running { id, slot }): Extension<Running>,
    BulkBody { lines, content_type }: BulkBody,
) -> Result<Response, ApiError> {
    let slow = shared.slots.slow(&caller.owner)?;
    let (responses, written) = mpsc::channel::<Waiting>(WAITING_RESPONSES);
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let receiver = Receiver { shared: shared.clone(), caller, request: id, responses, room };
    tokio::spawn(async move {
        let lines = Lines::new(lines, &shared, receiver.caller.owner.clone());
        receiver.all(lines).await;
        drop((slot, slow));
    });
    let written = stream::unfold(written, |mut written| async move {
        written.recv().await.map(|waiting| (Ok::<_, Infallible>(waiting.bytes), written))
    });
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
    Ok((StatusCode::OK, headers, Body::from_stream(written)).into_response())
}

/// A bulk that is being received.
struct Receiver {
    shared: Arc<Shared>,
    caller: Caller,
    request: String,
    responses: mpsc::Sender<Waiting>,
    /// Bytes of responses that may wait.
    room: Arc<Semaphore>,
}

/// Responses that wait for their client, and the room that they take.
struct Waiting {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// A line that was checked, and the room for its submission.
enum Checked<'a> {
    Ready(Box<NewSubmission>, Reservation<'a>),
    Invalid(ApiError),
}

impl Receiver {
    async fn all(self, mut lines: Lines) {
        loop {
            let batch = lines.batch(BATCH, BATCH_BYTES, &self.shared).await;
            let last = batch.last;
            // A stream may last for days.
            if let Err(error) = Keys::check(self.shared.parts.keys.as_ref(), &self.caller) {
                let first = batch.lines.first().map_or(last + 1, |(number, _)| *number);
                let _ = self.send(&[self.failed(first, error)]).await;
                return;
            }
            let responses = self.store(batch.lines).await;
            if !responses.is_empty() && self.send(&responses).await.is_err() {
                return;
            }
            if let Some(end) = batch.end {
                if let End::Broken(error) = end {
                    let _ = self.send(&[self.failed(last + 1, error)]).await;
                }
                return;
            }
            if self.shared.parts.shutdown.is_draining() {
                let what = "the server stops; lines from this one on were not stored";
                let error = ApiError::new(ProblemKind::Busy, what);
                let _ = self.send(&[self.failed(last + 1, error)]).await;
                return;
            }
        }
    }

    /// Stores the valid ones of these lines. Returns the responses to all of them, in their order.
    async fn store(&self, lines: Vec<(u64, BulkLine)>) -> Vec<BulkResponse> {
        let numbers: Vec<u64> = lines.iter().map(|(number, _)| *number).collect();
        let mut checked = Vec::with_capacity(lines.len());
        for prepared in self.prepare(lines).await {
            checked.push(self.admit(prepared).await);
        }
        let new = |checked: &Checked<'_>| match checked {
            Checked::Ready(new, _) => Some((**new).clone()),
            Checked::Invalid(_) => None,
        };
        let batch: Vec<NewSubmission> = checked.iter().filter_map(new).collect();
        let accepted = if batch.is_empty() {
            Ok(Vec::new())
        } else {
            self.shared.parts.intake.accept(batch).await.map_err(ApiError::from)
        };
        let mut accepted = accepted.map(Vec::into_iter);
        let response = |(checked, line): (Checked<'_>, u64)| {
            let room = match checked {
                Checked::Ready(_, room) => room,
                Checked::Invalid(error) => return self.failed(line, error),
            };
            match accepted.as_mut().map(Iterator::next) {
                Ok(Some(Accepted::New(id))) => {
                    room.used();
                    BulkResponse { line, id: Some(id), duplicate: false, error: None }
                }
                Ok(Some(Accepted::Duplicate(id))) => {
                    BulkResponse { line, id: Some(id), duplicate: true, error: None }
                }
                Ok(Some(Accepted::Conflict(id))) => self.failed(line, ApiError::conflict(id)),
                Ok(None) => self.failed(line, ApiError::internal("the store gave no response")),
                Err(error) => self.failed(line, error.clone()),
            }
        };
        checked.into_iter().zip(numbers).map(response).collect()
    }

    /// Reads and checks lines, beside the threads that serve requests.
    async fn prepare(&self, lines: Vec<(u64, BulkLine)>) -> Vec<Result<Prepared, ApiError>> {
        let (shared, caller) = (self.shared.clone(), self.caller.clone());
        let _turn = self.shared.bulk_checks.take(&self.caller.owner).await;
        let checked = tokio::task::spawn_blocking(move || {
            let mut room = BATCH_PROBLEMS;
            let one = |(_, line): (u64, BulkLine)| {
                let bytes = line.0?;
                let text = utf8("the line", &bytes)?;
                let mut request = SubmissionRequest::from_json(text).map_err(ApiError::invalid)?;
                request.account = caller.account_for(request.account)?;
                let prepared = shared.parts.intake.prepare(request, &SourceLabels::default());
                // A line of three kilobytes may have a thousand problems.
                prepared.map_err(|error| {
                    let error = caller.api_error(error).shortened(room.clamp(1, LINE_PROBLEMS));
                    room = room.saturating_sub(error.problem.problems.len());
                    error
                })
            };
            lines.into_iter().map(one).collect()
        });
        checked.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    async fn admit(&self, prepared: Result<Prepared, ApiError>) -> Checked<'_> {
        let admitted = async {
            let new = prepared?.new;
            self.caller.may_use(&new.account)?;
            let room = self.shared.capacity.room(self.shared.store(), &new.account).await?;
            Ok(Checked::Ready(Box::new(new), room))
        };
        admitted.await.unwrap_or_else(Checked::Invalid)
    }

    fn failed(&self, line: u64, error: ApiError) -> BulkResponse {
        let mut problem = error.problem;
        problem.instance = Some(self.request.clone());
        BulkResponse { line, id: None, duplicate: false, error: Some(*problem) }
    }

    async fn send(
        &self,
        responses: &[BulkResponse],
    ) -> Result<(), mpsc::error::SendError<Waiting>> {
        let mut text = Vec::new();
        for response in responses {
            // What serde makes of these types is always JSON.
            let _ = serde_json::to_writer(&mut text, response);
            text.push(b'\n');
        }
        let bytes = Bytes::from(text);
        let needed = u32::try_from(bytes.len().min(WAITING_BYTES)).unwrap_or_default();
        // A client that leaves frees the room of what waits for it.
        let room = self.room.clone().acquire_many_owned(needed).await.ok();
        self.responses.send(Waiting { bytes, _room: room }).await
    }
}
