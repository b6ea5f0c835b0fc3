//! Keys, audit log and system: pages for operators whose key sees all accounts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::super::administration::{self, AuditQuery, Created};
use super::super::audited::Audited;
use super::super::compression::Uncompressed;
use super::super::error::ApiError;
use super::super::found::KeyPath;
use super::super::json::{Json, JsonBody};
use super::super::processes;
use super::super::query::{self, PairError, Query, filled};
use super::super::shared::Shared;
use super::form::{Form, FormText};
use super::reader::Reader;
use super::respond::{page, page_with, see};
use crate::console::{AuditFilters, AuditPage, KeysPage, SystemPage};
use ferry_types::contract::{KeyRequest, KeyView, ProblemKind};

/// The form of a new key.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct KeyForm {
    name: String,
    role: String,
    #[serde(default)]
    accounts: String,
}

/// The sentence that a page shows instead of its list, where the server has none.
fn said<T>(found: Result<T, ApiError>) -> Result<Result<T, String>, ApiError> {
    match found {
        Err(error) if error.problem.kind() == Some(ProblemKind::StateConflict) => {
            Ok(Err(error.problem.detail))
        }
        found => found.map(Ok),
    }
}

async fn keys_page(shared: &Arc<Shared>, reader: &Reader) -> Result<KeysPage, ApiError> {
    let found = administration::keys(State(shared.clone()), reader.caller.clone()).await;
    let keys: Result<Vec<KeyView>, String> = said(found.map(|Json(view)| view.keys))?;
    let accounts = shared.parts.intake.accounts().iter().cloned().collect();
    Ok(KeysPage::new(reader.frame().of("Keys"), keys, accounts))
}

/// Shows the keys.
pub(in crate::api) async fn keys(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
) -> Result<Response, ApiError> {
    Ok(page(&keys_page(&shared, &reader).await?))
}

/// Creates a key. The response itself shows it, for it may stand in no address.
pub(in crate::api) async fn create(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    action: Audited,
    Form(KeyForm { name, role, accounts }): Form<KeyForm>,
) -> Result<Response, ApiError> {
    let accounts = accounts.split(',').map(str::trim).filter(|account| !account.is_empty());
    let body = JsonBody(KeyRequest { name, role, accounts: accounts.map(str::to_owned).collect() });
    let state = State(shared.clone());
    let created = administration::create(state, reader.caller.clone(), action, body).await;
    let created = match created {
        Ok(Created(created)) => created,
        Err(error) => return or_keys(&shared, &reader, error).await,
    };
    let shown = keys_page(&shared, &reader).await?.with_created(created);
    let mut response = page(&shown);
    response.extensions_mut().insert(Uncompressed);
    Ok(response)
}

/// The keys as they are now, if they do not allow an act.
async fn or_keys(
    shared: &Arc<Shared>,
    reader: &Reader,
    error: ApiError,
) -> Result<Response, ApiError> {
    if error.problem.kind() != Some(ProblemKind::StateConflict) {
        return Err(error);
    }
    let now = keys_page(shared, reader).await?.after_conflict(&error.problem.detail);
    Ok(page_with(StatusCode::CONFLICT, &now))
}

/// Revokes a key.
pub(in crate::api) async fn revoke(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
    key: KeyPath,
    action: Audited,
    _: FormText,
) -> Result<Response, ApiError> {
    let (state, caller) = (State(shared.clone()), reader.caller.clone());
    match administration::revoke(state, caller, key, action).await {
        Ok(_) => Ok(see("/console/keys")),
        Err(error) => or_keys(&shared, &reader, error).await,
    }
}

/// Shows the audit log.
pub(in crate::api) async fn audit(
    shared: State<Arc<Shared>>,
    reader: Reader,
    uri: Uri,
) -> Result<Response, ApiError> {
    let given = filled(&uri)?;
    let of = |name: &str| {
        let found = given.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let filters = AuditFilters {
        actor: of("actor"),
        action: of("action"),
        request: of("request"),
        is_continued: !of("cursor").is_empty(),
    };
    let query: AuditQuery = query::read(given).map_err(PairError::of_query)?;
    let found = administration::audit(shared, reader.caller.clone(), Query(query)).await;
    let found = said(found.map(|Json(view)| view))?;
    Ok(page(&AuditPage::new(reader.frame().of("Audit"), filters, found)))
}

/// Shows the checks, the processes, and the settings to those who may see them.
pub(in crate::api) async fn system(
    State(shared): State<Arc<Shared>>,
    reader: Reader,
) -> Result<Response, ApiError> {
    let Json(checks) = administration::checks(State(shared.clone()), reader.caller.clone()).await?;
    let found = processes::list(State(shared.clone()), reader.caller.clone()).await;
    // A store that is away is among the checks.
    let processes = found.ok().map(|Json(view)| view);
    let frame = reader.frame().of("System");
    let settings = frame.may_administer().then_some(&*shared.parts.settings);
    Ok(page(&SystemPage::new(frame, &checks, processes.as_ref(), settings)))
}
