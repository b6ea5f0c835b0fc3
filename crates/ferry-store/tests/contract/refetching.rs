//! A refetch fetches results or feedback of a final submission again, and delays no other step.

use ferry_store::{Claim, StoreError};
use ferry_types::domain::submission::{
    DeliveryResult, FEEDBACK_KEY, LifecycleError, ReasonCode, State, StepKind, Transition,
};
use ferry_types::domain::{SubmissionId, later};

use super::subject::{DAY, Subject, millis, new};
use super::transitions as t;
use super::webhooks::{tried, with_webhook};

const RESULT: &str = "tableofresultids";

async fn bytes(subject: &Subject, id: SubmissionId, key: &str) -> Vec<u8> {
    subject.store.content(id, key).await.unwrap().expect("it is stored").bytes
}

pub(super) async fn results_are_replaced_only_by_the_ones_that_are_here(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Completed).await;
    let before = subject.get(id).await;
    subject.advance(DAY).await;
    let found = subject.store.refetch(id, millis(90_000)).await.unwrap().submission;
    assert_eq!((found.state, found.step), (State::Completed, Some(StepKind::Collect)));
    assert_eq!(found.deadline, later(found.updated_at, millis(90_000)));
    assert_eq!(subject.timeline(id).await.last().unwrap().1, "refetch requested");
    // Asked for again, it is the same one.
    let lines = subject.timeline(id).await.len();
    let again = subject.store.refetch(id, DAY).await.unwrap().submission;
    assert_eq!((again.deadline, subject.timeline(id).await.len()), (found.deadline, lines));
    subject.step(StepKind::Collect, t::retried(StepKind::Collect, millis(1000))).await;
    assert_eq!(subject.get(id).await.reason.clone().unwrap().code, ReasonCode::Transient);
    subject.advance(millis(1000)).await;
    subject.step(StepKind::Collect, t::failed()).await;
    let failed = subject.get(id).await;
    assert_eq!((failed.state, failed.due_at), (State::Completed, None), "the verdict stays");
    assert_eq!(failed.finished_at, before.finished_at);
    assert_eq!(bytes(&subject, id, RESULT).await, b"[1,2,3]");
    subject.store.refetch(id, DAY).await.unwrap();
    let fetched = Transition { contents: vec![t::content(RESULT, b"[4]")], ..t::completed() };
    subject.step(StepKind::Collect, fetched).await;
    assert_eq!(bytes(&subject, id, RESULT).await, b"[4]");
    let after = subject.get(id).await;
    assert_eq!((after.state, after.reason.clone(), after.results.len()), (before.state, None, 1));
    subject.assert_nothing_due(StepKind::Collect).await;
}

pub(super) async fn feedback_is_fetched_again(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Collecting).await;
    subject.step(StepKind::Collect, t::rejected()).await;
    subject.store.refetch(id, DAY).await.unwrap();
    let feedback = vec![t::content(FEEDBACK_KEY, b"3|x|other")];
    subject.step(StepKind::Collect, Transition { contents: feedback, ..t::rejected() }).await;
    assert_eq!(subject.state(id).await, State::Rejected);
    assert_eq!(bytes(&subject, id, FEEDBACK_KEY).await, b"3|x|other");
}

pub(super) async fn a_verdict_is_learned_although_ferry_gave_up(subject: Subject) {
    let failed = subject.accept(new("failed")).await;
    subject.bring_to(State::Processing).await;
    subject.step(StepKind::Poll, t::failed()).await;
    let cancelled = subject.accept(new("cancelled")).await;
    subject.bring_to(State::Processing).await;
    subject.store.cancel(cancelled).await.unwrap();
    for id in [failed, cancelled] {
        let before = subject.get(id).await;
        subject.advance(DAY).await;
        subject.store.refetch(id, DAY).await.unwrap();
        subject.step(StepKind::Poll, t::pending(millis(1000))).await;
        assert_eq!(subject.state(id).await, before.state);
        subject.advance(millis(1000)).await;
        subject.step(StepKind::Poll, t::decided()).await;
        assert_eq!(subject.state(id).await, before.state);
        subject.step(StepKind::Collect, t::completed()).await;
        let after = subject.get(id).await;
        assert_eq!((after.state, after.finished_at), (State::Completed, Some(after.updated_at)));
        assert!(after.finished_at > before.finished_at, "it is another outcome");
        assert_eq!(subject.timeline(id).await.last().unwrap().0, State::Completed);
    }
    let stats = subject.store.stats().await.unwrap();
    assert_eq!((stats.count(State::Completed), stats.count(State::Failed)), (2, 0));
    let listed = subject.store.events(0, 100).await.unwrap().events;
    let completed = listed.iter().filter(|event| event.state == State::Completed).count();
    assert_eq!(completed, 2);
}

