//! Keys, audit log, checks and settings of the server, for operators whose key sees all accounts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use secrecy::ExposeSecret;

use super::audited::Audited;
use super::caller::Caller;
use super::compression::Uncompressed;
use super::error::ApiError;
use super::found::KeyPath;
use super::json::{Json, JsonBody};
use super::key_file::{KeyRecord, KeysError, create_key, key_name, read_keys, revoke_key};
use super::openapi::{Operation, Output};
use super::params::{AuditCursor, PageSize};
use super::query::Query;
use super::role::Role;
use super::shared::Shared;
use super::store_checks::StoreChecked;
use crate::audit::{NewestRecords, newest_records};
use crate::server_commands::of_keys;
use ferry_store::{CheckResult, StoreError};
use ferry_types::causes::chain;
use ferry_types::contract::{
    AuditRecordView, AuditView, CheckView, ChecksView, CreatedKeyView, KeyRequest, KeyView,
    KeysView, ProblemKind, RevokedKeyView, SettingsView,
};

const ON_THE_MACHINE: &str = "check it on the machine of the server: `ferry doctor`";

/// Memory for the longest record, in bytes.
const RECORD_BYTES: u64 = 8 << 10;

/// A key that was just created.
#[derive(Debug)]
pub(super) struct Created(pub(super) CreatedKeyView);

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.extensions_mut().insert(Uncompressed);
        response
    }
}

impl Output for Created {
    fn describe(operation: Operation<'_>) -> Operation<'_> {
        operation.json::<CreatedKeyView>(200, "The key, which is not shown again", &[])
    }
}

/// The records of the audit log to show.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    /// By this key or user.
    actor: Option<String>,
    /// With this text in the action.
    action: Option<String>,
    /// Of this request.
    request: Option<String>,
    /// Maximum number of records.
    limit: Option<PageSize>,
    /// The `next_cursor` of an earlier response, to continue there.
    cursor: Option<AuditCursor>,
}

impl AuditQuery {
    fn holds(&self, record: &AuditRecordView) -> bool {
        self.actor.as_ref().is_none_or(|actor| *actor == record.actor)
            && self.action.as_ref().is_none_or(|action| record.action.contains(action))
            && self.request.as_ref().is_none_or(|id| record.request.as_ref() == Some(id))
    }
}

/// Returns an error for a key that is bound to accounts: keys and the log are of all of them.
pub(super) fn sees_all(caller: &Caller) -> Result<(), ApiError> {
    if caller.accounts.is_none() {
        return Ok(());
    }
    let what = "this is about all accounts, and this API key is not";
    Err(ApiError::new(ProblemKind::Forbidden, what))
}

fn path_of(shared: &Shared) -> Result<PathBuf, ApiError> {
    let none = || {
        let what = "this server has no keys, and only its machine has access: \
                    `ferry keys create --name ops --role operate --set api_keys=keys.jsonl` makes \
                    the first one, and the setting `api_keys` names its file";
        ApiError::new(ProblemKind::StateConflict, what)
    };
    shared.parts.keys.as_ref().map(|keys| keys.path().to_owned()).ok_or_else(none)
}

/// Runs beside the threads that serve requests what waits for a disk or another process.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let ran = tokio::task::spawn_blocking(run).await;
    ran.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// An error of the key file, with the command that does the same where the file can be written.
fn key_error(error: &KeysError, command: &str, file: &Path) -> ApiError {
    let what = match error {
        KeysError::File { .. } | KeysError::Open { .. } => {
            let command = of_keys(command, file);
            format!("{}; where the file can be written: `{command}`", chain(error))
        }
        other => chain(other),
    };
    ApiError::new(ProblemKind::StateConflict, what)
}

fn key_view(key: KeyRecord) -> KeyView {
    let accounts = (!key.accounts.is_empty()).then(|| key.accounts.into_iter().collect());
    KeyView {
        name: key.name,
        role: key.role.as_str().to_owned(),
        accounts,
        created_at: key.created_at,
    }
}

/// Shows the keys, without what they are.
pub(super) async fn keys(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<KeysView>, ApiError> {
    sees_all(&caller)?;
    let path = path_of(&shared)?;
    let file = path.clone();
    let keys = blocking(move || read_keys(&path)).await;
    let keys = keys.map_err(|error| key_error(&error, "ferry keys list", &file))?;
    Ok(Json(KeysView { keys: keys.into_iter().map(key_view).collect() }))
}

/// Creates a key, and shows it this once.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    action: Audited,
    JsonBody(KeyRequest { name, role, accounts }): JsonBody<KeyRequest>,
) -> Result<Created, ApiError> {
    sees_all(&caller)?;
    let name = key_name(&name).map_err(|what| ApiError::field("name", what))?;
    let role = role.parse::<Role>().map_err(|what| ApiError::field("role", what))?;
    if role > caller.role {
        return Err(ApiError::field("role", "it is above that of this API key"));
    }
    let accounts: BTreeSet<String> = accounts.into_iter().collect();
    // An account's name has the form of a key's.
    if let Some(Err(what)) = accounts.iter().map(|one| key_name(one)).find(Result::is_err) {
        return Err(ApiError::field("accounts", what));
    }
    let path = path_of(&shared)?;
    let names: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let of = if names.is_empty() { "all accounts".to_owned() } else { names.join(", ") };
    action.intend(Some(format!("{name}: {role}: {of}"))).await?;
    let mut command = format!("ferry keys create --name {name} --role {role}");
    command.extend(names.iter().flat_map(|name| [" --account ", name]));
    let view = CreatedKeyView {
        name: name.clone(),
        role: role.as_str().to_owned(),
        accounts: (!accounts.is_empty()).then(|| accounts.iter().cloned().collect()),
        key: String::new(),
    };
    let (now, file) = (shared.parts.clock.now(), path.clone());
    let created = blocking(move || create_key(&path, name, role, accounts, now)).await;
    let key = created.map_err(|error| key_error(&error, &command, &file))?;
    Ok(Created(CreatedKeyView { key: key.expose_secret().to_owned(), ..view }))
}

