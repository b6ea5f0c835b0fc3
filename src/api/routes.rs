//! The one table of routes: path, method, who may, and what answers.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use tracing::info;

use super::caller::Caller;
use super::fault::Fault;
use super::front::RequestId;
use super::keys::Role;
use super::{Shared, bulk, content, events, front, handover, operate, probes, read, stats};
use crate::contract::ProblemKind;
use crate::telemetry::AUDIT;

/// A method of a path.
struct Route {
    path: &'static str,
    /// Who may; anybody if none.
    role: Option<Role>,
    answer: MethodRouter<Arc<Shared>>,
}

fn route(path: &'static str, role: Role, answer: MethodRouter<Arc<Shared>>) -> Route {
    Route { path, role: Some(role), answer }
}

fn probe(path: &'static str, answer: MethodRouter<Arc<Shared>>) -> Route {
    Route { path, role: None, answer }
}

fn table() -> Vec<Route> {
    use Role::{Operate, Read, Submit};
    vec![
        route("/v1/submissions", Submit, post(handover::create)),
        route("/v1/submissions", Read, get(read::list)),
        route("/v1/submissions/bulk", Submit, post(bulk::bulk)),
        route("/v1/submissions/{id}", Read, get(read::get)),
        route("/v1/submissions/{id}/timeline", Read, get(read::timeline)),
        route("/v1/submissions/{id}/deliveries", Read, get(read::deliveries)),
        route("/v1/submissions/{id}/results/{key}", Read, get(content::result)),
        route("/v1/submissions/{id}/feedback", Read, get(content::feedback)),
        route("/v1/submissions/{id}/resubmit", Submit, post(handover::resubmit)),
        route("/v1/submissions/{id}/cancel", Operate, post(operate::cancel)),
        route("/v1/submissions/{id}/retry", Operate, post(operate::retry)),
        route("/v1/submissions/{id}/resolve", Operate, post(operate::resolve)),
        route("/v1/submissions/{id}/notify", Operate, post(operate::notify)),
        route("/v1/accounts/{account}/pause", Operate, post(operate::pause)),
        route("/v1/accounts/{account}/resume", Operate, post(operate::resume)),
        route("/v1/events", Read, get(events::events)),
        route("/v1/stats", Read, get(stats::stats)),
        probe("/healthz", get(probes::health)),
        probe("/readyz", get(probes::ready)),
        route("/metrics", Read, get(probes::metrics)),
    ]
}

/// The table as a router.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, route| {
        let answer =
            match route.role {
                Some(role) => route.answer.route_layer(middleware::from_fn(
                    move |caller, id, request, next| allowed(role, caller, id, request, next),
                )),
                None => route.answer,
            };
        router.route(route.path, answer)
    });
    routes
        .method_not_allowed_fallback(front::no_method)
        .fallback(front::no_route)
        .layer(middleware::from_fn_with_state(shared.clone(), front::front))
        .with_state(shared)
}

async fn allowed(
    role: Role,
    Extension(caller): Extension<Caller>,
    Extension(RequestId(id)): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    if caller.role >= role {
        let what = format!("{} {}", request.method(), request.uri().path());
        let response = next.run(request).await;
        if role == Role::Operate {
            let (who, status) = (&caller.name, response.status().as_u16());
            info!(
                target: AUDIT,
                { audit.who = who, audit.what = what, http.status = status, request.id = id },
                "`{who}` called `{what}`: {status}"
            );
        }
        return response;
    }
    let (has, needs) = (caller.role.as_str(), role.as_str());
    let what = format!("this API key has the role `{has}`, and this needs `{needs}`");
    Fault::new(ProblemKind::Forbidden, what).into_response()
}
