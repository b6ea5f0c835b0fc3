//! Lists and counts.

use std::collections::BTreeMap;

use ferry_store::selection::{Count, count};
use ferry_store::{Filter, NewSubmission};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::later;
use ferry_types::domain::submission::{State, StepKind};

use super::subject::{Subject, millis, new, on};
use super::transitions as t;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn newest_first(mut ids: Vec<SubmissionId>) -> Vec<SubmissionId> {
    ids.reverse();
    ids
}

pub(super) async fn an_empty_store_has_nothing_to_show(subject: Subject) {
    let page = subject.store.list(&Filter::default(), None, 10).await.unwrap();
    assert!(page.found.is_empty() && page.next.is_none());
    let stats = subject.store.stats().await.unwrap();
    assert!(stats.steps.is_empty() && stats.accounts.is_empty());
    assert_eq!(stats.unfinished(), 0);
    for kind in StepKind::PLATFORM_KINDS {
        let claims = subject.ask(kind, 10).await;
        assert!(claims.claims.is_empty() && claims.next.is_none());
    }
}

pub(super) async fn a_list_is_read_page_by_page(subject: Subject) {
    let accepted = subject.accept_all((0..25).map(|n| new(&format!("{n}")))).await;
    let (mut listed, mut cursor, mut pages) = (Vec::new(), None, 0);
    let wait = ferry_testing::Wait::begin("the last page");
    loop {
        wait.check();
        let page = subject.store.list(&Filter::default(), cursor, 10).await.unwrap();
        listed.extend(page.found.into_iter().map(|found| found.submission.id));
        pages += 1;
        // What comes in meanwhile does not move what is still to be read.
        subject.accept(new(&format!("meanwhile {pages}"))).await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, newest_first(accepted));
    assert_eq!(pages, 3);
}

pub(super) async fn a_full_last_page_is_the_last(subject: Subject) {
    subject.accept_all((0..10).map(|n| new(&format!("{n}")))).await;
    for limit in [10, 11, usize::MAX] {
        let page = subject.store.list(&Filter::default(), None, limit).await.unwrap();
        assert_eq!((page.found.len(), page.next), (10, None), "{limit}");
    }
}

pub(super) async fn a_page_is_found_again_without_what_came_later(subject: Subject) {
    let filter = Filter { accounts: vec!["main".to_owned()], ..Filter::default() };
    assert_eq!(subject.store.list(&filter, None, 10).await.unwrap().start, None);
    let accepted = newest_first(subject.accept_all((0..5).map(|n| new(&format!("{n}")))).await);
    let first = subject.store.list(&filter, None, 3).await.unwrap();
    subject.accept(new("later")).await;
    for _ in 0..2 {
        let again = subject.store.list(&filter, first.start, 3).await.unwrap();
        assert_eq!((again.start, again.next), (first.start, first.next));
        let ids: Vec<_> = again.found.iter().map(|found| found.submission.id).collect();
        assert_eq!(ids, accepted[..3]);
    }
    let rest = subject.store.list(&filter, first.next, 3).await.unwrap();
    assert_eq!(rest.start, first.next, "pages follow each other without a gap");
}

pub(super) async fn a_count_is_that_of_the_list_as_far_as_it_reads(subject: Subject) {
    let label = |n| NewSubmission {
        labels: labels(if n % 2 == 0 { &[("team", "north")] } else { &[] }),
        ..new(&format!("{n}"))
    };
    subject.accept_all((0..25).map(label)).await;
    let of = async |filter: &Filter, most| {
        let Count { count, has_more } =
            count(&*subject.store, &filter.clone().into(), most).await.unwrap();
        (count, has_more)
    };
    let north = Filter { labels: labels(&[("team", "north")]), ..Filter::default() };
    assert_eq!(of(&north, 100).await, (13, false));
    assert_eq!(of(&north, 13).await, (13, false));
    assert_eq!(of(&north, 12).await, (12, true));
    let queued = Filter { states: vec![State::Queued], ..Filter::default() };
    assert_eq!(of(&queued, 3).await, (25, false), "the store counts it");
    let other = Filter { accounts: vec!["other".to_owned()], ..Filter::default() };
    assert_eq!(of(&other, 3).await, (0, false));
}