/// Revokes a key.
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    KeyPath(name): KeyPath,
    action: Audited,
) -> Result<Json<RevokedKeyView>, ApiError> {
    sees_all(&caller)?;
    let path = path_of(&shared)?;
    action.intend(None).await?;
    let (command, revoked) = (format!("ferry keys revoke {name}"), name.clone());
    let file = path.clone();
    let found = blocking(move || revoke_key(&path, &revoked)).await;
    if !found.map_err(|error| key_error(&error, &command, &file))? {
        return Err(ApiError::not_found(format!("there is no key `{name}`")));
    }
    Ok(Json(RevokedKeyView { name }))
}

/// Shows records of the audit log, the newest first.
pub(super) async fn audit(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditView>, ApiError> {
    sees_all(&caller)?;
    let Some(path) = shared.parts.audit.path().map(Path::to_owned) else {
        let what = "this server has no audit log: the setting `audit_log` names its file; until \
                    then actions are in its log alone";
        return Err(ApiError::new(ProblemKind::StateConflict, what));
    };
    let most = query.limit.unwrap_or_default().0;
    let _memory = shared.response_permit(&caller, RECORD_BYTES * most as u64)?;
    let before = query.cursor.as_ref().map(|cursor| cursor.0);
    let read = blocking(move || newest_records(&path, before, most, |record| query.holds(record)));
    let found = match read.await {
        Ok(found) => found,
        // Nothing was done since it was switched on.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => NewestRecords::default(),
        Err(error) => {
            return Err(ApiError::internal(format!("cannot read the audit log: {error}")));
        }
    };
    Ok(Json(AuditView {
        records: found.records,
        unreadable: found.unreadable,
        next_cursor: found.next.map(|next| next.to_string()),
    }))
}

/// Checks the server and, for keys of all accounts, its store.
pub(super) async fn checks(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<ChecksView>, ApiError> {
    let check = |result: Result<(), String>, good: &str, hint: &str| match result {
        Ok(()) => CheckView { ok: true, text: good.to_owned(), hint: None },
        Err(text) => CheckView { ok: false, text, hint: Some(hint.to_owned()) },
    };
    let parts = &shared.parts;
    let ready = parts.readiness.check().await;
    let is_ready = ready.is_ok();
    let mut checks = vec![check(ready, "the server is ready", ON_THE_MACHINE)];
    if let Some(keys) = &parts.keys {
        let error = keys.error().map_or(Ok(()), Err);
        checks.push(check(error, "the API keys can be read", "all keys are denied until then"));
    }
    let mut store_checked_at = None;
    if caller.accounts.is_none() {
        let checked = shared.store_checks.get(shared.store(), parts.clock.as_ref()).await;
        store_checked_at = checked.as_ref().ok().map(|checked| checked.at);
        checks.extend(of_store(checked, is_ready));
    }
    Ok(Json(ChecksView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ok: checks.iter().all(|check| check.ok),
        store_checked_at,
        checks,
    }))
}

/// Findings about the store. Without them, a server that is not ready has said why.
fn of_store(checked: Result<StoreChecked, StoreError>, is_ready: bool) -> Vec<CheckView> {
    match checked {
        Ok(checked) => checked.findings.into_iter().map(view).collect(),
        Err(error) if is_ready => {
            let text = format!("the store cannot be checked: {error}");
            vec![CheckView { ok: false, text, hint: Some(ON_THE_MACHINE.to_owned()) }]
        }
        Err(_) => Vec::new(),
    }
}

fn view(found: CheckResult) -> CheckView {
    CheckView { ok: found.ok, text: found.text, hint: found.hint }
}

/// Shows the settings in effect, without secrets.
pub(super) async fn settings(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
) -> Result<Json<SettingsView>, ApiError> {
    sees_all(&caller)?;
    Ok(Json(SettingsView { settings: shared.parts.settings.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_cannot_be_checked_is_no_good_store() {
        let error = || StoreError::Unusable("a page of the file is damaged".to_owned());
        let found = of_store(Err(error()), true);
        assert!(!found[0].ok && found[0].text.contains("is damaged"), "{found:?}");
        assert!(of_store(Err(error()), false).is_empty(), "it is not ready for the same reason");
    }
}
