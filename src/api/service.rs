//! The API as a service: its parts behind its routes.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;

use super::openapi::Documents;
use super::role::Role;
use super::routes;
use super::shared::{Parts, Shared};
use crate::shutdown::Shutdown;

/// The documents change with the program only.
static DOCUMENTS: LazyLock<Documents> = LazyLock::new(routes::documents);

/// The HTTP API.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>);

impl Api {
    /// An API of these parts, which does not listen yet.
    pub fn new(parts: Parts) -> Self {
        let console = parts.console;
        parts.metrics.serves(routes::names(console));
        Self(Arc::new(Shared::new(
            parts,
            [None, Some(Role::Operate)].map(|role| routes::paths_for(role, console)),
            &DOCUMENTS,
        )))
    }

    /// All routes.
    pub fn router(&self) -> Router {
        routes::router(self.0.clone())
    }

    pub(super) fn shutdown(&self) -> Shutdown {
        self.0.parts.shutdown.clone()
    }

    /// Ends when the actions of operators have ended and are recorded.
    pub(super) fn actions_ended(&self) -> impl Future<Output = ()> + use<> {
        let actions = self.0.actions.clone();
        actions.close();
        async move { actions.wait().await }
    }

    pub(super) fn max_concurrent_requests(&self) -> usize {
        self.0.parts.limits.max_concurrent_requests
    }

    pub(super) fn client_timeout(&self) -> Duration {
        self.0.parts.limits.client_timeout
    }
}
