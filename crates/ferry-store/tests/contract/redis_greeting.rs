//! A server that sends an error and closes is reported in its own words.

use std::net::Ipv4Addr;

use ferry_store::{Store, StoreError};
use ferry_testing::{RedisServer, Wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::redis_place::{store_at, store_on};

/// A server that answers each connection with an error, and closes it.
async fn server_that_says(error: &'static str, reads_first: bool) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if reads_first {
                    let _ = stream.read(&mut [0; 4096]).await;
                }
                let _ = stream.write_all(error.as_bytes()).await;
            });
        }
    });
    port
}

fn cause<T: std::fmt::Debug>(response: Result<T, StoreError>) -> String {
    match response {
        Err(StoreError::Unavailable { cause, .. }) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_error_of_a_server_that_closes_is_shown() {
    for (error, expected) in [
        (
            "-DENIED Redis is running in protected mode because protected mode is enabled and no \
             password is set for the default user.\r\n",
            ["DENIED", "Redis is running in protected mode"],
        ),
        ("-ERR max number of clients reached\r\n", ["ERR", "max number of clients reached"]),
        (
            "-LOADING Redis is loading the dataset in memory\r\n",
            ["LOADING", "Redis is loading the dataset in memory"],
        ),
        ("-NOAUTH Authentication required.\r\n", ["NOAUTH", "Authentication required"]),
    ] {
        for reads_first in [false, true] {
            let port = server_that_says(error, reads_first).await;
            let store = store_at(&format!("redis://127.0.0.1:{port}"), "ferry");
            let cause = cause(store.stats().await);
            assert!(expected.iter().all(|part| cause.contains(part)), "{expected:?}: {cause}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_has_too_many_clients_is_reported_in_its_own_words() {
    let server = RedisServer::start(&[]).await;
    server.ask::<()>("CONFIG SET maxclients 1").await;
    let address = (Ipv4Addr::LOCALHOST, server.port());
    // The connection that set it may take a while to be gone.
    let wait = Wait::begin("the only connection");
    let _client = loop {
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"PING\r\n").await.unwrap();
        let mut response = [0; 5];
        client.read_exact(&mut response).await.unwrap();
        if &response == b"+PONG" {
            break client;
        }
        wait.pause().await;
    };
    let cause = cause(store_on(&server, "ferry").stats().await);
    assert!(cause.contains("max number of clients reached"), "{cause}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_the_password_hides_no_other_error() {
    let server = RedisServer::start(&[]).await;
    server.ask::<()>("CONFIG SET requirepass secret").await;
    let wrong = store_at(&format!("redis://:wrong@127.0.0.1:{}", server.port()), "ferry");
    let cause = cause(wrong.stats().await);
    assert!(!cause.contains("NOAUTH"), "{cause}");
    assert!(cause.to_lowercase().contains("auth") || cause.contains("WRONGPASS"), "{cause}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_answers_and_is_no_redis_is_named() {
    for (sent, expected) in [
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "what responds is no Redis: it sent `HTTP/1.1 400 Bad Request`",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "it sent `SSH-2.0-OpenSSH_9.2`"),
        ("ERROR\r\n", "it sent `ERROR`"),
        ("J\0\0\0\n8.0.36\0", "it sent `J"),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\n", "`store` must begin with `rediss://`"),
        // As PostgreSQL does.
        ("", "the server does not respond: is it a Redis?"),
    ] {
        for reads_first in [false, true] {
            let port = server_that_says(sent, reads_first).await;
            let store = store_at(&format!("redis://127.0.0.1:{port}"), "ferry");
            let cause = cause(store.stats().await);
            assert!(cause.contains(expected), "{expected}: {cause}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_reported_as_one() {
    let server = RedisServer::start(&[]).await;
    let store = store_at(&format!("rediss://127.0.0.1:{}", server.port()), "ferry");
    let cause = cause(store.stats().await);
    assert!(cause.contains("`store` must begin with `redis://`"), "{cause}");
}
