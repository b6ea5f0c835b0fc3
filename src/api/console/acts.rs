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
use super::respond::see;
use ferry_types::contract::{PauseRequest, ResolveRequest};

type Seen = Result<Response, ApiError>;

fn submission(found: &Found) -> Response {
    see(&format!("/console/submissions/{}", found.0.submission.id))
}

/// An act of the API on a submission, which leads back to its page.
pub(in crate::api) fn on_submission<Act, Done, T>(
    act: Act,
) -> impl Fn(State<Arc<Shared>>, Found, Audited, FormText) -> BoxFuture<'static, Seen> + Clone
where
    Act: Fn(State<Arc<Shared>>, Found, Audited) -> Done + Clone,
    Done: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    move |shared, found, action, _| {
        let next = submission(&found);
        let done = act(shared, found, action);
        async move { done.await.map(|_| next) }.boxed()
    }
}

/// Decides about a held submission.
pub(in crate::api) async fn resolve(
    shared: State<Arc<Shared>>,
    found: Found,
    action: Audited,
    Form(request): Form<ResolveRequest>,
) -> Seen {
    let next = submission(&found);
    operate::resolve(shared, found, action, JsonBody(request)).await.map(|_| next)
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
