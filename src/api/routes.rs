//! The one table of routes: method, path, role, handler, and the purpose of each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use super::audited::Audited;
use super::caller::Caller;
use super::compression::is_worth_it;
use super::console::mode::ConsoleMode;
use super::console::{
    acts, administration as administer, bulk as console_bulk, compare as compare_page,
    correct as correct_page, events as console_events, files, held, login, new as new_page, news,
    overview, rehearse, rows as rows_page, submissions, webhooks,
};
use super::error::ApiError;
use super::middleware::{self, RequestId, Running};
use super::openapi::{Describe, Described, Documents, Operation, operations};
use super::role::Role;
use super::shared::Shared;
use super::{
    accounts, administration, bulk, bulk_actions, compare, content, correct, documents as pages,
    events, operate, probes, processes, read, rehearsal, rows, stats, submit, validate, whoami,
};
use ferry_types::contract::ProblemKind;

/// A method of a path.
struct Route {
    method: Method,
    path: &'static str,
    /// The weakest role that is allowed; without one no key is needed.
    role: Option<Role>,
    response: MethodRouter<Arc<Shared>>,
    /// Its part of the document; pages of the console have none.
    describe: Option<Box<Describe>>,
}

type Purpose = for<'a> fn(Operation<'a>) -> Operation<'a>;

/// A route that is described by the types of its handler and then by its purpose.
fn route<H, T, D>(
    method: Method,
    path: &'static str,
    role: Option<Role>,
    handler: H,
    purpose: Purpose,
) -> Route
where
    H: Handler<T, Arc<Shared>> + Described<D>,
    T: 'static,
{
    let response = match method {
        Method::POST => routing::post(handler),
        Method::DELETE => routing::delete(handler),
        _ => routing::get(handler),
    };
    let writes = method != Method::GET;
    let problems: &'static [ProblemKind] =
        if writes { &[ProblemKind::StoreReadOnly, ProblemKind::StoreFull] } else { &[] };
    let describe = describes(move |operation| purpose(H::describe(operation)).problems(problems));
    Route { method, path, role, response, describe: Some(describe) }
}

/// Boxes a closure as one that serves every operation.
fn describes<F>(describe: F) -> Box<Describe>
where
    F: for<'a> Fn(Operation<'a>) -> Operation<'a> + Send + Sync + 'static,
{
    Box::new(describe)
}

