//! Returns the space of removed submissions to the file system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ferry_store::{Commit, NewSubmission, Payload};
use ferry_types::domain::submission::{State, StepKind};

use super::sqlite_file::SqliteFile;
use super::subject::{DAY, Subject, millis, new};
use super::transitions as t;

/// Submissions of the test; `SPACE=20000` takes as many as a busy day.
fn count() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a longer run by hand")]
    std::env::var("SPACE").ok().and_then(|count| count.parse().ok()).unwrap_or(2000)
}

/// One with a dataset that is hardly smaller when it is compressed.
fn large(n: usize) -> NewSubmission {
    let mut random = fastrand::Rng::with_seed(n as u64);
    let data = (0..6000).map(|_| random.alphanumeric()).collect();
    NewSubmission { payload: Payload { data, event_data: None }, ..new(&format!("{n}")) }
}

async fn end_all(subject: &Subject) {
    let wait = ferry_testing::Wait::begin("the last claim");
    loop {
        wait.check();
        let claims = subject.claim(StepKind::Upload, 500).await;
        if claims.is_empty() {
            return;
        }
        let commit =
            |claim: &ferry_store::Claim| Commit { lease: claim.lease, transition: t::failed() };
        subject.store.commit(claims.iter().map(commit).collect()).await.unwrap();
    }
}

/// Accepts submissions until it is stopped; returns the longest time that one took.
async fn longest_write(subject: &Subject, stopped: Arc<AtomicBool>) -> Duration {
    let store = subject.another().await;
    let mut longest = Duration::ZERO;
    for n in 0.. {
        let begun = Instant::now();
        store.accept(vec![new(&format!("meanwhile {n}"))]).await.unwrap();
        longest = longest.max(begun.elapsed());
        if stopped.load(Ordering::SeqCst) {
            break;
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_shrinks_after_a_sweep_and_no_write_waits_long() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    for first in (0..count()).step_by(500) {
        subject.accept_all((first..(first + 500).min(count())).map(large)).await;
    }
    end_all(&subject).await;
    let size = || std::fs::metadata(file.path()).unwrap().len();
    file.checkpoint();
    let before = size();
    subject.advance(DAY).await;
    let stopped = Arc::<AtomicBool>::default();
    let writing = longest_write(&subject, stopped.clone());
    let sweeping = async {
        let begun = Instant::now();
        let wait = ferry_testing::Wait::begin("the last sweep");
        while subject.store.sweep(millis(1000)).await.unwrap() > 0 {
            wait.check();
        }
        stopped.store(true, Ordering::SeqCst);
        begun.elapsed()
    };
    let (longest, took) = tokio::join!(writing, sweeping);
    file.checkpoint();
    let after = size();
    assert!(after < before / 2, "{after} of {before} bytes are left after {took:?}");
    assert!(longest < Duration::from_secs(5), "a write took {longest:?}");
    let stats = subject.store.stats().await.unwrap();
    assert_eq!(stats.count(State::Failed), 0);
}
