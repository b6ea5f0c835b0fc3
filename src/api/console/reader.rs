//! The person who reads a page.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::role::Role;
use super::super::shared::Shared;
use super::super::stats;
use super::door::Visit;
use crate::console::{Frame, Preferences, Viewer};
use crate::server_commands::ServerCommands;
use ferry_types::contract::FindingView;
use ferry_types::domain::Timestamp;

/// The reader of a page.
#[derive(Debug, Clone)]
pub(in crate::api) struct Reader {
    /// The caller.
    pub(in crate::api) caller: Caller,
    /// Time of the request.
    pub(in crate::api) now: Timestamp,
    preferences: Preferences,
    viewer: Viewer,
    /// All that is wrong with the server and its store.
    notices: Vec<FindingView>,
}

impl Reader {
    /// The frame of a page for this reader.
    pub(in crate::api) fn frame(&self) -> Frame {
        Frame::new(Some(self.viewer.clone()), self.preferences.clone(), self.now)
            .with_notices(&self.notices)
    }
}

/// A caller as pages show it.
pub(super) fn viewer(caller: &Caller, shared: &Shared) -> Viewer {
    let may_administer = caller.role == Role::Operate && caller.accounts.is_none();
    Viewer {
        name: ferry_types::domain::escape(&caller.name),
        role: caller.role.as_str(),
        accounts: caller.accounts.as_ref().map(|names| names.iter().cloned().collect()),
        may_submit: caller.role >= Role::Submit,
        may_operate: caller.role == Role::Operate,
        may_administer,
        may_rehearse: may_administer && shared.parts.rehearsal.is_some(),
        has_keys: shared.parts.keys.is_some(),
        commands: if may_administer {
            ServerCommands::of(&shared.parts.settings)
        } else {
            ServerCommands::default()
        },
    }
}

impl FromRequestParts<Arc<Shared>> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, shared).await?;
        let visit: Option<&Visit> = parts.extensions.get();
        let preferences = visit.map(|visit| visit.preferences.clone()).unwrap_or_default();
        let viewer = viewer(&caller, shared);
        let notices = stats::of_server(shared, &caller).await;
        Ok(Self { caller, now: shared.parts.clock.now(), preferences, viewer, notices })
    }
}
