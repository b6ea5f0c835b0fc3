//! Bodies of few bytes that are much work, and never end: other requests have their turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferry_types::contract::ProblemKind;
use reqwest::Method;

use super::encoding::{gzip, zstd};
use super::harness::{Answer, Served};

/// Counts the turns of another task of this thread.
fn count_turns() -> Arc<AtomicU64> {
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    let wait = ferry_testing::Wait::begin("the end of the test");
    tokio::spawn(async move {
        loop {
            wait.check();
            tokio::task::yield_now().await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    turns
}

#[tokio::test]
async fn a_compressed_body_leaves_turns_to_other_requests() {
    const SIZE: usize = 32 << 20;
    let served = Served::idle(&[("MAX_DATASET_BYTES", &(SIZE / 2).to_string())]).await;
    let text = vec![b'x'; SIZE];
    let turns = count_turns();
    for (encoding, body) in [("gzip", gzip(&text).await), ("zstd", zstd(&text))] {
        let request = served.request(Method::POST, "/v1/submissions?name=a");
        let request = request.header("content-type", "text/csv");
        let request = request.header("content-encoding", encoding).body(body);
        turns.store(0, Ordering::Relaxed);
        Answer::of(request).await.is(ProblemKind::TooLarge);
        let turns = turns.load(Ordering::Relaxed);
        println!("{encoding}: {turns} turns");
        assert!(turns > (SIZE >> 20) as u64, "{encoding}: {turns} turns");
    }
}

#[tokio::test]
async fn a_bulk_of_blank_lines_is_not_read_without_end() {
    let served = Served::idle(&[]).await;
    let request = served.request(Method::POST, "/v1/submissions/bulk");
    let request = request.header("content-type", "application/x-ndjson");
    let body = gzip(&vec![b'\n'; 1 << 20]).await;
    let answer = Answer::of(request.header("content-encoding", "gzip").body(body)).await;
    assert!(answer.text().contains("more than 100000 blank lines"), "{}", answer.text());
}
