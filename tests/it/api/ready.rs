//! Readiness: a process that cannot do its work says so, with the reason, and stays alive.

use std::time::{Duration, Instant};

use ferry::api::{Role, create_key};
use ferry_testing::{RedisServer, pause};
use ferry_types::domain::timestamp;
use reqwest::Method;

use super::harness::{GOOD, Served};
use crate::support::{World, prompt};

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_mins(1);

impl Served {
    /// Waits for a response of `/readyz` with this status and text.
    async fn until_ready(&self, status: u16, text: &str) {
        let started = Instant::now();
        loop {
            let response = self.request(Method::GET, "/readyz").send().await.expect("a response");
            let (found, body) =
                (response.status().as_u16(), response.text().await.expect("a text"));
            if found == status && body.contains(text) {
                break;
            }
            let expected = format!("{status} with `{text}`");
            assert!(started.elapsed() < LONG, "{found} `{body}` instead of {expected}");
            pause().await;
        }
        let alive = self.get("/healthz").await;
        assert_eq!((alive.status, alive.text()), (200, "ok\n".to_owned()));
    }
}

async fn served_on(redis: &RedisServer) -> Served {
    Served::over(World::idle(prompt(), &[("STORE", &redis.url())]).await).await
}

#[tokio::test]
async fn a_server_is_not_ready_while_its_store_does_not_respond() {
    let redis = RedisServer::start(&[]).await;
    let served = served_on(&redis).await;
    served.until_ready(200, "ready").await;
    redis.kill();
    served.until_ready(503, "the store").await;
    redis.resume().await;
    served.until_ready(200, "ready").await;
}

#[tokio::test]
async fn a_server_is_not_ready_while_its_store_accepts_no_writes() {
    let redis = RedisServer::start(&[]).await;
    let served = served_on(&redis).await;
    served.until_ready(200, "ready").await;
    let _: String = redis.ask_with(&["CONFIG", "SET", "maxmemory", "1"]).await;
    served.until_ready(503, "maxmemory").await;
    let _: String = redis.ask_with(&["CONFIG", "SET", "maxmemory", "0"]).await;
    served.until_ready(200, "ready").await;
}

#[tokio::test]
async fn a_write_that_the_store_did_not_accept_ends_readiness_at_once() {
    let (redis, master) = (RedisServer::start(&[]).await, RedisServer::start(&[]).await);
    let served = served_on(&redis).await;
    served.until_ready(200, "ready").await;
    let port = master.port().to_string();
    let _: String = redis.ask_with(&["REPLICAOF", "127.0.0.1", &port]).await;
    let body = serde_json::json!({ "name": "march", "data": GOOD });
    let started = Instant::now();
    while served.post("/v1/submissions", &body).await.status == 201 {
        assert!(started.elapsed() < LONG, "a replica takes writes");
    }
    let response = served.request(Method::GET, "/readyz").send().await.expect("a response");
    assert_eq!(response.status(), 503, "{}", response.text().await.expect("a text"));
    let _: String = redis.ask_with(&["REPLICAOF", "NO", "ONE"]).await;
    served.until_ready(200, "ready").await;
}

#[tokio::test]
async fn a_server_is_not_ready_while_its_keys_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.jsonl");
    let owner = "reader".to_owned();
    create_key(&file, owner, Role::Read, [].into(), timestamp(0)).unwrap();
    let keys = std::fs::read(&file).unwrap();
    let world = World::idle(prompt(), &[("API_KEYS", &file.display().to_string())]).await;
    let served = Served::over(world).await;
    served.until_ready(200, "ready").await;
    std::fs::write(&file, "nonsense").unwrap();
    served.until_ready(503, "keys.jsonl`, line 1: not a key").await;
    std::fs::remove_file(&file).unwrap();
    // The cause, too, and not only that it failed.
    served.until_ready(503, "No such file or directory").await;
    std::fs::write(&file, keys).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    served.until_ready(200, "ready").await;
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready() {
    let served = Served::idle(&[]).await;
    assert_eq!(served.world.app.readiness.check().await, Ok(()));
    served.world.app.shutdown.drain();
    assert_eq!(served.world.app.readiness.check().await, Err("stopping".to_owned()));
}