pub(super) async fn a_refetch_takes_no_turn_among_the_submissions_of_its_name(subject: Subject) {
    let first = subject.accept(new("a")).await;
    subject.bring_to(State::Completed).await;
    let second = subject.accept(new("a")).await;
    subject.store.refetch(first, DAY).await.unwrap();
    let third = subject.accept(new("a")).await;
    let collect = subject.claim_one(StepKind::Collect).await;
    assert_eq!(collect.lease.id, first);
    // The second has its turn, and the third waits for it alone.
    let upload = subject.claim_one(StepKind::Upload).await;
    assert_eq!(upload.lease.id, second);
    subject.commit(&collect, t::completed()).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.commit(&upload, t::upload_rejected()).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, third);
}

pub(super) async fn only_a_final_submission_with_a_processing_token_is_refetched(subject: Subject) {
    for state in State::ALL {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        let before = subject.get(id).await;
        let expected = match (state.is_final(), before.processing_token.is_some()) {
            (true, true) => continue,
            (true, false) => LifecycleError::NoToken { id, state },
            (false, _) => LifecycleError::NotFinal { id, state },
        };
        let error = subject.store.refetch(id, DAY).await.unwrap_err();
        assert!(matches!(error, StoreError::NotAllowed(ref why) if *why == expected), "{error:?}");
        assert_eq!(subject.get(id).await, before);
        if state == State::Queued {
            subject.store.cancel(id).await.unwrap();
        }
    }
}

/// Accepts a submission with a webhook, and brings it to its end and its delivery.
async fn completed(subject: &Subject, name: &str) -> (SubmissionId, Claim) {
    let id = subject.accept(with_webhook(name)).await;
    subject.bring_to(State::Completed).await;
    let delivery = subject.claim_one(StepKind::Deliver).await;
    assert_eq!(delivery.lease.id, id);
    (id, delivery)
}

pub(super) async fn a_refetch_and_a_delivery_exclude_each_other(subject: Subject) {
    let (id, delivery) = completed(&subject, "a").await;
    let error = subject.store.refetch(id, DAY).await.unwrap_err();
    let delivering = LifecycleError::Delivering { id };
    assert!(matches!(&error, StoreError::NotAllowed(why) if *why == delivering), "{error:?}");
    subject.commit(&delivery, tried(DeliveryResult::Delivered, None)).await;
    subject.store.refetch(id, DAY).await.unwrap();
    let error = subject.store.redeliver(id).await.unwrap_err();
    let refetching = LifecycleError::Refetching { id };
    assert!(matches!(&error, StoreError::NotAllowed(why) if *why == refetching), "{error:?}");
    assert_eq!(subject.claim_one(StepKind::Collect).await.lease.id, id);
}

pub(super) async fn a_refetch_delivers_what_is_new_and_what_was_not_delivered(subject: Subject) {
    let cases = [
        (DeliveryResult::Delivered, t::completed(), true),
        (DeliveryResult::Delivered, t::failed(), false),
        (DeliveryResult::ServerError, t::failed(), true),
    ];
    for (n, (result, fetched, is_due)) in cases.into_iter().enumerate() {
        let (id, delivery) = completed(&subject, &format!("{n}")).await;
        subject.commit(&delivery, tried(result, None)).await;
        subject.store.refetch(id, DAY).await.unwrap();
        subject.step(StepKind::Collect, fetched).await;
        if is_due {
            assert_eq!(subject.claim_one(StepKind::Deliver).await.lease.id, id);
        } else {
            subject.assert_nothing_due(StepKind::Deliver).await;
        }
    }
}
