//! The state of the server: its memory, its append-only file and its replicas.

use super::check::Info;
use super::connection::RedisConnection;
use super::error::RedisError;
use super::values::text;
use crate::ServerState;

pub(super) async fn state(link: &RedisConnection) -> Result<ServerState, RedisError> {
    let mut info = redis::cmd("INFO");
    info.arg("memory").arg("persistence").arg("replication");
    Ok(of_info(&Info(text(link.command(info).await?)?)))
}

fn of_info(info: &Info) -> ServerState {
    let number = |name: &str| info.get(name).and_then(|value| value.parse().ok());
    let is_appending = info.get("aof_enabled") == Some("1")
        && info.get("aof_last_write_status").is_none_or(|status| status == "ok");
    let written = number("master_repl_offset").unwrap_or(0);
    let replicas = number("connected_slaves").unwrap_or(0);
    let received = (0..replicas).filter_map(|at| received(info.get(&format!("slave{at}"))?));
    ServerState {
        memory: number("used_memory").unwrap_or(0),
        memory_limit: number("maxmemory").filter(|limit| *limit > 0),
        aof: is_appending.then(|| number("aof_current_size").unwrap_or(0)),
        replicas,
        replica_lag: received.map(|bytes| written.saturating_sub(bytes)).max().unwrap_or(0),
    }
}

/// The offset in the description of a replica, such as `ip=10.0.0.7,port=6379,state=online,offset=42,lag=0`.
fn received(replica: &str) -> Option<u64> {
    replica.split(',').find_map(|part| part.strip_prefix("offset="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_server_is_read_from_what_it_says() {
        let info = |text: &str| of_info(&Info(text.replace(' ', "\r\n")));
        let full = info(
            "used_memory:900 maxmemory:1000 aof_enabled:1 aof_last_write_status:ok aof_current_size:77 \
             connected_slaves:2 slave0:ip=::1,port=1,state=online,offset=90,lag=0 \
             slave1:ip=::1,port=2,state=online,offset=60,lag=1 master_repl_offset:100",
        );
        let expected = ServerState {
            memory: 900,
            memory_limit: Some(1000),
            aof: Some(77),
            replicas: 2,
            replica_lag: 40,
        };
        assert_eq!(full, expected);
        let bare = info("used_memory:5 maxmemory:0 aof_enabled:0 connected_slaves:0");
        assert_eq!((bare.memory_limit, bare.aof, bare.replica_lag), (None, None, 0));
        assert_eq!(info("aof_enabled:1 aof_last_write_status:err aof_current_size:77").aof, None);
    }
}
