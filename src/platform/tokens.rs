//! The account's access token: one for all requests, fetched once however many wait for it, renewed
//! before it expires, dropped when it is denied.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::guard::{RequestError, RequestGuard};
use super::observed::Observer;
use super::secrets::Secrets;
use super::token_endpoint::{Token, TokenEndpoint};
use ferry_types::clock::{MonotonicClock, MonotonicTime};
use ferry_types::domain::outcome::PlatformError;

/// A renewal that failed is not tried again sooner, while the old token lasts.
const AGAIN: Duration = Duration::from_secs(1);

/// Fetches and caches the token.
#[derive(Debug)]
pub(super) struct Tokens {
    endpoint: TokenEndpoint,
    secrets: Arc<Secrets>,
    observer: Observer,
    monotonic: Arc<dyn MonotonicClock>,
    cached: Mutex<CachedToken>,
    /// Locked while a token is fetched: the others wait for that one.
    fetching: tokio::sync::Mutex<()>,
}

/// The results of the fetches so far.
#[derive(Debug, Default)]
struct CachedToken {
    token: Option<Token>,
    /// The last one that was dropped: some servers issue a token until it expires.
    dropped: Option<Token>,
    /// The last failure, and when it was.
    failed: Option<(MonotonicTime, PlatformError)>,
}

impl Tokens {
    pub(super) fn new(endpoint: TokenEndpoint) -> Self {
        Self {
            secrets: endpoint.secrets.clone(),
            observer: endpoint.exchange.observer.clone(),
            monotonic: endpoint.monotonic.clone(),
            endpoint,
            cached: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The token; `guard` permits each request for one.
    pub(super) async fn get(&self, guard: &dyn RequestGuard) -> Result<Token, RequestError> {
        let requested_at = self.monotonic.now();
        let old = self.cached().token.clone().filter(|token| requested_at < token.expires_at);
        let _fetching = match &old {
            Some(token) if requested_at < token.renew_at => return Ok(token.clone()),
            // It still works: no other request need wait for its successor.
            Some(token) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        if let Some(news) = self.news_since(requested_at) {
            return Ok(news?);
        }
        let fetched = match self.fetch(guard).await {
            Ok(token) => Ok(token),
            Err(RequestError::Platform(error)) => Err(error),
            Err(withheld) => return Err(withheld),
        };
        let left = fetched.as_ref().map(|token| token.expires_at.since(self.monotonic.now()));
        self.observer.token(left);
        Ok(self.keep(fetched, old)?)
    }

    /// The result of a fetch that was made while this call waited; a failure counts for all that
    /// waited.
    fn news_since(&self, requested_at: MonotonicTime) -> Option<Result<Token, PlatformError>> {
        let now = self.monotonic.now();
        let cached = self.cached();
        let token = cached.token.as_ref().filter(|token| now < token.renew_at);
        let failed = cached.failed.as_ref().filter(|(at, _)| *at >= requested_at);
        match (token, failed) {
            (Some(token), _) => Some(Ok(token.clone())),
            (None, Some((_, error))) => Some(Err(error.clone())),
            (None, None) => None,
        }
    }

    /// While the old token lasts, a failure of the token endpoint does no harm.
    fn keep(
        &self,
        fetched: Result<Token, PlatformError>,
        old: Option<Token>,
    ) -> Result<Token, PlatformError> {
        let now = self.monotonic.now();
        let mut cached = self.cached();
        match fetched {
            Ok(mut token) => {
                if let Some(dropped) = cached.dropped.take().filter(|old| old.is_same(&token)) {
                    token.worked = dropped.worked;
                    token.fetched_at = dropped.fetched_at;
                }
                cached.token = Some(token.clone());
                cached.failed = None;
                Ok(token)
            }
            Err(error) => {
                let current = cached.token.as_mut().filter(|current| {
                    now < current.expires_at && old.is_some_and(|old| old.is(current))
                });
                if let (PlatformError::Unsent(_), Some(current)) = (&error, current) {
                    current.renew_at = now + AGAIN.max(current.expires_at.since(now) / 4);
                    return Ok(current.clone());
                }
                cached.failed = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// Drops a token that was denied, unless it has been replaced by now.
    pub(super) fn forget(&self, denied: &Token) {
        let mut cached = self.cached();
        if cached.token.as_ref().is_some_and(|token| token.is(denied)) {
            cached.dropped = cached.token.take();
        }
    }

    fn cached(&self) -> MutexGuard<'_, CachedToken> {
        self.cached.lock()
    }

    /// Fetches a token, once more if the secret was replaced meanwhile.
    async fn fetch(&self, guard: &dyn RequestGuard) -> Result<Token, RequestError> {
        self.secrets.refresh_if_old();
        guard.permit()?;
        match self.endpoint.fetch().await {
            Err(_) if self.secrets.refresh() => {
                guard.permit()?;
                Ok(self.endpoint.fetch().await?)
            }
            fetched => Ok(fetched?),
        }
    }
}
