//! Limits of requests: of time, of memory, and of the store.

use std::time::{Duration, Instant};

use ferry_types::contract::ProblemKind;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::{Answer, GOOD, Served};

#[tokio::test]
async fn a_body_that_is_too_large_is_not_accepted() {
    let served = Served::idle(&[("MAX_DATASET_BYTES", "2048")]).await;
    let send = |bytes: usize| {
        let request = served.request(Method::POST, "/v1/submissions?name=march");
        Answer::of(request.header("content-type", "text/csv").body("x".repeat(bytes)))
    };
    // Larger than any request could be, and larger than a dataset.
    for bytes in [5_000_000, 100_000, 10_000] {
        assert_eq!(send(bytes).await.status, 413, "{bytes}");
    }
    assert_eq!(send(2_000).await.status, 422);
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(
        (0..100).map(|_| Ok::<_, std::io::Error>("y".repeat(50_000))),
    ));
    let request = served.request(Method::POST, "/v1/submissions?name=march");
    let response = Answer::of(request.header("content-type", "text/csv").body(chunked)).await;
    response.is(ProblemKind::TooLarge);
    served.submit(&json!({ "name": "march", "data": GOOD })).await;
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_they_may() {
    let served =
        Served::idle(&[("BODY_MEMORY_BYTES", "150000"), ("MAX_DATASET_BYTES", "100000")]).await;
    // Two bodies that never end take most of it.
    let head = "POST /v1/submissions?name=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n\
                content-length: 160000\r\n\r\n";
    let begun = format!("{head}{}", "x".repeat(150_000));
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let send = || {
        let request = served.request(Method::POST, "/v1/submissions?name=march");
        Answer::of(request.header("content-type", "text/csv").body("x".repeat(150_000)))
    };
    let started = Instant::now();
    let failed = loop {
        let response = send().await;
        if response.status == 503 {
            break response;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{}", response.text());
    };
    assert!(failed.is(ProblemKind::Busy).detail.contains("body_memory_bytes"));
    assert!(!failed.header("retry-after").is_empty());
    drop(slow);
    let started = Instant::now();
    while send().await.status == 503 {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test]
async fn more_requests_than_allowed_are_sent_away_and_probes_are_not() {
    let served = Served::idle(&[("MAX_CONCURRENT_REQUESTS", "4")]).await;
    let id = served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let path = format!("/v1/submissions/{id}");
    let mut slow = Vec::new();
    for n in 0..4 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = match n % 2 {
            0 => "POST /v1/submissions?name=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n\
                  content-length: 10\r\n\r\n".to_owned(),
            _ => format!("GET {path}?wait=5m HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let started = Instant::now();
    let failed = loop {
        let response = served.get(&path).await;
        if response.status == 503 {
            break response;
        }
        assert!(started.elapsed() < Duration::from_secs(30));
    };
    failed.is(ProblemKind::Busy);
    assert_eq!(failed.header("retry-after"), "1");
    for probe in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(served.get(probe).await.status, 200, "{probe}");
    }
    drop(slow);
    while served.get(&path).await.status == 503 {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test]
async fn a_full_account_takes_no_more_and_nothing_is_half_accepted() {
    let served = Served::idle(&[("MAX_UNFINISHED", "10")]).await;
    let send = |n: usize| {
        let body = json!({ "name": format!("n{n}"), "data": GOOD });
        let request = served.request(Method::POST, "/v1/submissions");
        Answer::of(request.header("content-type", "application/json").body(body.to_string()))
    };
    let responses = join_all((0..40).map(send)).await;
    let taken: Vec<&Answer> = responses.iter().filter(|response| response.status == 201).collect();
    assert_eq!(taken.len(), 10, "{:?}", responses.iter().map(|a| a.status).collect::<Vec<_>>());
    for response in responses.iter().filter(|response| response.status != 201) {
        response.is(ProblemKind::TooManyUnfinished);
        assert_eq!((response.status, response.header("retry-after")), (429, "5"));
    }
    assert_eq!(served.world.app.store.stats().await.unwrap().unfinished(), 10);
    // As soon as one is final there is room again.
    let id = taken[0].id();
    served.post(&format!("/v1/submissions/{id}/cancel"), &json!({})).await;
    let started = Instant::now();
    while send(99).await.status == 429 {
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}

#[tokio::test]
async fn two_hundred_slow_clients_are_cut_off_and_delay_no_other() {
    let served =
        Served::idle(&[("CLIENT_TIMEOUT", "700ms"), ("MAX_CONCURRENT_REQUESTS", "64")]).await;
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = match n % 4 {
            // Half a head, a head without its body, nothing at all, and one that reads no response.
            0 => "GET /v1/sta",
            1 => {
                "POST /v1/submissions?name=a HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n\
                 content-length: 1000\r\n\r\nSITE"
            }
            2 => "",
            _ => "GET /v1/stats HTTP/1.1\r\nhost: localhost\r\n\r\n",
        };
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let started = Instant::now();
    assert_eq!(served.get("/healthz").await.status, 200);
    // Those with half a body hold their places for no longer than `client_timeout`.
    while served.get("/v1/stats").await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    served.submit(&json!({ "name": "march", "data": GOOD })).await;
    let ends = slow.into_iter().map(|mut stream| async move {
        let mut response = Vec::new();
        // A reset is an end, too.
        let ended =
            tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut response)).await;
        assert!(ended.is_ok(), "a slow client is not cut off");
        String::from_utf8_lossy(&response).into_owned()
    });
    let responses = join_all(ends).await;
    let timeouts = responses.iter().filter(|response| response.starts_with("HTTP/1.1 408")).count();
    assert!(timeouts >= 40, "{timeouts}");
}
