//! One Name of one account at a time.

use ferry_store::{NewSubmission, StoreError};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::later;
use ferry_types::domain::submission::{LATE_UPLOAD, Resolution};
use ferry_types::domain::submission::{LifecycleError, State, StepKind};

use super::subject::{DAY, Subject, ids, millis, new, on};
use super::transitions as t;

async fn waits_for(subject: &Subject, id: SubmissionId) -> Option<WaitingFor> {
    subject.store.get(id).await.unwrap().unwrap().waiting_for
}

pub(super) async fn the_later_of_two_waits_for_the_earlier(subject: Subject) {
    let [first, second] = subject.accept_all([new("n"), new("n")]).await[..] else { panic!() };
    let by_name = Some(WaitingFor::Predecessor { submission: first });
    assert_eq!(waits_for(&subject, second).await, by_name);
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert_eq!(ids(&claims.claims), [first]);
    assert_eq!(claims.next, None, "the other is not due by itself");
    subject.commit(&claims.claims[0], t::uploaded(millis(0))).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(waits_for(&subject, second).await, by_name);
    assert_eq!(subject.state(second).await, State::Queued);
}

pub(super) async fn another_account_has_names_of_its_own(subject: Subject) {
    subject.accept_all([on("a", new("n")), on("b", new("n"))]).await;
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 2);
}

pub(super) async fn revisions_run_in_the_order_of_their_acceptance(subject: Subject) {
    let first = subject.accept(new("n")).await;
    let urgent = ferry_types::domain::submission::Priority::High;
    let revision = NewSubmission { revision_of: Some(first), priority: urgent, ..new("n") };
    let second = subject.accept(revision).await;
    let third = subject.accept(NewSubmission { revision_of: Some(second), ..new("n") }).await;
    for id in [first, second, third] {
        let claim = subject.claim_one(StepKind::Upload).await;
        assert_eq!(claim.lease.id, id);
        subject.commit(&claim, t::uploaded(millis(0))).await;
        subject.step(StepKind::Poll, t::decided()).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.step(StepKind::Collect, t::completed()).await;
    }
}

pub(super) async fn every_final_state_frees_the_name(subject: Subject) {
    for end in [State::Completed, State::Rejected, State::Failed, State::Cancelled] {
        let name = format!("ends {end}");
        let first = subject.accept(new(&name)).await;
        let second = subject.accept(new(&name)).await;
        subject.bring_to(end).await;
        assert_eq!(subject.state(first).await, end);
        let claim = subject.claim_one(StepKind::Upload).await;
        assert_eq!(claim.lease.id, second, "{end}");
        subject.commit(&claim, t::failed()).await;
    }
}

pub(super) async fn a_held_submission_keeps_its_name_until_it_is_decided(subject: Subject) {
    let first = subject.accept(new("n")).await;
    let second = subject.accept(new("n")).await;
    subject.bring_to(State::Held).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(waits_for(&subject, first).await, Some(WaitingFor::Resolution));
    let by_name = Some(WaitingFor::Predecessor { submission: first });
    assert_eq!(waits_for(&subject, second).await, by_name);
    subject.store.resolve(first, Resolution::Retry, DAY).await.unwrap();
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.lease.id, first);
    subject.commit(&claim, t::held()).await;
    subject.store.resolve(first, Resolution::Fail, DAY).await.unwrap();
    subject.advance(LATE_UPLOAD).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, second);
}

pub(super) async fn a_cancelled_one_frees_the_name_whether_it_ran_or_not(subject: Subject) {
    let batch = ["n"; 4].map(new);
    let [first, second, third, fourth] = subject.accept_all(batch).await[..] else { panic!() };
    // One that waits leaves the others as they are.
    subject.store.cancel(second).await.unwrap();
    assert!(!subject.get(second).await.has_predecessor, "it waits for nothing any more");
    let claims = subject.claim(StepKind::Upload, 10).await;
    assert_eq!(ids(&claims), [first]);
    subject.commit(&claims[0], t::retried(StepKind::Upload, millis(60_000))).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    // One that has its turn gives it to the next that is left.
    subject.store.cancel(first).await.unwrap();
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.lease.id, third);
    // One that runs keeps its turn until it ends.
    subject.store.cancel(third).await.unwrap();
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.commit(&claim, t::uploaded(millis(0))).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, fourth);
}

pub(super) async fn a_freed_one_is_due_at_once_or_at_its_own_time(subject: Subject) {
    let first = subject.accept(new("n")).await;
    let start = later(subject.get(first).await.created_at, millis(60_000));
    subject.accept(NewSubmission { not_before: Some(start), ..new("n") }).await;
    subject.advance(millis(1000)).await;
    subject.bring_to(State::Failed).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.advance(millis(60_000)).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert!(claim.lag < millis(5000), "it could not run before: {:?}", claim.lag);
    subject.accept(new("n")).await;
    subject.advance(millis(10_000)).await;
    subject.commit(&claim, t::failed()).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert!(claim.lag < millis(5000), "it waited for its Name: {:?}", claim.lag);
}

pub(super) async fn a_failed_one_is_not_retried_past_a_newer_unfinished_one(subject: Subject) {
    for newer in State::ALL.into_iter().filter(|state| !state.is_final()) {
        let name = format!("newer is {newer}");
        let first = subject.accept(new(&name)).await;
        subject.bring_to(State::Failed).await;
        let second = subject.accept(new(&name)).await;
        subject.bring_to(newer).await;
        let error = subject.store.retry(first, DAY).await.unwrap_err();
        let expected = LifecycleError::NewerUnfinished { id: first, newer: second };
        assert!(matches!(error, StoreError::NotAllowed(ref why) if *why == expected), "{error:?}");
        assert_eq!(subject.state(first).await, State::Failed);
        subject.store.cancel(second).await.unwrap();
        subject.lose_workers().await;
    }
}

