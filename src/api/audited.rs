//! Records what operators do, whatever becomes of the connection that a request came on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::RequestExt;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, error};

use super::caller::Caller;
use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::middleware::{Running, panicked};
use super::openapi::{Input, Operation};
use super::shared::Shared;
use crate::audit::{Audit, AuditAction};
use crate::shutdown::Shutdown;
use ferry_store::StoreError;
use ferry_types::causes::chain;
use ferry_types::clock::Clock;
use ferry_types::domain::SubmissionId;

/// The outcome of an action that was left when the server was aborted.
const ABORTED: &str = "unknown: the server was aborted meanwhile";

/// The action of a request. Its handler records the intent before it changes anything.
#[derive(Debug, Clone)]
pub(super) struct Audited(Arc<Trail>);

#[derive(Debug)]
struct Trail {
    audit: Audit,
    clock: Arc<dyn Clock>,
    recorded: Mutex<Recorded>,
}

#[derive(Debug)]
struct Recorded {
    action: AuditAction,
    /// The number of the intent's record.
    intent: Option<u64>,
}

impl Audited {
    /// The action that a request asks for.
    pub(super) async fn of(
        shared: &Shared,
        caller: &Caller,
        id: String,
        request: &mut Request,
    ) -> Self {
        let is_page = request.uri().path().starts_with("/console");
        let via = if is_page { "console" } else { "api" };
        let client = request.extensions().get::<ClientAddr>().map(ToString::to_string);
        let action = AuditAction {
            actor: caller.name.clone(),
            via,
            action: canonical(request).await,
            details: None,
            client,
            request: Some(id),
        };
        Self(Arc::new(Trail {
            audit: shared.parts.audit.clone(),
            clock: shared.parts.clock.clone(),
            recorded: Mutex::new(Recorded { action, intent: None }),
        }))
    }

    /// Records what is about to be done; an error if that is not possible, and then nothing may be done.
    pub(super) async fn intend(&self, details: Option<String>) -> Result<(), ApiError> {
        let recorded = self.blocking(|trail| {
            let mut recorded = trail.recorded.lock();
            recorded.action.details = details;
            recorded.intent = trail.audit.intend(&recorded.action, trail.clock.now())?;
            Ok::<_, crate::audit::AuditError>(())
        });
        let failure = match recorded.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => chain(&failure),
            Err(interrupted) => interrupted.to_string(),
        };
        error!(error = failure, "denied an action that cannot be recorded");
        let what = "the audit log cannot be written, so nothing was done; the log says why";
        Err(ApiError::internal(what))
    }

    /// Records intent and outcome of a part of this action, as if `part` had been asked for alone, and does
    /// it.
    pub(super) async fn part<T>(
        &self,
        part: String,
        details: Option<String>,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Result<T, StoreError>, ApiError> {
        let Trail { audit, clock, recorded } = &*self.0;
        let whole = recorded.lock().action.clone();
        let recorded = Recorded { action: AuditAction { action: part, ..whole }, intent: None };
        let recorded = Mutex::new(recorded);
        let part = Self(Arc::new(Trail { audit: audit.clone(), clock: clock.clone(), recorded }));
        part.intend(details).await?;
        let done = act.await;
        part.conclude(done.as_ref().map_or_else(ToString::to_string, |_| "200".to_owned())).await;
        Ok(done)
    }

    async fn conclude(&self, outcome: String) {
        let concluded = self.blocking(move |trail| {
            let recorded = trail.recorded.lock();
            let Recorded { action, intent } = &*recorded;
            trail.audit.conclude(action, *intent, &outcome, trail.clock.now());
        });
        if let Err(interrupted) = concluded.await {
            error!("the outcome of an action was not recorded: {interrupted}");
        }
    }

    /// Runs beside the runtime's threads what waits for a disk. An error if it panics, or the runtime ends.
    fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Trail) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let (trail, span) = (self.0.clone(), Span::current());
        tokio::task::spawn_blocking(move || span.in_scope(|| run(&trail)))
    }

    /// Awaits the handler of the action, and records its outcome.
    async fn follow(self, handler: impl Future<Output = Response>, shutdown: Shutdown) -> Response {
        let handled = AssertUnwindSafe(handler).catch_unwind();
        let (outcome, response) = tokio::select! {
            biased;
            handled = handled => match handled {
                Ok(response) => (response.status().as_str().to_owned(), response),
                Err(panic) => ("unknown: a bug in Ferry, see the log".to_owned(), panicked(panic)),
            },
            () = shutdown.aborting() => (ABORTED.to_owned(), ApiError::internal(ABORTED).into_response()),
        };
        self.conclude(outcome).await;
        response
    }

    /// The response of `handler`, which runs to its end although the client may be gone. The server awaits
    /// it before it ends.
    pub(super) async fn run(
        self,
        shared: &Shared,
        running: Option<Running>,
        handler: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        let shutdown = shared.parts.shutdown.clone();
        let followed = async move {
            let response = self.follow(handler, shutdown).await;
            // Those that run without a client take a slot, too.
            drop(running);
            response
        };
        let followed = shared.actions.spawn(followed.instrument(Span::current()));
        followed.await.unwrap_or_else(|_| ApiError::internal(ABORTED).into_response())
    }
}

