//! Sends requests with the account's access token. One that is denied is replaced at once, and once.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;

use super::denial_limit::{DenialLimit, denied};
use super::endpoint::UPLOAD;
use super::exchange::Exchange;
use super::guard::{RequestError, RequestGuard};
use super::response::PlatformResponse;
use super::secrets::Secrets;
use super::token_endpoint::Token;
use super::tokens::Tokens;
use super::wire::{TransportError, WireRequest};
use ferry_types::clock::{MonotonicClock, MonotonicTime};
use ferry_types::domain::outcome::PlatformError;

/// A fresh token that is denied is used again for so long at least.
const YOUNG: Duration = Duration::from_secs(2);

/// Meaning of a 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The account has no access.
    Account,
    /// The account has access to other results of a dataset, but not to this one.
    OneResult,
}

impl Scope {
    /// True if a 403 denies access to the account.
    fn is_denied(self, response: &PlatformResponse) -> bool {
        self == Self::Account || response.denies_credentials()
    }
}

/// The requests of one account to the Upload API.
#[derive(Debug)]
pub(super) struct AuthorizedRequests {
    pub(super) exchange: Exchange,
    pub(super) tokens: Tokens,
    pub(super) secrets: Arc<Secrets>,
    /// Of the upload, and of all else: one may be denied while the other is not.
    pub(super) denials: [DenialLimit; 2],
    pub(super) monotonic: Arc<dyn MonotonicClock>,
}

impl AuthorizedRequests {
    /// Sends a request, each time as `request` makes it, since a secret may be replaced meanwhile. The
    /// Platform may repeat `rows`. The outer error means that the request was not sent, or that access
    /// is denied.
    pub(super) async fn send(
        &self,
        endpoint: &'static str,
        rows: &[&str],
        scope: Scope,
        guard: &dyn RequestGuard,
        request: impl Fn() -> WireRequest + Send + Sync,
    ) -> Result<Result<PlatformResponse, TransportError>, RequestError> {
        let mut replaced: Option<Token> = None;
        self.secrets.refresh_if_old();
        loop {
            let token = self.tokens.get(guard).await?;
            let request = request().with_secret(AUTHORIZATION, &token.authorization());
            guard.permit()?;
            guard.set_in_flight(true);
            let response = self.exchange.send(endpoint, request).await;
            guard.set_in_flight(false);
            let status = response.as_ref().map(|response| response.status).ok();
            let is_denied = status.is_some_and(|status| [401, 403].contains(&status.as_u16()));
            self.denials(endpoint).extend(self.monotonic.now());
            if is_denied && self.secrets.refresh() {
                self.tokens.forget(&token);
                continue;
            }
            match (response, status) {
                (Ok(response), Some(StatusCode::UNAUTHORIZED)) => {
                    if replaced.is_none() && !self.is_young(endpoint, &token) {
                        self.tokens.forget(&token);
                        replaced = Some(token);
                        continue;
                    }
                    // Some servers issue a token until it expires, even if it is denied.
                    let same = replaced.filter(|replaced| replaced.is_same(&token));
                    let expected = same.map(|same| same.expires_at);
                    return Err(self.denial(&response, rows, expected).into());
                }
                (Ok(response), Some(StatusCode::FORBIDDEN)) if scope.is_denied(&response) => {
                    return Err(self.denial(&response, rows, None).into());
                }
                (response, status) => {
                    // A gateway may deny for other reasons without a look at the token.
                    if status.is_some_and(|status| status.is_success()) {
                        token.has_worked();
                        self.denials(endpoint).end();
                    }
                    // Some servers redirect to a login page where others respond 401.
                    if status.is_some_and(|status| status.is_redirection()) {
                        self.tokens.forget(&token);
                    }
                    return Ok(response);
                }
            }
        }
    }

    /// True for a token that has not been accepted yet and may still become valid: the clocks of those
    /// who issue and check it may differ. The first that is denied is replaced at once, and each one
    /// after that is used twice as long as the one before.
    fn is_young(&self, endpoint: &str, token: &Token) -> bool {
        let now = self.monotonic.now();
        let Some(lasts_for) = self.denials(endpoint).lasts_for(now) else { return false };
        !token.worked() && now.since(token.fetched_at) < YOUNG.max(lasts_for / 2)
    }

    /// The meaning of a 401 or 403, which is recorded if the credentials are denied.
    fn denial(
        &self,
        response: &PlatformResponse,
        rows: &[&str],
        expected: Option<MonotonicTime>,
    ) -> PlatformError {
        let error = self.denied(response, rows, expected);
        self.exchange.observer.denied(&error);
        error
    }

    /// The meaning of a 401 or 403: a denial, if it says so of the credentials, or if it lasts, and
    /// longer than until it is `expected` to end.
    fn denied(
        &self,
        response: &PlatformResponse,
        rows: &[&str],
        expected: Option<MonotonicTime>,
    ) -> PlatformError {
        let (endpoint, status) = (response.endpoint, response.status);
        let scrubber = &self.exchange.scrubber;
        let words = match response.shown(scrubber, rows) {
            _ if response.body.is_empty() => String::new(),
            shown => format!(": {shown}"),
        };
        let (challenge, remark) = (response.challenge(scrubber), self.secrets.remark());
        let status_code = status.as_u16();
        let what = format!("{endpoint}: access denied ({status_code}){words}{challenge}{remark}");
        // That a token is denied may pass; a fresh one that may do too little stays so.
        if status == StatusCode::FORBIDDEN && response.denies_credentials() {
            return PlatformError::Credentials(what);
        }
        let denials = self.denials(endpoint);
        denied(denials, self.monotonic.now(), what, expected, PlatformError::Transient)
    }

    fn denials(&self, endpoint: &str) -> &DenialLimit {
        &self.denials[usize::from(endpoint != UPLOAD)]
    }
}