pub(super) async fn a_failed_one_is_retried_although_a_newer_one_has_ended(subject: Subject) {
    // One that was uploaded is a case of its own.
    let ended = |state: &State| state.is_final() && *state != State::Completed;
    for newer in State::ALL.into_iter().filter(ended) {
        let name = format!("newer is {newer}");
        let first = subject.accept(new(&name)).await;
        subject.bring_to(State::Failed).await;
        let second = subject.accept(new(&name)).await;
        match newer {
            State::Cancelled => drop(subject.store.cancel(second).await.unwrap()),
            _ => subject.bring_to(newer).await,
        }
        subject.store.retry(first, DAY).await.unwrap();
        // The name is taken again, and what comes later waits.
        let third = subject.accept(new(&name)).await;
        assert_eq!(subject.state(second).await, newer);
        let claim = subject.claim_one(StepKind::Upload).await;
        assert_eq!(claim.lease.id, first, "{newer}");
        subject.commit(&claim, t::failed()).await;
        let claim = subject.claim_one(StepKind::Upload).await;
        assert_eq!(claim.lease.id, third, "{newer}");
        subject.commit(&claim, t::failed()).await;
    }
}

pub(super) async fn a_retried_one_queues_behind_an_earlier_one(subject: Subject) {
    let first = subject.accept(new("n")).await;
    subject.bring_to(State::Failed).await;
    let second = subject.accept(new("n")).await;
    subject.bring_to(State::Failed).await;
    subject.store.retry(first, DAY).await.unwrap();
    let retried = subject.store.retry(second, DAY).await.unwrap();
    assert_eq!(retried.waiting_for, Some(WaitingFor::Predecessor { submission: first }));
    assert_eq!(retried.submission.state, State::Queued);
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.lease.id, first);
    subject.assert_nothing_due(StepKind::Upload).await;
    let stats = subject.step_stats("main", StepKind::Upload).await;
    assert_eq!((stats.ready, stats.running), (1, 1));
    subject.commit(&claim, t::upload_rejected()).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, second);
}

pub(super) async fn a_step_behind_a_predecessor_is_not_runnable(subject: Subject) {
    let first = subject.accept(new("n")).await;
    subject.bring_to(State::Held).await;
    subject.accept(new("n")).await;
    let not_before = Some(later(subject.get(first).await.updated_at, millis(60_000)));
    subject.accept(NewSubmission { not_before, ..new("n") }).await;
    let counts = async || {
        let stats = subject.step_stats("main", StepKind::Upload).await;
        [stats.ready, stats.runnable, stats.behind, stats.scheduled, stats.running]
    };
    assert_eq!(counts().await, [1, 0, 2, 1, 0]);
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.store.resolve(first, Resolution::Fail, DAY).await.unwrap();
    assert_eq!(counts().await, [1, 1, 1, 1, 0]);
    subject.advance(LATE_UPLOAD).await;
    subject.claim_one(StepKind::Upload).await;
    assert_eq!(counts().await, [0, 0, 1, 1, 1]);
}

pub(super) async fn no_retry_overwrites_what_a_newer_one_may_have_left(subject: Subject) {
    for (overwrite, newer) in [
        (false, State::Completed),
        (true, State::Completed),
        (true, State::Failed),
        (true, State::Cancelled),
    ] {
        let name = format!("newer is {newer}, overwrite {overwrite}");
        let first = subject.accept(NewSubmission { overwrite, ..new(&name) }).await;
        subject.bring_to(State::Failed).await;
        let second = subject.accept(new(&name)).await;
        match newer {
            State::Completed => subject.bring_to(newer).await,
            _ => drop(subject.step(StepKind::Upload, t::uploaded(millis(0))).await),
        }
        match newer {
            State::Failed => drop(subject.step(StepKind::Poll, t::failed()).await),
            State::Cancelled => drop(subject.store.cancel(second).await.unwrap()),
            _ => {}
        }
        assert_eq!(subject.state(second).await, newer);
        subject.accept(new(&name)).await;
        subject.bring_to(State::Failed).await;
        let error = subject.store.retry(first, DAY).await.unwrap_err();
        let expected = LifecycleError::NewerUploaded { id: first, newer: second };
        let is_expected = matches!(error, StoreError::NotAllowed(ref why) if *why == expected);
        assert!(is_expected, "{error:?}");
        assert_eq!(subject.state(first).await, State::Failed);
    }
}

pub(super) async fn a_retried_one_takes_the_name_again(subject: Subject) {
    let first = subject.accept(new("n")).await;
    subject.bring_to(State::Failed).await;
    subject.store.retry(first, DAY).await.unwrap();
    let second = subject.accept(new("n")).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, first);
    let by_name = Some(WaitingFor::Predecessor { submission: first });
    assert_eq!(waits_for(&subject, second).await, by_name);
}

pub(super) async fn a_name_with_many_waiting_is_served_one_by_one(subject: Subject) {
    let accepted = subject.accept_all((0..300).map(|_| new("n"))).await;
    subject.accept(new("other")).await;
    assert_eq!(subject.claim(StepKind::Upload, 100).await.len(), 2);
    for id in accepted {
        subject.store.cancel(id).await.unwrap();
    }
    subject.lose_workers().await;
    assert_eq!(subject.account("main").await.states[&State::Cancelled], 300);
    assert_eq!(subject.claim(StepKind::Upload, 100).await.len(), 1, "the other one");
}
