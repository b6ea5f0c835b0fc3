//! Many submissions in one request: NDJSON in, NDJSON out, each line answered once it is durable.

mod lines;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use super::Shared;
use super::caller::Caller;
use super::capacity::Reservation;
use super::encoding::{Decoded, Encoding};
use super::error::ApiError;
use super::middleware::{ConcurrencySlot, RequestId};
use super::params::Params;
use crate::pipeline::{Prepared, SourceLabels};
use ferry_store::{Accepted, NewSubmission};
use ferry_types::contract::{BulkResponse, ProblemKind, SubmissionRequest};
use lines::{BulkLine, End, Lines};

/// Lines that are kept together.
const BATCH: usize = 500;

/// Bytes of lines that are kept together; a longer line is kept alone.
const BATCH_BYTES: usize = 4 << 20;

/// Batches of answers that wait for their client.
const ANSWERS: usize = 64;

/// Takes lines in and answers each, until the client has no more or hears no more.
pub(super) async fn bulk(
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(id)): Extension<RequestId>,
    Extension(location): Extension<ConcurrencySlot>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    Params::of(&parts.uri).done()?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !matches!(media_type, "application/x-ndjson" | "application/jsonl" | "application/ndjson") {
        let what = "the `Content-Type` must be application/x-ndjson";
        return Err(ApiError::new(ProblemKind::UnsupportedMediaType, what));
    }
    let body = Decoded::new(body, Encoding::of(&parts.headers)?, &shared)?;
    let (responses, answered) = mpsc::channel::<Bytes>(ANSWERS);
    let taking = Taking { shared: shared.clone(), caller, request: id, responses };
    tokio::spawn(async move {
        taking.all(Lines::new(body, &shared)).await;
        drop(location);
    });
    let answered = stream::unfold(answered, |mut answered| async move {
        answered.recv().await.map(|bytes| (Ok::<_, Infallible>(bytes), answered))
    });
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    let headers = [(header::CONTENT_TYPE, ndjson)];
    Ok((StatusCode::OK, headers, Body::from_stream(answered)).into_response())
}

/// One bulk under way.
struct Taking {
    shared: Arc<Shared>,
    caller: Caller,
    request: String,
    responses: mpsc::Sender<Bytes>,
}

/// A line that was checked, and the room for its submission.
enum Checked<'a> {
    Ready(Box<NewSubmission>, Reservation<'a>),
    Refused(ApiError),
}

impl Taking {
    async fn all(self, mut lines: Lines) {
        loop {
            let batch = lines.batch(BATCH, BATCH_BYTES, &self.shared).await;
            let last = batch.last;
            let responses = self.keep(batch.lines).await;
            if !responses.is_empty() && self.send(&responses).await.is_err() {
                return;
            }
            if let Some(end) = batch.end {
                if let End::Broken(error) = end {
                    let _ = self.send(&[self.refused(last + 1, error)]).await;
                }
                return;
            }
            if self.shared.parts.shutdown.is_draining() {
                let what = "the server stops; lines from this one on were not taken";
                let error = ApiError::new(ProblemKind::Busy, what);
                let _ = self.send(&[self.refused(last + 1, error)]).await;
                return;
            }
        }
    }

    /// Keeps what is valid of these lines, and answers all of them, in their order.
    async fn keep(&self, lines: Vec<(u64, BulkLine)>) -> Vec<BulkResponse> {
        let numbers: Vec<u64> = lines.iter().map(|(number, _)| *number).collect();
        let mut checked = Vec::with_capacity(lines.len());
        for prepared in self.prepare(lines).await {
            checked.push(self.admit(prepared).await);
        }
        let new = |checked: &Checked<'_>| match checked {
            Checked::Ready(new, _) => Some((**new).clone()),
            Checked::Refused(_) => None,
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
                Checked::Refused(error) => return self.refused(line, error),
            };
            match accepted.as_mut().map(Iterator::next) {
                Ok(Some(Accepted::New(id))) => {
                    room.used();
                    BulkResponse { line, id: Some(id), duplicate: false, error: None }
                }
                Ok(Some(Accepted::Duplicate(id))) => {
                    BulkResponse { line, id: Some(id), duplicate: true, error: None }
                }
                Ok(Some(Accepted::Conflict(id))) => self.refused(line, ApiError::conflict(id)),
                Ok(None) => self.refused(line, ApiError::internal("the store gave no answer")),
                Err(error) => self.refused(line, error.clone()),
            }
        };
        checked.into_iter().zip(numbers).map(response).collect()
    }

    /// Reads and checks lines, beside the threads that answer requests.
    async fn prepare(&self, lines: Vec<(u64, BulkLine)>) -> Vec<Result<Prepared, ApiError>> {
        let (shared, caller) = (self.shared.clone(), self.caller.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let one = |(_, line): (u64, BulkLine)| {
                let bytes = line.0?;
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| ApiError::invalid("the line is not UTF-8"))?;
                let mut request = SubmissionRequest::from_json(text).map_err(ApiError::invalid)?;
                request.account = caller.account_for(request.account)?;
                Ok(shared.parts.intake.prepare(request, &SourceLabels::default())?)
            };
            lines.into_iter().map(one).collect()
        });
        checked.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    async fn admit(&self, prepared: Result<Prepared, ApiError>) -> Checked<'_> {
        let admitted = async {
            let new = prepared?.new;
            self.caller.may_use(&new.account)?;
            let store = self.shared.parts.store.as_ref();
            let room = self.shared.capacity.room(store, &new.account).await?;
            Ok(Checked::Ready(Box::new(new), room))
        };
        admitted.await.unwrap_or_else(Checked::Refused)
    }

    fn refused(&self, line: u64, error: ApiError) -> BulkResponse {
        let mut problem = error.problem;
        problem.instance = Some(self.request.clone());
        BulkResponse { line, id: None, duplicate: false, error: Some(*problem) }
    }

    async fn send(&self, responses: &[BulkResponse]) -> Result<(), mpsc::error::SendError<Bytes>> {
        let mut text = Vec::new();
        for response in responses {
            // What serde makes of these types is always JSON.
            let _ = serde_json::to_writer(&mut text, response);
            text.push(b'\n');
        }
        self.responses.send(text.into()).await
    }
}
