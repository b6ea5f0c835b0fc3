//! Taking submissions in: whole batches, once each.

use ferry_store::{Accepted, Deadline, Filter, NewSubmission, Payload, StoreError};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::later;
use ferry_types::domain::submission::Resolution;
use ferry_types::domain::submission::{Priority, State, StepKind};

use super::subject::{DAY, Subject, millis, new, on};
use super::transitions as t;

pub(super) async fn an_accepted_submission_waits_for_a_worker(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let found = subject.store.get(id).await.unwrap().unwrap();
    assert_eq!(found.waiting_for, Some(WaitingFor::Worker { step: StepKind::Upload }));
    let submission = found.submission;
    assert_eq!(submission.state, State::Queued);
    assert_eq!(submission.step, Some(StepKind::Upload));
    assert_eq!(submission.due_at, Some(submission.created_at));
    assert_eq!((submission.upload_attempts, submission.polls, submission.failures), (0, 0, 0));
    assert_eq!((submission.reason.clone(), submission.leased_until), (None, None));
    assert_eq!((submission.finished_at, submission.processing_token.clone()), (None, None));
    assert!(!submission.upload_ambiguous && !submission.cancel_requested);
    assert_eq!(subject.timeline(id).await, [(State::Queued, "accepted".to_owned())]);
}

pub(super) async fn all_that_a_producer_sends_is_stored(subject: Subject) {
    let first = subject.accept(new("first")).await;
    let now = subject.get(first).await.created_at;
    let said = NewSubmission {
        overwrite: true,
        result_keys: vec!["tableofresultids".to_owned(), "summary".to_owned()],
        priority: Priority::Low,
        not_before: Some(later(now, millis(1234))),
        deadline: Deadline::At(later(now, millis(98_765))),
        labels: [("ward".to_owned(), "Süd \"3\"".to_owned()), (String::new(), String::new())]
            .into(),
        revision_of: Some(first),
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00".parse().ok(),
        ..on("Zürich", new("naïve 数据\n'; DROP TABLE"))
    };
    let id = subject.accept(said.clone()).await;
    let kept = subject.get(id).await;
    assert_eq!(kept.id, said.id);
    assert_eq!(kept.name, said.name);
    assert_eq!(kept.account, said.account);
    assert_eq!(kept.overwrite, said.overwrite);
    assert_eq!(kept.result_keys, said.result_keys);
    assert_eq!(kept.priority, said.priority);
    assert_eq!(kept.due_at, said.not_before);
    assert_eq!(Deadline::At(kept.deadline), said.deadline);
    assert_eq!(kept.labels, said.labels);
    assert_eq!(kept.revision_of, said.revision_of);
    assert!(kept.traceparent.is_some() && kept.traceparent == said.traceparent);
    assert_eq!(kept.payload_bytes, said.payload.bytes());
    assert_eq!(subject.store.payload(id).await.unwrap(), said.payload);
}

pub(super) async fn a_deadline_counts_from_acceptance_or_from_a_later_start(subject: Subject) {
    let at_once = subject.accept(new("a")).await;
    let at_once = subject.get(at_once).await;
    assert_eq!(at_once.deadline, later(at_once.created_at, DAY));
    let start = later(at_once.created_at, millis(5000));
    let postponed = NewSubmission { not_before: Some(start), ..new("b") };
    let postponed = subject.accept(postponed).await;
    assert_eq!(subject.get(postponed).await.deadline, later(start, DAY));
}

pub(super) async fn a_start_in_the_past_is_now(subject: Subject) {
    let first = subject.accept(new("first")).await;
    let past = subject.get(first).await.created_at;
    subject.advance(millis(500)).await;
    let id = subject.accept(NewSubmission { not_before: Some(past), ..new("a") }).await;
    let kept = subject.get(id).await;
    assert_eq!(kept.due_at, Some(kept.created_at));
}

pub(super) async fn answers_are_in_the_order_of_the_batch(subject: Subject) {
    let batch: Vec<_> = (0..500).map(|n| new(&format!("dataset {n}"))).collect();
    let expected: Vec<_> = batch.iter().map(|new| Accepted::New(new.id)).collect();
    assert_eq!(subject.store.accept(batch).await.unwrap(), expected);
    let mut listed = subject.listed(&Filter::default()).await;
    listed.reverse();
    let listed: Vec<_> = listed.into_iter().map(Accepted::New).collect();
    assert_eq!(listed, expected);
    assert_eq!(subject.store.accept(Vec::new()).await.unwrap(), []);
}

pub(super) async fn a_batch_is_stored_whole_or_not_at_all(subject: Subject) {
    let taken = new("taken");
    subject.accept(taken.clone()).await;
    let good = new("good");
    let batch = vec![good.clone(), NewSubmission { name: "other".to_owned(), ..taken }];
    let response = subject.store.accept(batch).await;
    assert!(matches!(response, Err(StoreError::Taken(_))), "{response:?}");
    assert!(subject.store.get(good.id).await.unwrap().is_none());
    assert_eq!(subject.listed(&Filter::default()).await.len(), 1);
    assert_eq!(subject.store.stats().await.unwrap().count(State::Queued), 1);
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 1);
}

fn keyed(name: &str, key: &str) -> NewSubmission {
    NewSubmission { idempotency_key: Some(key.to_owned()), ..new(name) }
}

/// The same again, as a producer would send it: with an id of its own.
fn again(first: &NewSubmission) -> NewSubmission {
    NewSubmission { id: new("").id, ..first.clone() }
}

