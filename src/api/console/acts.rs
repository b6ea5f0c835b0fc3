//! Acts of operators: each is that of the API, and leads back to the page that shows what became of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::super::audited::Audited;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::found::{AccountPath, Found};
use super::super::json::{JsonBody, OptionalJsonBody};
use super::super::operate;
use super::super::shared::Shared;
use super::form::{Form, FormText};
use super::reader::Reader;
use super::respond::see;
use super::submissions::acted;
use ferry_types::contract::{PauseRequest, ResolveRequest};

type Seen = Result<Response, ApiError>;

/// An act of the API on a submission, which leads back to its page.
pub(in crate::api) fn on_submission<Act, Done, T>(
    act: Act,
) -> impl Fn(State<Arc<Shared>>, Reader, Found, Audited, FormText) -> BoxFuture<'static, Seen> + Clone
where
    Act: Fn(State<Arc<Shared>>, Found, Audited) -> Done + Clone,
    Done: Future<Output = Result<T, ApiError>> + Send + 'static,
    T: Send,
{
    move |shared, reader, found, action, _| {
        let (id, State(own)) = (found.0.submission.id, shared.clone());
        let done = act(shared, found, action);
        async move { acted(&own, &reader, id, done.await).await }.boxed()
    }
}

/// Decides about a held submission.
pub(in crate::api) async fn resolve(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    found: Found,
    action: Audited,
    Form(request): Form<ResolveRequest>,
) -> Seen {
    let id = found.0.submission.id;
    let done = operate::resolve(State(shared.clone()), found, action, JsonBody(request)).await;
    acted(&shared, &reader, id, done).await
}

/// Pauses an account.
pub(in crate::api) async fn pause(
    shared: State<Arc<Shared>>,
    caller: Caller,
    account: AccountPath,
    action: Audited,
    Form(request): Form<PauseRequest>,
) -> Seen {
    let request = PauseRequest { reason: request.reason.filter(|reason| !reason.is_empty()) };
    let body = OptionalJsonBody(Some(request));
    operate::pause(shared, caller, account, action, body).await.map(|_| see("/console/accounts"))
}

/// Resumes an account.
pub(in crate::api) async fn resume(
    shared: State<Arc<Shared>>,
    account: AccountPath,
    action: Audited,
    _: FormText,
) -> Seen {
    operate::resume(shared, account, action).await.map(|_| see("/console/accounts"))
}
