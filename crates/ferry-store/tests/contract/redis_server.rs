//! The state of a server, as it reports it.

use ferry_store::Store;
use ferry_testing::{RedisServer, own_namespace, until};

use super::redis_place::store_on;
use super::subject::new;

const LIMIT: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_file_and_replicas_of_a_server_are_reported() {
    let limit = LIMIT.to_string();
    let master = RedisServer::start(&["--appendonly", "yes", "--maxmemory", &limit]).await;
    let store = store_on(&master, &own_namespace());
    store.accept(vec![new("a")]).await.unwrap();
    let alone = store.server().await.unwrap().unwrap();
    assert!(alone.memory > 100_000 && alone.aof.is_some_and(|bytes| bytes > 0), "{alone:?}");
    assert_eq!((alone.memory_limit, alone.replicas, alone.replica_lag), (Some(LIMIT), 0, 0));

    let port = master.port().to_string();
    let _replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]).await;
    let state = async || store.server().await.unwrap().unwrap();
    until("a replica is connected", async || state().await.replicas == 1).await;
    until("it has everything", async || state().await.replica_lag == 0).await;
    let () = master.ask("CONFIG SET appendonly no").await;
    assert_eq!(state().await.aof, None);
}