pub(super) async fn the_same_key_with_the_same_content_is_known(subject: Subject) {
    let first = keyed("a", "k");
    subject.accept(first.clone()).await;
    let responses = subject.store.accept(vec![again(&first), keyed("b", "l")]).await.unwrap();
    assert_eq!(responses[0], Accepted::Duplicate(first.id));
    assert!(matches!(responses[1], Accepted::New(_)));
    assert_eq!(subject.store.stats().await.unwrap().count(State::Queued), 2);
}

pub(super) async fn the_same_key_with_other_content_is_a_conflict(subject: Subject) {
    let first = keyed("a", "k");
    subject.accept(first.clone()).await;
    let payload = |data: &str, events: Option<&str>| Payload {
        data: data.to_owned(),
        event_data: events.map(str::to_owned),
    };
    let same_size = first.payload.data.replace("10:00", "10:01");
    let others = vec![
        NewSubmission { name: "b".to_owned(), ..again(&first) },
        NewSubmission { payload: payload(&same_size, None), ..again(&first) },
        NewSubmission { payload: payload(&first.payload.data, Some("")), ..again(&first) },
        NewSubmission { payload: payload(&first.payload.data, Some("e")), ..again(&first) },
        NewSubmission { result_keys: vec!["other".to_owned()], ..again(&first) },
        NewSubmission { overwrite: true, ..again(&first) },
    ];
    for other in others {
        let responses = subject.store.accept(vec![other.clone()]).await.unwrap();
        assert_eq!(responses, [Accepted::Conflict(first.id)], "{other:?}");
        assert!(subject.store.get(other.id).await.unwrap().is_none());
    }
    assert_eq!(subject.store.stats().await.unwrap().count(State::Queued), 1);
    assert_eq!(subject.store.payload(first.id).await.unwrap(), first.payload);
}

pub(super) async fn equal_keys_in_one_batch_are_accepted_once(subject: Subject) {
    let first = keyed("a", "k");
    let other = NewSubmission { name: "b".to_owned(), ..again(&first) };
    let batch = vec![first.clone(), again(&first), other, keyed("c", "l")];
    let responses = subject.store.accept(batch).await.unwrap();
    assert_eq!(responses[0], Accepted::New(first.id));
    assert_eq!(responses[1], Accepted::Duplicate(first.id));
    assert_eq!(responses[2], Accepted::Conflict(first.id));
    assert!(matches!(responses[3], Accepted::New(_)));
    assert_eq!(subject.store.stats().await.unwrap().count(State::Queued), 2);
}

pub(super) async fn the_same_key_on_another_account_is_another_submission(subject: Subject) {
    subject.accept(on("a", keyed("x", "k"))).await;
    subject.accept(on("b", keyed("x", "k"))).await;
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 2);
}

pub(super) async fn a_key_is_known_as_long_as_its_submission_is_stored(subject: Subject) {
    let first = keyed("a", "k");
    subject.accept(first.clone()).await;
    subject.bring_to(State::Completed).await;
    let responses = subject.store.accept(vec![again(&first)]).await.unwrap();
    assert_eq!(responses, [Accepted::Duplicate(first.id)]);
    subject.advance(DAY).await;
    assert_eq!(subject.store.sweep(millis(1000)).await.unwrap(), 1);
    let second = subject.accept(again(&first)).await;
    assert_ne!(second, first.id);
}

pub(super) async fn a_decision_to_overwrite_does_not_change_what_a_key_means(subject: Subject) {
    let first = keyed("a", "k");
    let id = subject.accept(first.clone()).await;
    subject.bring_to(State::Held).await;
    subject.store.resolve(id, Resolution::Overwrite, DAY).await.unwrap();
    let responses = subject.store.accept(vec![again(&first)]).await.unwrap();
    assert_eq!(responses, [Accepted::Duplicate(id)]);
}

pub(super) async fn a_dataset_comes_back_as_it_was_submitted(subject: Subject) {
    let long = "REF-17,01/02/2024,🩺\r\n".repeat(200_000);
    for (data, events) in [
        ("", None),
        ("", Some("")),
        ("a,b", Some("")),
        ("\u{feff}ümläut;\0;\u{10ffff}\r\n", Some("事件,1\n")),
        (long.as_str(), Some(long.as_str())),
    ] {
        let payload = Payload { data: data.to_owned(), event_data: events.map(str::to_owned) };
        let id = subject.accept(NewSubmission { payload: payload.clone(), ..new("n") }).await;
        let kept = subject.store.payload(id).await.unwrap();
        assert!(kept == payload, "{} bytes came back otherwise", payload.bytes());
        assert_eq!(subject.get(id).await.payload_bytes, payload.bytes());
    }
}

pub(super) async fn a_submission_that_is_not_there_is_not_found(subject: Subject) {
    use StoreError::NotFound;
    let (store, id) = (&subject.store, new("nowhere").id);
    assert!(store.get(id).await.unwrap().is_none());
    assert!(store.content(id, "any").await.unwrap().is_none());
    assert!(matches!(store.payload(id).await, Err(NotFound(it)) if it == id));
    assert!(matches!(store.timeline(id).await, Err(NotFound(it)) if it == id));
    assert!(matches!(store.cancel(id).await, Err(NotFound(it)) if it == id));
    assert!(matches!(store.retry(id, DAY).await, Err(NotFound(it)) if it == id));
    assert!(
        matches!(store.resolve(id, Resolution::Fail, DAY).await, Err(NotFound(it)) if it == id)
    );
    let claimed_by = ferry_store::ClaimId::default();
    let lease = ferry_store::Lease { id, kind: StepKind::Upload, fence: 1, claimed_by };
    let commit = ferry_store::Commit { lease, transition: t::completed() };
    assert_eq!(store.commit(vec![commit]).await.unwrap(), [ferry_store::Committed::Stale]);
    assert_eq!(store.renew(vec![lease], DAY).await.unwrap(), [false]);
}
