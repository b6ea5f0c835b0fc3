//! Tests that a read of an account takes as many steps of SQLite whatever others have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::SqliteStore;
use super::access::Access;
use super::last_counts::LastCounts;
use super::read::RecordReader;
use crate::{ClaimRequest, Deadline, Filter, NewSubmission, Payload, Store};
use ferry_types::clock::SystemClock;
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{SubmissionId, timestamp};

fn new(account: &str, name: &str, team: &str) -> NewSubmission {
    let id = SubmissionId::new(timestamp(1_700_000_000_000), fastrand::u128(..));
    let payload = Payload { data: "data".to_owned(), event_data: None };
    let deadline = Deadline::After(Duration::from_hours(1));
    let labels = [("team".to_owned(), team.to_owned())].into();
    NewSubmission { labels, ..NewSubmission::new(id, account, name.to_owned(), payload, deadline) }
}

/// Some of accounts that stand before and behind `own`, or between: with its names and labels, and others.
async fn accept_of_others(store: &SqliteStore, times: usize) {
    for account in ["a", "own ", "z"] {
        let of_account = (0..times).flat_map(|_| {
            [new(account, "common", "north"), new(account, "of others", "of others")]
        });
        store.accept(of_account.collect()).await.unwrap();
    }
    // Workers hold all that is due: at first also those of `own`.
    let (limit, lease) = (10_000, Duration::from_hours(1));
    let request =
        ClaimRequest { kind: StepKind::Upload, limit, lease, account_limits: Arc::default() };
    store.claim(request).await.unwrap();
}

fn filters() -> Vec<Filter> {
    let named = |name: &str| Filter { name: Some(name.to_owned()), ..Filter::default() };
    let labeled = |team: &str| {
        let labels = [("team".to_owned(), team.to_owned())].into();
        Filter { labels, ..Filter::default() }
    };
    let all = Filter::default();
    let mut filters =
        vec![all, named("common"), named("of others"), labeled("north"), labeled("of others")];
    let times = [1_000_000_000_000, 4_000_000_000_000].map(timestamp);
    let since =
        |filter: &Filter| times.map(|time| Filter { created_after: Some(time), ..filter.clone() });
    let before =
        |filter: &Filter| times.map(|time| Filter { created_before: Some(time), ..filter.clone() });
    filters
        .extend(filters.clone().iter().flat_map(|filter| [since(filter), before(filter)].concat()));
    let queued = |filter: &Filter| Filter { states: vec![State::Queued], ..filter.clone() };
    filters.extend(filters.clone().iter().map(queued));
    filters
}

/// Steps of SQLite's machine for each list of the account `own`, and for its statistics.
fn steps(connection: &Connection, counted: &AtomicU64) -> Vec<(String, u64)> {
    let (policy, now) = (HealthPolicy::default(), timestamp(2_000_000_000_000));
    let last_counts = LastCounts::default();
    let last_counts = &last_counts;
    let reader = RecordReader { connection, policy: &policy, now, offset: 0, last_counts };
    let mut taken = Vec::new();
    for filter in filters() {
        let filter = Filter { accounts: vec!["own".to_owned()], ..filter };
        counted.store(0, Ordering::SeqCst);
        let page = reader.list(&filter, None, 2).unwrap();
        assert!(page.looked_at <= 3, "{filter:?}");
        taken.push((format!("{filter:?}"), counted.load(Ordering::SeqCst)));
    }
    counted.store(0, Ordering::SeqCst);
    reader.stats(Some("own")).unwrap();
    taken.push(("stats".to_owned(), counted.load(Ordering::SeqCst)));
    taken
}

#[tokio::test]
async fn a_read_of_an_account_takes_as_many_steps_whatever_others_have() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ferry.db");
    let store = SqliteStore::open(&path, Arc::new(SystemClock), HealthPolicy::default()).unwrap();
    let own = ["first", "common", "first"].map(|name| new("own", name, "north"));
    store.accept(own.into()).await.unwrap();
    // Where an index ends behind the account, one step is saved.
    accept_of_others(&store, 3).await;
    let mut connection = Access::Write.open_reader(&path).unwrap();
    let counted = Arc::new(AtomicU64::new(0));
    let counting = counted.clone();
    let count = move || {
        counting.fetch_add(1, Ordering::SeqCst);
        false
    };
    connection.progress_handler(1, Some(count)).unwrap();
    // Prepares the statements.
    steps(&connection, &counted);
    let before = steps(&connection, &counted);
    assert!(before.iter().all(|(_, steps)| *steps > 10), "{before:?}");
    accept_of_others(&store, 150).await;
    assert_eq!(steps(&connection, &counted), before);
}
