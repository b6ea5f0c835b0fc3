//! Which server takes the writes: the only one, the master that a Sentinel names, or the node of a
//! Cluster that holds the namespace.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, RedisResult, Value,
};

use super::greeting;

/// Reads the password, `None` where it cannot.
pub(super) type ReadPassword = dyn Fn() -> Option<String> + Send + Sync;

/// The servers of a store.
#[derive(Clone)]
pub(super) struct Topology {
    /// Any of them will do to begin with.
    pub(super) nodes: Vec<ConnectionInfo>,
    /// Name of the master if `nodes` are Sentinels, and the settings of its connection but for the address.
    pub(super) master: Option<(String, ConnectionInfo)>,
    /// Source of the password, which is read for each connection if it may change.
    pub(super) password: Option<Arc<ReadPassword>>,
}

impl Topology {
    /// The same with this password. It is the server's; Sentinels are asked without one.
    pub(super) fn with_password(self, password: &str) -> Self {
        let with_password = |info: ConnectionInfo| {
            let settings = info.redis_settings().clone().set_password(password);
            info.set_redis_settings(settings)
        };
        match self.master {
            Some((name, info)) => Self { master: Some((name, with_password(info))), ..self },
            None => Self { nodes: self.nodes.into_iter().map(with_password).collect(), ..self },
        }
    }

    /// A connection to the server that takes writes, tried with `probe`, and how it was made. A node
    /// of a Cluster that does not hold the namespace says which one does.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
        probe: &Cmd,
    ) -> RedisResult<(MultiplexedConnection, ConnectionInfo, Value)> {
        let mut failure = None;
        let password = self.password.as_ref().and_then(|read| read());
        let topology = match password {
            Some(password) => &self.clone().with_password(&password),
            None => self,
        };
        for node in &topology.nodes {
            match topology.connect_by(node, config, probe).await {
                Ok(connected) => return Ok(connected),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.expect("an address has one node at least"))
    }

    async fn connect_by(
        &self,
        node: &ConnectionInfo,
        config: &AsyncConnectionConfig,
        probe: &Cmd,
    ) -> RedisResult<(MultiplexedConnection, ConnectionInfo, Value)> {
        let info = match &self.master {
            Some((name, info)) => at(info, &ask_sentinel(node, name, config).await?)?,
            None => node.clone(),
        };
        let mut connection = open(&info, config).await?;
        match try_out(&mut connection, &info, probe).await {
            Ok(response) => Ok((connection, info, response)),
            Err(error) => {
                let Some((address, _)) = error.redirect_node() else { return Err(error) };
                let info = at(&info, address)?;
                let mut connection = open(&info, config).await?;
                let response = try_out(&mut connection, &info, probe).await?;
                Ok((connection, info, response))
            }
        }
    }
}

async fn open(
    info: &ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let client = Client::open(info.clone())?;
    match client.get_multiplexed_async_connection_with_config(config).await {
        Ok(connection) => Ok(connection),
        Err(error) => Err(greeting::or_greeting(error, info).await),
    }
}

/// Sends the first command over a new connection.
async fn try_out(
    connection: &mut MultiplexedConnection,
    info: &ConnectionInfo,
    probe: &Cmd,
) -> RedisResult<Value> {
    match probe.query_async(connection).await {
        Ok(response) => Ok(response),
        Err(error) => Err(greeting::or_greeting(error, info).await),
    }
}

/// Asks for the address of the master, `host:port`.
async fn ask_sentinel(
    sentinel: &ConnectionInfo,
    master: &str,
    config: &AsyncConnectionConfig,
) -> RedisResult<String> {
    let mut connection = open(sentinel, config).await?;
    let mut cmd = redis::cmd("SENTINEL");
    cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let known = try_out(&mut connection, sentinel, &cmd).await?;
    let known: Option<(String, u16)> = redis::from_redis_value(known)?;
    let (host, port) = known.ok_or_else(|| {
        redis::RedisError::from((redis::ErrorKind::Client, "the Sentinel knows no such master"))
    })?;
    Ok(format!("{host}:{port}"))
}

/// The same at another address.
fn at(info: &ConnectionInfo, address: &str) -> RedisResult<ConnectionInfo> {
    let unusable =
        || redis::RedisError::from((redis::ErrorKind::Client, "an address that cannot be read"));
    let (host, port) = address.rsplit_once(':').ok_or_else(unusable)?;
    let port: u16 = port.parse().map_err(|_| unusable())?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let address = match info.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    Ok(info.clone().set_addr(address))
}