fn get<H, T, D>(path: &'static str, role: Role, handler: H, purpose: Purpose) -> Route
where
    H: Handler<T, Arc<Shared>> + Described<D>,
    T: 'static,
{
    route(Method::GET, path, Some(role), handler, purpose)
}

fn post<H, T, D>(path: &'static str, role: Role, handler: H, purpose: Purpose) -> Route
where
    H: Handler<T, Arc<Shared>> + Described<D>,
    T: 'static,
{
    route(Method::POST, path, Some(role), handler, purpose)
}

fn delete<H, T, D>(path: &'static str, role: Role, handler: H, purpose: Purpose) -> Route
where
    H: Handler<T, Arc<Shared>> + Described<D>,
    T: 'static,
{
    route(Method::DELETE, path, Some(role), handler, purpose)
}

/// A page or an act of the console.
fn page<H, T>(method: Method, path: &'static str, role: Option<Role>, handler: H) -> Route
where
    H: Handler<T, Arc<Shared>>,
    T: 'static,
{
    let response = match method {
        Method::POST => routing::post(handler),
        _ => routing::get(handler),
    };
    Route { method, path, role, response, describe: None }
}

/// A route that needs no key.
fn open<H, T, D>(path: &'static str, handler: H, purpose: Purpose) -> Route
where
    H: Handler<T, Arc<Shared>> + Described<D>,
    T: 'static,
{
    route(Method::GET, path, None, handler, purpose)
}

fn table() -> Vec<Route> {
    use Role::{Operate, Read, Submit};
    use operations as to;
    vec![
        post("/v1/submissions", Submit, submit::create, to::create),
        get("/v1/submissions", Read, read::list, to::list),
        get("/v1/submissions/count", Read, read::count, to::count),
        post("/v1/submissions/bulk", Submit, bulk::bulk, to::bulk),
        get("/v1/submissions/{id}", Read, read::get, to::get),
        get("/v1/submissions/{id}/timeline", Read, read::timeline, to::timeline),
        get("/v1/submissions/{id}/deliveries", Read, read::deliveries, to::deliveries),
        get("/v1/submissions/{id}/results/{key}", Read, content::result, to::result),
        get("/v1/submissions/{id}/feedback", Read, content::feedback, to::feedback),
        get("/v1/submissions/{id}/data", Read, content::data, to::data),
        get("/v1/submissions/{id}/event-data", Read, content::event_data, to::event_data),
        get("/v1/submissions/{id}/rows", Read, rows::rows, to::rows),
        get("/v1/submissions/{id}/compare/{other}", Read, compare::compare, to::compare),
        post("/v1/submissions/{id}/resubmit", Submit, submit::resubmit, to::resubmit),
        post("/v1/submissions/{id}/correct", Submit, correct::correct, to::correct),
        post("/v1/submissions/{id}/cancel", Operate, operate::cancel, to::cancel),
        post("/v1/submissions/{id}/retry", Operate, operate::retry, to::retry),
        post("/v1/submissions/{id}/refetch", Operate, operate::refetch, to::refetch),
        post("/v1/submissions/{id}/resolve", Operate, operate::resolve, to::resolve),
        post("/v1/submissions/{id}/redeliver", Operate, operate::redeliver, to::redeliver),
        post("/v1/validate", Submit, validate::validate, to::validate),
        post("/v1/bulk-actions", Operate, bulk_actions::run, to::bulk_action),
        get("/v1/accounts", Read, accounts::accounts, to::accounts),
        get("/v1/accounts/{account}", Read, accounts::one, to::account),
        post("/v1/accounts/{account}/pause", Operate, operate::pause, to::pause),
        post("/v1/accounts/{account}/resume", Operate, operate::resume, to::resume),
        get("/v1/keys", Operate, administration::keys, to::keys),
        post("/v1/keys", Operate, administration::create, to::create_key),
        delete("/v1/keys/{name}", Operate, administration::revoke, to::revoke_key),
        get("/v1/audit", Operate, administration::audit, to::audit),
        get("/v1/checks", Read, administration::checks, to::checks),
        get("/v1/settings", Operate, administration::settings, to::settings),
        get("/v1/processes", Read, processes::list, to::processes),
        get("/v1/rehearsal", Operate, rehearsal::show, to::rehearsal),
        post("/v1/rehearsal", Operate, rehearsal::change, to::rehearse),
        get("/v1/events", Read, events::events, to::events),
        get("/v1/stats", Read, stats::stats, to::stats),
        get("/v1/whoami", Read, whoami::whoami, to::whoami),
        open("/healthz", probes::health, to::health),
        open("/readyz", probes::ready, to::ready),
        get("/metrics", Read, probes::metrics, to::metrics),
        open("/openapi.json", pages::document, to::openapi),
        open("/docs", pages::page, to::docs),
    ]
}

/// The pages of the console.
fn pages_of_console() -> Vec<Route> {
    let (get, post) = (Method::GET, Method::POST);
    let read = Some(Role::Read);
    vec![
        page(get.clone(), "/console/login", None, login::form),
        page(post.clone(), "/console/login", None, login::login),
        page(post.clone(), "/console/logout", read, login::logout),
        page(get.clone(), "/console/assets/{hash}/{name}", None, files::file),
        page(get.clone(), "/console/preferences", read, files::preferences),
        page(post, "/console/preferences", read, files::set_preferences),
        page(get.clone(), "/console/news", read, news::news),
        page(get.clone(), "/console", read, overview::overview),
        page(get.clone(), "/console/accounts", read, overview::accounts),
        page(get.clone(), "/console/accounts/{account}", read, overview::account),
        page(get.clone(), "/console/system", read, administer::system),
        page(get.clone(), "/console/events", read, console_events::show),
        page(get.clone(), "/console/webhooks", read, webhooks::show),
        page(get.clone(), "/console/submissions", read, submissions::list),
        page(get.clone(), "/console/submissions/{id}", read, submissions::get),
        page(get.clone(), "/console/submissions/{id}/rows", read, rows_page::show),
        page(get.clone(), "/console/submissions/{id}/data", read, submissions::data),
        page(get.clone(), "/console/submissions/{id}/event-data", read, submissions::event_data),
        page(get.clone(), "/console/submissions/{id}/results/{key}", read, submissions::result),
        page(get.clone(), "/console/submissions/{id}/feedback", read, submissions::feedback),
        page(get, "/console/submissions/{id}/compare/{other}", read, compare_page::compare),
    ]
}

/// The acts of the console.
fn acts_of_console() -> Vec<Route> {
    let (act, submit) = (Some(Role::Operate), Some(Role::Submit));
    vec![
        page(Method::GET, "/console/submissions/{id}/correct", submit, correct_page::form),
        page(Method::POST, "/console/submissions/{id}/correct", submit, correct_page::act),
        page(Method::GET, "/console/new", submit, new_page::form),
        page(Method::POST, "/console/new", submit, new_page::act),
        page(
            Method::POST,
            "/console/submissions/{id}/cancel",
            act,
            acts::on_submission(operate::cancel),
        ),
        page(
            Method::POST,
            "/console/submissions/{id}/retry",
            act,
            acts::on_submission(operate::retry),
        ),
        page(
            Method::POST,
            "/console/submissions/{id}/refetch",
            act,
            acts::on_submission(operate::refetch),
        ),
        page(Method::GET, "/console/submissions/{id}/resolve", act, held::show),
        page(Method::POST, "/console/submissions/{id}/resolve", act, acts::resolve),
        page(
            Method::POST,
            "/console/submissions/{id}/redeliver",
            act,
            acts::on_submission(operate::redeliver),
        ),
        page(Method::GET, "/console/keys", act, administer::keys),
        page(Method::POST, "/console/keys", act, administer::create),
        page(Method::POST, "/console/keys/{name}/revoke", act, administer::revoke),
        page(Method::GET, "/console/rehearse", act, rehearse::show),
        page(Method::POST, "/console/rehearse", act, rehearse::act),
        page(Method::GET, "/console/audit", act, administer::audit),
        page(Method::GET, "/console/bulk", act, console_bulk::show),
        page(Method::POST, "/console/bulk", act, console_bulk::act),
        page(Method::POST, "/console/accounts/{account}/pause", act, acts::pause),
        page(Method::POST, "/console/accounts/{account}/resume", act, acts::resume),
    ]
}

/// The table with the routes of the console that it has.
fn whole_table(console: ConsoleMode) -> Vec<Route> {
    let mut table = table();
    table.push(page(Method::GET, "/", None, files::root));
    if console != ConsoleMode::No {
        table.extend(pages_of_console());
    }
    if console == ConsoleMode::Yes {
        table.extend(acts_of_console());
    }
    table
}

/// The description of all routes.
pub(super) fn documents() -> Documents {
    let table = table();
    let described = table.iter().filter_map(|route| {
        Some((&route.method, route.path, route.role, &**route.describe.as_ref()?))
    });
    Documents::of(described)
}

/// Every route as metrics and logs name it.
pub(super) fn names(console: ConsoleMode) -> Vec<String> {
    whole_table(console).iter().map(|route| format!("{} {}", route.method, route.path)).collect()
}

/// The paths that need this role, or no key.
pub(super) fn paths_for(role: Option<Role>, console: ConsoleMode) -> BTreeSet<&'static str> {
    whole_table(console).iter().filter(|route| route.role == role).map(|route| route.path).collect()
}

/// The table as a router.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let routes =
        whole_table(shared.parts.console).into_iter().fold(Router::new(), |router, route| {
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
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn_with_state(shared.clone(), middleware::middleware))
        .layer(CompressionLayer::new().compress_when(is_worth_it()))
        .with_state(shared)
}

/// Lets a request to its handler if the caller has the role, and records it if it is one of an operator, or
/// of a caller without the role.
async fn allowed(
    role: Role,
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Extension(RequestId(id)): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    let is_allowed = caller.role >= role;
    // Who only looks changes nothing.
    if is_allowed && (role != Role::Operate || request.method() == Method::GET) {
        return next.run(request).await;
    }
    // A key that has no right to anything cannot fill the disk with it.
    if !is_allowed && shared.denied_actions.begin(caller.name.clone(), Instant::now()).is_err() {
        return denied(caller.role, role);
    }
    let action = Audited::of(&shared, &caller, id, &mut request).await;
    let running = request.extensions().get::<Running>().cloned();
    request.extensions_mut().insert(action.clone());
    let handler =
        async move { if is_allowed { next.run(request).await } else { denied(caller.role, role) } };
    action.run(&shared, running, handler).await
}

fn denied(has: Role, needs: Role) -> Response {
    let (has, needs) = (has.as_str(), needs.as_str());
    let what = format!("this API key has the role `{has}`, and this needs `{needs}`");
    ApiError::new(ProblemKind::Forbidden, what).into_response()
}
