//! The one table of routes: method, path, who may, what answers, and what that does.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use super::caller::Caller;
use super::client_addr::ClientAddr;
use super::error::ApiError;
use super::keys::Role;
use super::middleware::RequestId;
use super::openapi::{self, Operation};
use super::{Shared, bulk, content, events, middleware, operate, probes, read, stats, submit};
use crate::audit::AuditRecord;
use ferry_types::contract::ProblemKind;

/// A method of a path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Who may; anybody if none.
    pub(super) role: Option<Role>,
    response: MethodRouter<Arc<Shared>>,
    /// What it does, for the document.
    pub(super) describe: Describe,
}

type Describe = for<'a> fn(Operation<'a>) -> Operation<'a>;

fn get<H, T>(path: &'static str, role: Role, handler: H, describe: Describe) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Route { method: Method::GET, path, role: Some(role), response: routing::get(handler), describe }
}

fn post<H, T>(path: &'static str, role: Role, handler: H, describe: Describe) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Route {
        method: Method::POST,
        path,
        role: Some(role),
        response: routing::post(handler),
        describe,
    }
}

/// One that needs no key.
fn open<H, T>(path: &'static str, handler: H, describe: Describe) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    Route { method: Method::GET, path, role: None, response: routing::get(handler), describe }
}

pub(super) fn table() -> Vec<Route> {
    use Role::{Operate, Read, Submit};
    use openapi::operations as describe;
    vec![
        post("/v1/submissions", Submit, submit::create, describe::create),
        get("/v1/submissions", Read, read::list, describe::list),
        post("/v1/submissions/bulk", Submit, bulk::bulk, describe::bulk),
        get("/v1/submissions/{id}", Read, read::get, describe::get),
        get("/v1/submissions/{id}/timeline", Read, read::timeline, describe::timeline),
        get("/v1/submissions/{id}/deliveries", Read, read::deliveries, describe::deliveries),
        get("/v1/submissions/{id}/results/{key}", Read, content::result, describe::result),
        get("/v1/submissions/{id}/feedback", Read, content::feedback, describe::feedback),
        post("/v1/submissions/{id}/resubmit", Submit, submit::resubmit, describe::resubmit),
        post("/v1/submissions/{id}/cancel", Operate, operate::cancel, describe::cancel),
        post("/v1/submissions/{id}/retry", Operate, operate::retry, describe::retry),
        post("/v1/submissions/{id}/refetch", Operate, operate::refetch, describe::refetch),
        post("/v1/submissions/{id}/resolve", Operate, operate::resolve, describe::resolve),
        post("/v1/submissions/{id}/redeliver", Operate, operate::redeliver, describe::redeliver),
        post("/v1/accounts/{account}/pause", Operate, operate::pause, describe::pause),
        post("/v1/accounts/{account}/resume", Operate, operate::resume, describe::resume),
        get("/v1/events", Read, events::events, describe::events),
        get("/v1/stats", Read, stats::stats, describe::stats),
        open("/healthz", probes::health, describe::health),
        open("/readyz", probes::ready, describe::ready),
        get("/metrics", Read, probes::metrics, describe::metrics),
        open("/openapi.json", openapi::document, describe::openapi),
        open("/docs", openapi::page, describe::docs),
    ]
}

/// Every route as metrics and logs name it.
pub(super) fn names() -> Vec<String> {
    table().iter().map(|route| format!("{} {}", route.method, route.path)).collect()
}

/// The paths that need no key.
pub(super) fn open_paths() -> BTreeSet<&'static str> {
    table().iter().filter(|route| route.role.is_none()).map(|route| route.path).collect()
}

/// The table as a router.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, route| {
        let response = match route.role {
            Some(role) => route.response.route_layer(from_fn_with_state(
                shared.clone(),
                move |shared, caller, id, request, next| {
                    allowed(role, shared, caller, id, request, next)
                },
            )),
            None => route.response,
        };
        router.route(route.path, response)
    });
    routes
        .method_not_allowed_fallback(middleware::no_method)
        .fallback(middleware::no_route)
        .layer(from_fn_with_state(shared.clone(), middleware::middleware))
        .layer(CompressionLayer::new().compress_when(is_worth_it()))
        .with_state(shared)
}

/// What is large and whole is compressed for those who ask for that: lines and events are to arrive
/// one by one.
fn is_worth_it() -> impl Predicate {
    let lines = NotForContentType::const_new("application/x-ndjson");
    SizeAbove::new(1024).and(lines).and(NotForContentType::SSE)
}

async fn allowed(
    role: Role,
    State(shared): State<Arc<Shared>>,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let client_addr = request.extensions().get::<ClientAddr>().copied();
    if caller.role >= role {
        let what = format!("{} {}", request.method(), request.uri().path());
        let response = next.run(request).await;
        if role == Role::Operate {
            let client = client_addr.map(|client_addr| client_addr.to_string());
            shared.parts.audit.record(&AuditRecord {
                at: shared.parts.clock.now(),
                actor: &caller.name,
                via: "api",
                action: &what,
                client,
                outcome: response.status().as_str(),
                request: Some(&id),
            });
        }
        return response;
    }
    let (has, needs) = (caller.role.as_str(), role.as_str());
    let what = format!("this API key has the role `{has}`, and this needs `{needs}`");
    ApiError::new(ProblemKind::Forbidden, what).into_response()
}