/// Method and path of a request, with the id of its submission as Ferry writes it.
async fn canonical(request: &mut Request) -> String {
    let method = request.method().clone();
    let Some(route) = request.extensions().get::<MatchedPath>().cloned() else {
        return format!("{method} {}", request.uri().path());
    };
    let mut path = route.as_str().to_owned();
    if let Ok(params) = request.extract_parts::<RawPathParams>().await {
        for (name, value) in &params {
            let id = value.parse().map(|id: SubmissionId| id.to_string());
            path = path.replace(&format!("{{{name}}}"), id.as_deref().unwrap_or(value));
        }
    }
    format!("{method} {path}")
}

impl<S: Sync> FromRequestParts<S> for Audited {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let missing = || ApiError::internal("the route is not audited");
        parts.extensions.get().cloned().ok_or_else(missing)
    }
}

impl Input for Audited {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use ferry_types::clock::SystemClock;
    use ferry_types::domain::Timestamp;
    use serde_json::Value;

    /// A clock with a bug.
    #[derive(Debug)]
    struct Panics;

    impl Clock for Panics {
        fn now(&self) -> Timestamp {
            panic!("a bug")
        }
    }

    fn audited(file: &Path, clock: Arc<dyn Clock>) -> Audited {
        let action = AuditAction {
            actor: "ops".to_owned(),
            via: "api",
            action: "POST /".to_owned(),
            details: None,
            client: None,
            request: None,
        };
        Audited(Arc::new(Trail {
            audit: Audit::new(Some(file.to_owned())),
            clock,
            recorded: Mutex::new(Recorded { action, intent: None }),
        }))
    }

    /// Runs a handler after its intent, and returns the status of the response and the recorded outcome.
    async fn outcome(
        shutdown: Shutdown,
        handler: impl Future<Output = Response>,
    ) -> (u16, Option<u64>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        let audited = audited(&file, Arc::new(SystemClock));
        let intended = audited.clone();
        let handler = async move {
            intended.intend(None).await.expect("it can be recorded");
            handler.await
        };
        let response = audited.follow(handler, shutdown).await;
        let log = std::fs::read_to_string(&file).expect("a log");
        let last: Value = serde_json::from_str(log.lines().last().expect("a line")).expect("JSON");
        let outcome = last["outcome"].as_str().unwrap_or_default().to_owned();
        (response.status().as_u16(), last["intent"].as_u64(), outcome)
    }

    #[tokio::test]
    async fn a_panic_is_an_outcome() {
        let panics = async { panic!("a bug") };
        let found = outcome(Shutdown::default(), panics).await;
        assert_eq!(found, (500, Some(1), "unknown: a bug in Ferry, see the log".to_owned()));
    }

    #[tokio::test]
    async fn an_intent_that_a_panic_kept_from_the_log_permits_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let audited = audited(&folder.path().join("audit.jsonl"), Arc::new(Panics));
        let error = audited.intend(None).await.expect_err("it was not recorded");
        assert!(error.problem.detail.contains("nothing was done"), "{error:?}");
    }

    #[tokio::test]
    async fn an_aborted_server_records_what_it_left() {
        let shutdown = Shutdown::default();
        let aborting = shutdown.clone();
        let left = async move {
            aborting.abort();
            std::future::pending().await
        };
        assert_eq!(outcome(shutdown, left).await, (500, Some(1), ABORTED.to_owned()));
    }
}
