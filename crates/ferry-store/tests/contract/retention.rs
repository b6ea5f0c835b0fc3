//! Final submissions are removed in time, and nothing else.

use std::time::Duration;

use ferry_store::{Filter, NewSubmission, StoreError};
use ferry_types::domain::submission::{State, StepKind};

use super::subject::{DAY, Subject, millis, new};
use super::transitions as t;

pub(super) async fn what_ended_long_ago_is_removed_with_all_it_had(subject: Subject) {
    let labels = [("ward".to_owned(), "süd".to_owned()), ("n\0".to_owned(), "\"7\"".to_owned())];
    let labeled = NewSubmission { labels: labels.clone().into(), ..new("a") };
    let id = subject.accept(labeled).await;
    subject.bring_to(State::Completed).await;
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(DAY + millis(60_000)).await.unwrap(), 0, "not yet");
    subject.advance(millis(60_001)).await;
    assert_eq!(subject.store.sweep(DAY + millis(60_000)).await.unwrap(), 1);
    assert_eq!(subject.store.sweep(DAY).await.unwrap(), 0, "once");
    let store = &subject.store;
    assert!(store.get(id).await.unwrap().is_none());
    assert!(store.content(id, "tableofresultids").await.unwrap().is_none());
    assert!(matches!(store.payload(id).await, Err(StoreError::NotFound(_))));
    assert!(matches!(store.timeline(id).await, Err(StoreError::NotFound(_))));
    assert!(subject.listed(&Filter::default()).await.is_empty());
    for label in labels {
        let filter = Filter { labels: [label].into(), ..Filter::default() };
        assert!(subject.listed(&filter).await.is_empty());
    }
    let stats = store.stats().await.unwrap();
    assert_eq!(stats.count(State::Completed), 0);
    assert!(stats.accounts[0].states.is_empty());
}

pub(super) async fn every_final_state_ages_and_no_other(subject: Subject) {
    let mut kept = Vec::new();
    for state in State::ALL.into_iter().filter(|state| *state != State::Queued) {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        if !state.is_final() {
            kept.push(id);
        }
    }
    kept.push(subject.accept(new("queued")).await);
    kept.reverse();
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(1000)).await.unwrap(), 4);
    assert_eq!(subject.listed(&Filter::default()).await, kept);
    for id in kept {
        subject.store.payload(id).await.unwrap();
    }
}

pub(super) async fn a_sweep_is_bounded_and_continues(subject: Subject) {
    subject.accept_all((0..700).map(|n| new(&format!("{n}")))).await;
    for claim in subject.claim(StepKind::Upload, 700).await.chunks(100) {
        let failed = |claim: &ferry_store::Claim| ferry_store::Commit {
            lease: claim.lease,
            transition: t::failed(),
        };
        subject.store.commit(claim.iter().map(failed).collect()).await.unwrap();
    }
    subject.advance(DAY).await;
    let mut removed = 0;
    let wait = ferry_testing::Wait::begin("the last sweep");
    loop {
        wait.check();
        let now = subject.store.sweep(millis(0)).await.unwrap();
        assert!(now < 700, "a call is bounded");
        removed += now;
        if now == 0 {
            break;
        }
    }
    assert_eq!(removed, 700);
    assert_eq!(subject.store.stats().await.unwrap().count(State::Failed), 0);
}

pub(super) async fn a_retention_for_ever_removes_nothing(subject: Subject) {
    subject.accept(new("a")).await;
    subject.bring_to(State::Failed).await;
    subject.advance(DAY * 1000).await;
    assert_eq!(subject.store.sweep(Duration::MAX).await.unwrap(), 0);
}

pub(super) async fn a_cursor_outlives_the_removal_of_what_it_points_at(subject: Subject) {
    let accepted = subject.accept_all((0..4).map(|n| new(&format!("{n}")))).await;
    let page = subject.store.list(&Filter::default(), None, 2).await.unwrap();
    let claims = subject.claim(StepKind::Upload, 10).await;
    for claim in &claims[2..] {
        subject.commit(claim, t::failed()).await;
    }
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 2);
    let page = subject.store.list(&Filter::default(), page.next, 2).await.unwrap();
    let left: Vec<_> = page.found.iter().map(|found| found.submission.id).collect();
    assert_eq!(left, [accepted[1], accepted[0]]);
}
