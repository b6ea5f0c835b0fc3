//! Where a server is, and how to get in; the password is never shown.

use std::fmt;

use redis::{Client, ConnectionInfo, IntoConnectionInfo};

use crate::store::StoreError;

/// What accepting waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// For nothing but the server's answer: its configuration says when changes are on the disk.
    #[default]
    Server,
    /// Until the server has synced its file. Redis 7.2 and Valkey can tell.
    Fsynced,
}

/// Where a store's server is.
#[derive(Clone)]
pub struct RedisAddress {
    connection: ConnectionInfo,
    place: String,
    namespace: String,
}

impl RedisAddress {
    /// Understands `redis://` and `rediss://` URLs, with user, password and database where needed.
    /// The error says what was expected.
    pub fn new(url: &str) -> Result<Self, String> {
        let expected = || "expected a URL such as redis://localhost:6379/0".to_owned();
        let connection = url.into_connection_info().map_err(|_| expected())?;
        let place = place(url).ok_or_else(expected)?;
        Ok(Self { connection, place, namespace: "ferry".to_owned() })
    }

    /// The same for another store on the same server; a namespace has no braces.
    #[must_use]
    pub fn with_namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// The same with a password that does not stand in the URL.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        let settings = self.connection.redis_settings().clone().set_password(password);
        Self { connection: self.connection.set_redis_settings(settings), ..self }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What all keys begin with: the hash tag keeps them together on a Cluster.
    pub(super) fn base(&self) -> String {
        format!("{{{}}}:", self.namespace)
    }

    /// The queue of requests that belongs to the store.
    pub fn intake_queue(&self) -> String {
        format!("{}intake", self.base())
    }

    pub(super) fn client(&self) -> Result<Client, StoreError> {
        Client::open(self.connection.clone()).map_err(|error| {
            StoreError::Unusable(format!("cannot use the store `{}`: {error}", self.place))
        })
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection's settings hold the password.
        f.debug_struct("RedisAddress")
            .field("place", &self.place)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl PartialEq for RedisAddress {
    fn eq(&self, other: &Self) -> bool {
        (&self.place, &self.namespace) == (&other.place, &other.namespace)
    }
}

impl Eq for RedisAddress {}

/// The URL without user, password and query.
fn place(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split(['?', '#']).next()?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_neither_user_nor_password() {
        for url in [
            "redis://ferry:s3cret@example.com:6380/2",
            "rediss://:s3cret@example.com/0?protocol=resp3",
            "redis://:s3%40cret@example.com",
        ] {
            let address = RedisAddress::new(url).unwrap().with_password("s3cret too");
            let shown = format!("{address:?} {}", address.place());
            assert!(shown.contains("example.com"), "{shown}");
            assert!(!shown.contains("cret") && !shown.contains("ferry:"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_repeated() {
        for url in ["redis://", "redis://:s3cret@", "redis://host:s3cret/0"] {
            let refused = RedisAddress::new(url).unwrap_err();
            assert!(!refused.contains("s3cret"), "{refused}");
        }
    }
}
