//! Clients that connect and send nothing: they block no other client.

use std::time::{Duration, Instant};

use ferry_testing::within;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::abuse::Victim;
use crate::cli::harness::Ferry;

/// The limit of connections of the server: four times that of its requests.
const CONNECTIONS: usize = 64;

/// A response comes at once, and not when the silent ones are cut off.
const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn silent_connections_of_any_number_block_no_client() {
    let victim = Victim::start(Ferry::new().set("FERRY_MAX_CONCURRENT_REQUESTS", "16"));
    Runtime::new().unwrap().block_on(async {
        let silent = |count: usize| {
            let address = victim.address.clone();
            async move {
                let mut silent = Vec::new();
                for _ in 0..count {
                    silent.push(TcpStream::connect(&address).await.unwrap());
                }
                silent
            }
        };
        let mut first = silent(1).await;
        let others = silent(3 * CONNECTIONS).await;
        let started = Instant::now();
        for path in ["/healthz", "/readyz", "/v1/stats"] {
            assert_eq!(victim.get(path).await.status, 200);
        }
        victim.is_well().await;
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        // The oldest one made room.
        let end = within("the end of the first", first[0].read_to_end(&mut Vec::new())).await;
        assert!(end.is_ok_and(|bytes| bytes == 0) && started.elapsed() < AT_ONCE * 2);
        drop(others);
    });
}
