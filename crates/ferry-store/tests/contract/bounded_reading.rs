//! Lists and counts touch what they may, and no more.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_store::selection::{Count, Selection, count};
use ferry_store::{Filter, LOOKED_AT, NewSubmission, Store};
use ferry_testing::RedisServer;
use ferry_types::domain::submission::{State, WaitReason, WebhookState};
use ferry_types::domain::{SubmissionId, timestamp};

use super::redis_place::store_on;
use super::subject::{Subject, new, on};

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn labeled(account: &str, name: &str, pairs: &[(&str, &str)]) -> NewSubmission {
    NewSubmission { labels: labels(pairs), ..on(account, new(name)) }
}

fn by_labels(pairs: &[(&str, &str)]) -> Filter {
    Filter { labels: labels(pairs), ..Filter::default() }
}

fn by_name(name: &str) -> Filter {
    Filter { name: Some(name.to_owned()), ..Filter::default() }
}

/// Filters of every kind, some of which only others match.
fn filters() -> Vec<Filter> {
    let mut filters = vec![
        Filter::default(),
        by_name("own"),
        by_name("common"),
        by_name("of others"),
        by_labels(&[("team", "north")]),
        by_labels(&[("team", "of others")]),
        by_labels(&[("team", "north"), ("ward", "of others")]),
        Filter { name: Some("common".to_owned()), ..by_labels(&[("team", "north")]) },
    ];
    let times = [1_000_000_000_000, 4_000_000_000_000].map(timestamp);
    for time in times {
        let time = Some(time);
        filters.push(Filter { created_after: time, ..Filter::default() });
        filters.push(Filter { created_before: time, ..by_name("common") });
        filters.push(Filter { created_before: time, ..by_labels(&[("team", "north")]) });
    }
    let in_state = |state| move |filter: &Filter| Filter { states: vec![state], ..filter.clone() };
    filters.extend(filters.clone().iter().map(in_state(State::Queued)));
    filters.extend(filters.clone().iter().map(in_state(State::Failed)));
    filters
}

/// Ids of all pages of a list, and how many records were looked at for them.
async fn read(store: &dyn Store, filter: &Filter, limit: usize) -> (Vec<SubmissionId>, usize) {
    let (mut listed, mut looked_at, mut cursor) = (Vec::new(), 0, None);
    let wait = ferry_testing::Wait::begin("the last page");
    loop {
        wait.check();
        let page = store.list(filter, cursor, limit).await.unwrap();
        assert!(page.found.len() <= limit && page.looked_at <= LOOKED_AT, "{filter:?}");
        listed.extend(page.found.iter().map(|found| found.submission.id));
        (cursor, looked_at) = (page.next, looked_at + page.looked_at);
        if cursor.is_none() {
            return (listed, looked_at);
        }
    }
}

/// A few submissions of the account `own`.
async fn accept_own(store: &dyn Store) {
    let own = ["own", "common", "own"].map(|name| labeled("own", name, &[("team", "north")]));
    store.accept(own.into()).await.unwrap();
}

/// Many of another account, with the same names and labels, and with others.
async fn accept_of_others(store: &dyn Store) {
    let of_others = (0..600).map(|n| match n % 2 {
        0 => labeled("other", "common", &[("team", "north"), ("ward", "of others")]),
        _ => labeled("other", "of others", &[("team", "of others")]),
    });
    store.accept(of_others.collect()).await.unwrap();
}

/// Reads the account `own` in every way.
async fn read_own(store: &dyn Store) -> Vec<(Vec<SubmissionId>, usize, Count)> {
    let mut all = Vec::new();
    let of_own = store.stats_of("own").await.unwrap();
    assert_eq!((of_own.accounts.len(), of_own.unfinished()), (1, 3));
    let of_none = store.stats_of("none").await.unwrap();
    assert_eq!((of_none.accounts.len(), of_none.steps.len()), (0, 0));
    for filter in filters() {
        let filter = Filter { accounts: vec!["own".to_owned()], ..filter };
        let (listed, looked_at) = read(store, &filter, 2).await;
        assert!(looked_at <= 2 * 3, "{filter:?} looked at {looked_at}");
        all.push((listed, looked_at, count(store, &filter.into(), 100).await.unwrap()));
    }
    all
}

pub(super) async fn a_read_of_an_account_touches_as_many_records_whatever_others_have(
    subject: Subject,
) {
    accept_own(&*subject.store).await;
    let before = read_own(&*subject.store).await;
    assert_eq!(before[0].0.len(), 3);
    accept_of_others(&*subject.store).await;
    assert_eq!(read_own(&*subject.store).await, before);
}

/// Accepts more than are looked at for a page: all have a label, and some a rare one. Returns these, newest
/// first, and how many there are in all.
async fn accept_many(store: &dyn Store) -> (Vec<SubmissionId>, usize) {
    let batch = LOOKED_AT / 3 + 50;
    let mut rare = Vec::new();
    for first in [0, batch, 2 * batch] {
        let mut accepted: Vec<_> = (first..first + batch)
            .map(|n| labeled("main", &format!("{n}"), &[("a", "all")]))
            .collect();
        for n in [0, 1, batch - 1] {
            accepted[n].labels.insert("rare".to_owned(), "yes".to_owned());
            rare.push(accepted[n].id);
        }
        store.accept(accepted).await.unwrap();
    }
    rare.reverse();
    (rare, 3 * batch)
}

