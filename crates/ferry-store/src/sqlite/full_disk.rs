//! Tests of a store whose file cannot grow.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::SqliteStore;
use super::effects::Effects;
use super::space::pragma;
use crate::{Deadline, Filter, NewSubmission, Payload, Store, StoreError, UnwritableReason};
use ferry_types::clock::SystemClock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, timestamp};

/// Lets the file grow by so many pages more, as a disk does that is nearly full.
async fn leave_pages(store: &SqliteStore, pages: i64) {
    let limit = move |connection: &Connection, _: &mut Effects| {
        let pages = pragma(connection, "page_count")? + pages;
        Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
    };
    store.writer.write(limit).await.unwrap();
}

fn large(number: u128) -> NewSubmission {
    let id = SubmissionId::new(timestamp(1_700_000_000_000), number);
    let mut random = fastrand::Rng::with_seed(number as u64);
    let data = (0..20_000).map(|_| random.alphanumeric()).collect();
    let deadline = Deadline::After(Duration::from_hours(1));
    let payload = Payload { data, event_data: None };
    NewSubmission::new(id, "main", format!("{number}"), payload, deadline)
}

#[tokio::test]
async fn a_full_store_can_be_read_says_that_it_is_full_and_continues_when_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ferry.db");
    let clock = Arc::new(SystemClock);
    let store = SqliteStore::open(&path, clock, HealthPolicy::default()).unwrap();
    leave_pages(&store, 30).await;
    let (mut accepted, mut number) = (0, 0);
    let error = loop {
        number += 1;
        assert!(number < 100, "the store never is full");
        match store.accept(vec![large(number)]).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    let StoreError::NotWritable { reason, location, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*reason, UnwritableReason::Full);
    assert!(location.contains(&path.display().to_string()), "{location}");
    let text = error.to_string();
    assert!(text.contains("is full") && error.is_temporary(), "{text}");
    let page = store.list(&Filter::default(), None, 1000).await.unwrap();
    assert_eq!(page.found.len(), accepted);
    assert_eq!(store.stats().await.unwrap().count(State::Queued), accepted as u64);
    leave_pages(&store, 1000).await;
    store.accept(vec![large(number)]).await.unwrap();
}