pub(super) async fn a_list_is_filtered_by_state(subject: Subject) {
    let mut by_state = BTreeMap::new();
    for state in State::ALL.into_iter().filter(|state| *state != State::Queued) {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        by_state.insert(state, id);
    }
    by_state.insert(State::Queued, subject.accept(new("queued")).await);
    for (state, id) in &by_state {
        let filter = Filter { states: vec![*state], ..Filter::default() };
        assert_eq!(subject.listed(&filter).await, [*id], "{state}");
    }
    let states = vec![State::Held, State::Completed, State::Held];
    let filter = Filter { states, ..Filter::default() };
    let expected = [by_state[&State::Held], by_state[&State::Completed]];
    assert_eq!(subject.listed(&filter).await, expected);
    let page = subject.store.list(&filter, None, 1).await.unwrap();
    assert_eq!(page.found[0].submission.id, expected[0]);
    let page = subject.store.list(&filter, page.next, 1).await.unwrap();
    assert_eq!(page.found[0].submission.id, expected[1]);
    assert_eq!(page.next, None);
}

pub(super) async fn filters_are_all_met(subject: Subject) {
    let mut all = Vec::new();
    for n in 0..24 {
        let account = ["a", "b", "a", "c"][n % 4];
        let name = ["x", "y", "z"][n % 3];
        let ward = ["north", "south"][n / 2 % 2];
        let labels = labels(&[("ward", ward), ("n", &n.to_string())]);
        all.push(NewSubmission { labels, ..on(account, new(name)) });
    }
    subject.accept_all(all.clone()).await;
    let accounts = vec!["a".to_owned()];
    let several = vec!["c".to_owned(), "unknown".to_owned(), "b".to_owned()];
    let name = Some("x".to_owned());
    let south = labels(&[("ward", "south")]);
    let queued = vec![State::Queued, State::Failed];
    let both = labels(&[("ward", "south"), ("n", "6")]);
    let filters = [
        Filter { accounts: accounts.clone(), ..Filter::default() },
        Filter { name: name.clone(), ..Filter::default() },
        Filter { labels: south.clone(), ..Filter::default() },
        Filter { labels: both, ..Filter::default() },
        Filter { accounts: accounts.clone(), name: name.clone(), ..Filter::default() },
        Filter { accounts: accounts.clone(), states: queued.clone(), ..Filter::default() },
        Filter { name: name.clone(), states: queued.clone(), ..Filter::default() },
        Filter { labels: south.clone(), states: queued.clone(), ..Filter::default() },
        Filter { accounts: accounts.clone(), labels: south.clone(), ..Filter::default() },
        Filter { accounts: several.clone(), ..Filter::default() },
        Filter { accounts: several.clone(), name: name.clone(), ..Filter::default() },
        Filter { accounts: several.clone(), states: queued.clone(), ..Filter::default() },
        Filter { accounts: several, labels: south.clone(), ..Filter::default() },
        Filter { states: queued, name, accounts, labels: south, ..Filter::default() },
        Filter { accounts: vec!["unknown".to_owned()], ..Filter::default() },
        Filter { name: Some("X".to_owned()), ..Filter::default() },
        Filter { labels: labels(&[("ward", "north"), ("n", "2")]), ..Filter::default() },
        Filter { states: vec![State::Held], ..Filter::default() },
    ];
    for filter in filters {
        let matches = |new: &&NewSubmission| {
            (filter.accounts.is_empty() || filter.accounts.contains(&new.account))
                && filter.name.as_ref().is_none_or(|name| *name == new.name)
                && filter.labels.iter().all(|(key, value)| new.labels.get(key) == Some(value))
                && (filter.states.is_empty() || filter.states.contains(&State::Queued))
        };
        let expected = newest_first(all.iter().filter(matches).map(|new| new.id).collect());
        let (mut listed, mut cursor) = (Vec::new(), None);
        let wait = ferry_testing::Wait::begin("the last page");
        loop {
            wait.check();
            let page = subject.store.list(&filter, cursor, 3).await.unwrap();
            assert!(page.found.len() <= 3);
            listed.extend(page.found.iter().map(|found| found.submission.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}

pub(super) async fn a_list_is_of_the_time_that_is_asked_for(subject: Subject) {
    let mut all = Vec::new();
    for n in 0..16 {
        let labels = labels(&[("ward", ["north", "south"][n % 2])]);
        let named = NewSubmission { labels, ..new(&format!("n{}", n % 4)) };
        let id = subject.accept(on(["main", "main", "other"][n % 3], named)).await;
        all.push(subject.store.get(id).await.unwrap().unwrap().submission);
        // Some are of one time.
        if n % 3 > 0 {
            subject.advance(millis(1000)).await;
        }
    }
    // Some stand in an index of their own.
    subject.store.cancel(all[4].id).await.unwrap();
    subject.store.cancel(all[8].id).await.unwrap();
    let others = [
        Filter::default(),
        Filter { name: Some("n0".into()), ..Filter::default() },
        Filter { labels: labels(&[("ward", "south")]), ..Filter::default() },
        Filter { states: vec![State::Queued], ..Filter::default() },
        Filter { accounts: vec!["main".into()], ..Filter::default() },
        Filter { accounts: vec!["other".into(), "main".into()], ..Filter::default() },
    ];
    let times: Vec<_> = [0, 4, 7, 15].map(|n| all[n].created_at).into();
    let ends = times.iter().map(|time| later(*time, millis(1)));
    let ends: Vec<_> =
        [None].into_iter().chain(times.iter().copied().chain(ends).map(Some)).collect();
    for (from, to) in ends.iter().flat_map(|from| ends.iter().map(move |to| (*from, *to))) {
        for (n, filter) in others.iter().enumerate() {
            let filter = Filter { created_after: from, created_before: to, ..filter.clone() };
            let expected = all.iter().enumerate().filter(|(at, one)| {
                from.is_none_or(|from| one.created_at >= from)
                    && to.is_none_or(|to| one.created_at < to)
                    && match n {
                        1 => at % 4 == 0,
                        2 => at % 2 == 1,
                        3 => ![4, 8].contains(at),
                        4 => at % 3 < 2,
                        _ => true,
                    }
            });
            let expected = newest_first(expected.map(|(_, one)| one.id).collect());
            let (mut listed, mut cursor) = (Vec::new(), None);
            let wait = ferry_testing::Wait::begin("the last page");
            loop {
                wait.check();
                let page = subject.store.list(&filter, cursor, 2).await.unwrap();
                listed.extend(page.found.iter().map(|found| found.submission.id));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(listed, expected, "{filter:?}");
        }
    }
}

pub(super) async fn stats_count_ready_scheduled_and_leased_steps(subject: Subject) {
    subject.accept_all([on("a", new("1")), on("a", new("2")), on("a", new("3"))]).await;
    subject.accept(on("b", new("1"))).await;
    subject.advance(millis(5000)).await;
    let claims = subject.claim(StepKind::Upload, 1).await;
    let account = claims[0].submission.account.clone();
    subject.commit(&claims[0], t::uploaded(millis(60_000))).await;
    let start = later(claims[0].now, millis(60_000));
    subject.accept(on("a", NewSubmission { not_before: Some(start), ..new("4") })).await;
    let claims = subject.claim(StepKind::Upload, 2).await;
    assert_eq!(claims.len(), 2);
    let [mut ready, mut scheduled, mut leased] = [0, 0, 0];
    for step in subject.store.stats().await.unwrap().steps {
        ready += step.ready;
        scheduled += step.scheduled;
        leased += step.running;
    }
    assert_eq!((ready, scheduled, leased), (1, 2, 2));
    let polls = subject.step_stats(&account, StepKind::Poll).await;
    assert_eq!((polls.ready, polls.scheduled, polls.running), (0, 1, 0));
    assert_eq!(polls.oldest_ready, None);
    let uploads = subject.step_stats("a", StepKind::Upload).await;
    let oldest = uploads.oldest_ready.expect("one is due");
    assert!(oldest >= millis(5000) && oldest < millis(10_000), "{oldest:?}");
    assert_eq!(uploads.oldest_runnable, Some(oldest));
}

pub(super) async fn what_waits_for_its_name_is_ready(subject: Subject) {
    subject.accept_all([new("n"), new("n"), new("n")]).await;
    let now = subject.claim_one(StepKind::Upload).await.now;
    let start = later(now, millis(60_000));
    subject.accept(NewSubmission { not_before: Some(start), ..new("n") }).await;
    subject.advance(millis(1000)).await;
    let uploads = subject.step_stats("main", StepKind::Upload).await;
    assert_eq!((uploads.ready, uploads.scheduled, uploads.running), (2, 1, 1));
    assert!(uploads.oldest_ready.is_some_and(|oldest| oldest >= millis(1000)));
    assert_eq!(uploads.oldest_runnable, None, "all wait for the first one");
}

pub(super) async fn stats_count_the_submissions_by_state(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| *state != State::Queued) {
        subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
    }
    subject.accept_all([new("queued 1"), new("queued 2"), on("b", new("queued"))]).await;
    let mut expected: BTreeMap<_, _> = State::ALL.map(|state| (state, 1)).into();
    expected.insert(State::Queued, 2);
    assert_eq!(subject.account("main").await.states, expected);
    assert_eq!(subject.account("b").await.states, [(State::Queued, 1)].into());
    let stats = subject.store.stats().await.unwrap();
    assert_eq!(stats.count(State::Queued), 3);
    assert_eq!(stats.unfinished(), 6);
}
