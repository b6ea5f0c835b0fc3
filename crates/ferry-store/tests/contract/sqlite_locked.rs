//! A file that another process has locked for writes can be read.

use std::time::{Duration, Instant};

use super::sqlite_file::SqliteFile;
use super::subject::{Subject, new};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_has_locked_is_opened_and_read_without_a_wait() {
    let file = SqliteFile::new();
    let subject = Subject::at(file.clone()).await;
    let id = subject.accept(new("a")).await;
    let other = file.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    let store = subject.another().await;
    assert!(store.get(id).await.unwrap().is_some());
    assert_eq!(store.stats().await.unwrap().unfinished(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    other.execute_batch("ROLLBACK").unwrap();
}