pub(super) async fn a_sparse_list_ends_within_its_bound_and_continues(subject: Subject) {
    let store = &*subject.store;
    let (rare, all) = accept_many(store).await;
    let filter = by_labels(&[("a", "all"), ("rare", "yes")]);
    assert_eq!(read(store, &filter, 2).await.0, rare, "without loss or repeat");
    assert_eq!(read(store, &filter, 100).await, (rare, all));
    let none = Filter { states: vec![State::Failed], ..by_labels(&[("a", "all")]) };
    for (limit, most) in [(10, 500), (50, 500), (100, 1000), (1000, LOOKED_AT)] {
        let page = store.list(&none, None, limit).await.unwrap();
        assert_eq!((page.found.len(), page.looked_at, page.start), (0, most, None), "{limit}");
        assert!(page.next.is_some(), "{limit}");
    }
    let page = store.list(&none, None, 1000).await.unwrap();
    let rest = store.list(&none, page.next, 10).await.unwrap();
    assert_eq!((rest.found.len(), rest.looked_at, rest.next), (0, all - LOOKED_AT, None));
    let counted = count(store, &none.into(), 10).await.unwrap();
    assert_eq!(counted, Count { count: 0, has_more: true });
    let pending = Some(WebhookState::Pending);
    let all = Selection::from(by_labels(&[("a", "all")]));
    let undelivered = Selection { webhook: pending, ..all.clone() };
    let behind = Selection { waiting_for: Some(WaitReason::Predecessor), ..all };
    let page = behind.page(store, None, 500).await.unwrap();
    assert!(page.found.is_empty() && page.next.is_some());
    assert!((LOOKED_AT..=LOOKED_AT + 1).contains(&page.looked_at), "{}", page.looked_at);
    let page = undelivered.page(store, None, 500).await.unwrap();
    assert!(page.found.is_empty() && page.next.is_some());
    assert!((LOOKED_AT..=LOOKED_AT + 1).contains(&page.looked_at), "{}", page.looked_at);
    let counted = count(store, &undelivered, 10).await.unwrap();
    assert_eq!(counted, Count { count: 0, has_more: true });
}

pub(super) async fn a_list_of_all_accounts_is_in_their_common_order(subject: Subject) {
    let store = &*subject.store;
    let mut all = Vec::new();
    // Blocks of one account, longer than what is read of its index at once, and then in turn.
    let accounts = ["a", "b", "c"].into_iter().flat_map(|account| [account; 120]);
    for (n, account) in accounts.chain(["a", "b", "c"].repeat(20)).enumerate() {
        let name = if n % 5 == 0 { "fifth" } else { "other" };
        all.push(labeled(account, name, &[("team", "north")]));
    }
    store.accept(all.clone()).await.unwrap();
    let filters = [
        Filter::default(),
        by_name("fifth"),
        by_labels(&[("team", "north")]),
        Filter { states: vec![State::Queued, State::Failed], ..Filter::default() },
        Filter { name: Some("fifth".to_owned()), ..by_labels(&[("team", "north")]) },
    ];
    for (filter, limit) in filters.iter().flat_map(|filter| [(filter, 7), (filter, 100)]) {
        let of_filter =
            all.iter().filter(|new| filter.name.as_ref().is_none_or(|n| *n == new.name));
        let expected: Vec<_> = of_filter.rev().map(|new| new.id).collect();
        assert_eq!(read(store, filter, limit).await.0, expected, "{filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_looks_for_strays_for_a_while_and_not_only_once() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    let fill = "for n = 1, 100000 do redis.call('SET', 'other:' .. n, '') end";
    server.ask_with::<()>(&["EVAL", fill, "0"]).await;
    store.sweep(Duration::from_hours(1)).await.unwrap();
    let stats: String = server.ask("INFO commandstats").await;
    let scans = stats.lines().find_map(|line| line.strip_prefix("cmdstat_scan:calls=")).unwrap();
    let scans: u32 = scans.split_once(',').unwrap().0.parse().unwrap();
    assert!(scans > 1, "{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_does_as_much_for_a_read_of_an_account_whatever_others_have() {
    let server = RedisServer::start(&[]).await;
    let store = store_on(&server, "ferry");
    accept_own(&store).await;
    // Whatever is loaded and prepared once.
    read_own(&store).await;
    let work = async || {
        server.ask::<()>("CONFIG RESETSTAT").await;
        read_own(&store).await;
        let stats: String = server.ask("INFO commandstats").await;
        let calls = stats.lines().filter_map(|line| {
            let (command, calls) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((command.to_owned(), calls.split_once(',')?.0.to_owned()))
        });
        let own = |(command, _): &(String, String)| !command.starts_with("config");
        let calls: BTreeMap<_, _> = calls.filter(own).collect();
        assert!(calls.contains_key("get") && calls.contains_key("zrevrangebyscore"), "{stats}");
        calls
    };
    let before = work().await;
    accept_of_others(&store).await;
    assert_eq!(work().await, before);
}
