//! Address of a server with the credentials; the password is never shown.

use std::fmt;
use std::sync::Arc;

use redis::{Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use super::topology::{ReadPassword, Topology};
use ferry_types::closed_set;

closed_set! {
    /// Guarantee that a change waits for before it counts.
    #[derive(Default)]
    pub enum Durability: "durability" {
        /// For nothing but the server's response: its configuration says when changes are on the disk.
        #[default]
        Server = "server",
        /// Accepted is what the server has synced to its file. Redis 7.2 and Valkey report that.
        Fsynced = "fsynced",
        /// Accepted is what a replica has, and an upload begins when a replica knows of it: a failover
        /// loses neither.
        Replicated = "replicated",
    }
}

/// Address of a store's server.
#[derive(Clone)]
pub struct RedisAddress {
    topology: Topology,
    location: String,
    namespace: String,
}

impl RedisAddress {
    /// Understands `redis://` and `rediss://` URLs, with user, password and database where needed, and
    /// with several hosts, separated by commas, for the nodes of a Cluster; and, with Sentinels as
    /// hosts, `redis+sentinel://…/MASTER/DATABASE`. The error says what was expected.
    pub fn new(url: &str) -> Result<Self, String> {
        let expected = || {
            "expected a URL such as redis://localhost:6379/0, redis://node1:6379,node2:6379 for a \
             Cluster, or redis+sentinel://host1:26379,host2:26379/MASTER/0"
                .to_owned()
        };
        let location = location(url).ok_or_else(expected)?;
        let topology = topology(url).ok_or_else(expected)?;
        Ok(Self { topology, location, namespace: "ferry".to_owned() })
    }

    /// The same for another store on the same server; a namespace has no braces.
    #[must_use]
    pub fn with_namespace(self, namespace: &str) -> Self {
        Self { namespace: namespace.to_owned(), ..self }
    }

    /// The same for servers with TLS with certificates of the authorities in `pem`, and no others. The error
    /// says what is wrong with them.
    pub fn with_authorities(self, pem: Vec<u8>) -> Result<Self, String> {
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
        let with_tls = |info: ConnectionInfo| {
            let client = Client::build_with_tls(info, certificates.clone());
            client
                .map(|client| client.get_connection_info().clone())
                .map_err(|error| error.to_string())
        };
        let Topology { nodes, master, password } = self.topology;
        let nodes = nodes.into_iter().map(with_tls).collect::<Result<_, _>>()?;
        let master = match master {
            Some((name, info)) => Some((name, with_tls(info)?)),
            None => None,
        };
        Ok(Self { topology: Topology { nodes, master, password }, ..self })
    }

    /// The same with a password that does not stand in the URL.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        Self { topology: self.topology.with_password(password), ..self }
    }

    /// The same with a password that is read again for each connection, so that it can be rotated;
    /// `None` leaves it as it was.
    #[must_use]
    pub fn with_password_from(self, password: Arc<ReadPassword>) -> Self {
        Self { topology: Topology { password: Some(password), ..self.topology }, ..self }
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    /// Prefix of all keys: the hash tag keeps them together on a Cluster.
    pub(super) fn base(&self) -> String {
        format!("{{{}}}:", self.namespace)
    }

    /// The queue of requests that belongs to the store.
    pub fn intake_queue(&self) -> String {
        format!("{}intake", self.base())
    }

    pub(super) fn topology(&self) -> Topology {
        self.topology.clone()
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection's settings hold the password.
        f.debug_struct("RedisAddress")
            .field("place", &self.location)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl PartialEq for RedisAddress {
    fn eq(&self, other: &Self) -> bool {
        (&self.location, &self.namespace) == (&other.location, &other.namespace)
    }
}

impl Eq for RedisAddress {}

/// Takes a URL apart: one for each host, and what a master behind Sentinels is called.
fn topology(url: &str) -> Option<Topology> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (format!("{user}@"), rest),
        None => (String::new(), rest),
    };
    let (hosts, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let info = |url: String| url.into_connection_info().ok();
    let hosts = hosts.split(',');
    let Some(scheme) = scheme.strip_suffix("+sentinel") else {
        let nodes = hosts.map(|host| info(format!("{scheme}://{user}{host}{path}")));
        let nodes = nodes.collect::<Option<_>>()?;
        return Some(Topology { nodes, master: None, password: None });
    };
    let (name, database) = match path.strip_prefix('/')?.split_once('/') {
        Some((name, database)) => (name, database),
        None => (path.strip_prefix('/')?, ""),
    };
    let nodes: Vec<_> =
        hosts.map(|host| info(format!("{scheme}://{host}"))).collect::<Option<_>>()?;
    // Its address is what the Sentinels are asked for.
    let master = info(format!("{scheme}://{user}master/{database}"))?;
    (!name.is_empty()).then(|| Topology {
        nodes,
        master: Some((name.to_owned(), master)),
        password: None,
    })
}

/// The URL without user, password and query.
fn location(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split(['?', '#']).next()?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_holds_neither_user_nor_password() {
        for url in [
            "redis://ferry:s3cret@example.com:6380/2",
            "rediss://:s3cret@example.com/0?protocol=resp3",
            "redis://:s3%40cret@example.com",
        ] {
            let address = RedisAddress::new(url).unwrap().with_password("s3cret too");
            let shown = format!("{address:?} {}", address.location());
            assert!(shown.contains("example.com"), "{shown}");
            assert!(!shown.contains("cret") && !shown.contains("ferry:"), "{shown}");
        }
    }

    #[test]
    fn a_url_may_name_the_nodes_of_a_cluster_or_the_sentinels_of_a_master() {
        let cluster = RedisAddress::new("redis://ferry:s3cret@a:1,b:2").unwrap();
        let nodes: Vec<String> =
            cluster.topology.nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(nodes, ["a:1", "b:2"]);
        assert_eq!(cluster.location(), "redis://a:1,b:2");
        let sentinels = RedisAddress::new("redis+sentinel://:s3cret@a:1,b:2,c:3/main/4").unwrap();
        let (name, master) = sentinels.topology.master.as_ref().unwrap();
        assert_eq!((name.as_str(), master.redis_settings().db()), ("main", 4));
        assert_eq!(master.redis_settings().password(), Some("s3cret"));
        let passwords =
            sentinels.topology.nodes.iter().map(|node| node.redis_settings().password());
        assert_eq!(passwords.collect::<Vec<_>>(), [None; 3]);
        assert_eq!(sentinels.location(), "redis+sentinel://a:1,b:2,c:3/main/4");
        assert!(RedisAddress::new("redis+sentinel://a:1").is_err(), "which master?");
    }

    #[test]
    fn what_is_no_url_is_invalid_and_is_not_repeated() {
        for url in ["redis://", "redis://:s3cret@", "redis://host:s3cret/0"] {
            let error = RedisAddress::new(url).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
