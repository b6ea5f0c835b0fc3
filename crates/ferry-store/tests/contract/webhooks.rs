//! Delivery of an outcome is a step after the final state, and does not change it.

use ferry_store::{NewSubmission, StoreError};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::Resolution;
use ferry_types::domain::submission::{
    Delivery, DeliveryResult, Next, State, StepKind, Transition,
};
use ferry_types::domain::timestamp;

use super::subject::{ACCOUNT, DAY, LEASE, Subject, millis, new};
use super::transitions as t;

const URL: &str = "https://example.com/hook?token=secret";

pub(super) fn with_webhook(name: &str) -> NewSubmission {
    NewSubmission { webhook_url: Some(URL.to_owned()), ..new(name) }
}

/// Returns a worker's decision after a delivery attempt.
pub(super) fn tried(result: DeliveryResult, again: Option<u64>) -> Transition {
    let delivery = Delivery { at: timestamp(0), attempt: 1, result, status: Some(200) };
    let next = Next::Delivery { delivery, again: again.map(millis) };
    Transition { failures: u32::from(again.is_some()), ..Transition::to(next) }
}

async fn results(subject: &Subject, id: SubmissionId) -> Vec<DeliveryResult> {
    let webhook = subject.get(id).await.webhook.clone().expect("it has a webhook");
    assert_eq!(webhook.url, URL);
    webhook.deliveries.into_iter().map(|delivery| delivery.result).collect()
}

pub(super) async fn every_final_state_is_delivered_whatever_caused_it(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let id = subject.accept(with_webhook(&format!("{state}"))).await;
        subject.bring_to(state).await;
        let before = subject.get(id).await;
        assert_eq!((before.state, before.step), (state, Some(StepKind::Deliver)), "{state}");
        subject.advance(millis(10)).await;
        let delivered = tried(DeliveryResult::Delivered, None);
        subject.step(StepKind::Deliver, delivered).await;
        let after = subject.get(id).await;
        assert_eq!(
            (after.state, after.due_at, after.finished_at),
            (state, None, before.finished_at)
        );
        assert_eq!(
            (after.reason.clone(), after.upload_attempts),
            (before.reason.clone(), before.upload_attempts),
            "{state}"
        );
        assert_eq!(results(&subject, id).await, [DeliveryResult::Delivered]);
        subject.assert_nothing_due(StepKind::Deliver).await;
        // The path of a webhook is a secret.
        let line = subject.timeline(id).await.pop().unwrap();
        assert_eq!(line, (state, "webhook delivered to `https://example.com`".to_owned()));
    }
    // Those that end without a worker.
    let waiting = subject.accept(with_webhook("waiting")).await;
    subject.store.cancel(waiting).await.unwrap();
    let held = subject.accept(with_webhook("held")).await;
    subject.bring_to(State::Held).await;
    subject.assert_due(&[waiting]).await;
    subject.store.resolve(held, Resolution::Fail, DAY).await.unwrap();
    let lost = subject.accept(with_webhook("lost")).await;
    subject.bring_to(State::Uploading).await;
    subject.store.cancel(lost).await.unwrap();
    subject.lose_workers().await;
    subject.assert_due(&[waiting, held, lost]).await;
    // Without a webhook there is no delivery.
    subject.accept(new("silent")).await;
    subject.bring_to(State::Failed).await;
    assert_eq!(subject.step_stats(ACCOUNT, StepKind::Deliver).await.ready, 3);
}

pub(super) async fn a_failed_delivery_is_retried_when_it_is_due(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Completed).await;
    let again = tried(DeliveryResult::ServerError, Some(5000));
    subject.step(StepKind::Deliver, again).await;
    assert_eq!(subject.get(id).await.failures, 1);
    subject.advance(millis(4999)).await;
    subject.assert_nothing_due(StepKind::Deliver).await;
    subject.advance(millis(1)).await;
    let gone = tried(DeliveryResult::Gone, None);
    let claim = subject.step(StepKind::Deliver, gone).await;
    assert_eq!(claim.submission.failures, 1);
    assert_eq!(results(&subject, id).await, [DeliveryResult::ServerError, DeliveryResult::Gone]);
    assert!(subject.get(id).await.webhook.clone().unwrap().gone);
    // An operator redelivers it all the same.
    subject.store.redeliver(id).await.unwrap();
    subject.store.redeliver(id).await.unwrap();
    let claim = subject.claim_one(StepKind::Deliver).await;
    subject.store.redeliver(id).await.unwrap();
    let delivered = tried(DeliveryResult::Delivered, None);
    subject.commit(&claim, delivered).await;
    assert!(!subject.get(id).await.webhook.clone().unwrap().gone);
    subject.assert_nothing_due(StepKind::Deliver).await;
    for _ in 0..30 {
        subject.store.redeliver(id).await.unwrap();
        let failed = tried(DeliveryResult::ClientError, None);
        subject.step(StepKind::Deliver, failed).await;
    }
    assert_eq!(results(&subject, id).await, [DeliveryResult::ClientError; 20], "the newest");
}

pub(super) async fn only_a_final_state_with_a_webhook_is_delivered(subject: Subject) {
    let open = subject.accept(with_webhook("open")).await;
    let error = subject.store.redeliver(open).await.unwrap_err();
    assert_eq!(error.to_string(), format!("submission {open} is queued: it has no outcome yet"));
    let silent = subject.accept(new("silent")).await;
    subject.bring_to(State::Failed).await;
    let error = subject.store.redeliver(silent).await.unwrap_err();
    assert_eq!(error.to_string(), format!("submission {silent} has no `webhook_url`"));
    let id = new("x").id;
    assert!(matches!(subject.store.redeliver(id).await, Err(StoreError::NotFound(_))));
    // A worker that decides something else is wrong.
    subject.store.cancel(open).await.unwrap();
    let claim = subject.claim_one(StepKind::Deliver).await;
    for wrong in [t::uploaded(millis(0)), t::failed(), t::held()] {
        let committed = subject.try_commit(&claim, wrong).await;
        assert!(matches!(committed, ferry_store::Committed::Illegal(_)), "{committed:?}");
    }
    assert_eq!(subject.state(open).await, State::Cancelled);
}

pub(super) async fn a_due_delivery_delays_no_other_step(subject: Subject) {
    let first = subject.accept(with_webhook("a")).await;
    let second = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Cancelled).await;
    assert_eq!(subject.state(first).await, State::Cancelled);
    // The second of the name is uploaded, and a paused account still delivers its webhooks.
    subject.store.pause(ACCOUNT, "maintenance").await.unwrap();
    subject.assert_nothing_due(StepKind::Upload).await;
    let claim = subject.claim_one(StepKind::Deliver).await;
    assert_eq!(claim.lease.id, first);
    subject.store.resume(ACCOUNT).await.unwrap();
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, second);
    subject.store.release(vec![claim]).await.unwrap();
    subject.assert_due(&[first]).await;
    assert_eq!(subject.state(first).await, State::Cancelled);
}

pub(super) async fn a_retry_continues_while_the_failure_is_being_delivered(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Processing).await;
    subject.step(StepKind::Poll, t::failed()).await;
    let delivery = subject.claim_one(StepKind::Deliver).await;
    let found = subject.store.retry(id, DAY).await.unwrap().submission;
    assert_eq!((found.state, found.step), (State::Processing, Some(StepKind::Poll)));
    let late = subject.try_commit(&delivery, tried(DeliveryResult::Delivered, None));
    assert_eq!(late.await, ferry_store::Committed::Stale);
    subject.assert_nothing_due(StepKind::Deliver).await;
    subject.step(StepKind::Poll, t::failed()).await;
    subject.step(StepKind::Deliver, tried(DeliveryResult::Delivered, None)).await;
    assert_eq!(subject.get(id).await.step, Some(StepKind::Poll), "the step to go on with");
    let found = subject.store.retry(id, DAY).await.unwrap().submission;
    assert_eq!((found.state, found.step), (State::Processing, Some(StepKind::Poll)));
    subject.step(StepKind::Poll, t::decided()).await;
    subject.step(StepKind::Collect, t::completed()).await;
    subject.assert_due(&[id]).await;
}

pub(super) async fn a_lost_worker_costs_a_try_and_no_outcome(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    // The outcome came before the wish to cancel could be met.
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    subject.step(StepKind::Poll, t::decided()).await;
    let collecting = subject.claim_one(StepKind::Collect).await;
    subject.store.cancel(id).await.unwrap();
    subject.commit(&collecting, t::completed()).await;
    let ended = subject.get(id).await;
    assert_eq!(ended.state, State::Completed);
    let claim = subject.claim_one(StepKind::Deliver).await;
    subject.store.release(vec![claim]).await.unwrap();
    for _ in 0..5 {
        subject.claim_one(StepKind::Deliver).await;
        subject.lose_workers().await;
        assert_eq!(subject.state(id).await, State::Completed);
    }
    subject.assert_nothing_due(StepKind::Deliver).await;
    let after = subject.get(id).await;
    assert_eq!(
        (after.finished_at, after.step, after.reason.clone()),
        (ended.finished_at, None, None)
    );
    subject.store.redeliver(id).await.unwrap();
    subject.assert_due(&[id]).await;
}

pub(super) async fn lost_uploads_do_not_count_against_the_delivery(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    for _ in 0..4 {
        subject.claim_one(StepKind::Upload).await;
        subject.lose_workers().await;
    }
    subject.store.cancel(id).await.unwrap();
    for _ in 0..4 {
        subject.claim_one(StepKind::Deliver).await;
        subject.lose_workers().await;
        subject.assert_due(&[id]).await;
    }
    subject.claim_one(StepKind::Deliver).await;
    subject.lose_workers().await;
    subject.assert_nothing_due(StepKind::Deliver).await;
}

pub(super) async fn a_committed_attempt_resets_the_count_of_lost_deliveries(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Completed).await;
    for _ in 0..2 {
        for _ in 0..4 {
            subject.claim_one(StepKind::Deliver).await;
            subject.lose_workers().await;
        }
        subject.step(StepKind::Deliver, tried(DeliveryResult::ServerError, Some(0))).await;
    }
    subject.assert_due(&[id]).await;
}

pub(super) async fn a_receiver_that_is_gone_gets_no_later_outcome(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Failed).await;
    subject.step(StepKind::Deliver, tried(DeliveryResult::Gone, None)).await;
    subject.store.retry(id, DAY).await.unwrap();
    subject.bring_to(State::Completed).await;
    assert_eq!(subject.state(id).await, State::Completed);
    subject.assert_nothing_due(StepKind::Deliver).await;
}

pub(super) async fn failures_of_other_steps_do_not_delay_a_delivery(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    let failed = Transition { failures: 7, ..t::failed() };
    subject.step(StepKind::Upload, failed).await;
    assert_eq!(subject.get(id).await.failures, 0);
    subject.step(StepKind::Deliver, tried(DeliveryResult::ServerError, Some(5000))).await;
    assert_eq!(subject.get(id).await.failures, 1);
    subject.store.redeliver(id).await.unwrap();
    assert_eq!(subject.get(id).await.failures, 0, "an operator begins from the start");
}

pub(super) async fn a_running_delivery_is_not_requested_again(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Completed).await;
    subject.claim_one(StepKind::Deliver).await;
    let before = (subject.get(id).await, subject.timeline(id).await);
    subject.advance(millis(10)).await;
    subject.store.redeliver(id).await.unwrap();
    assert_eq!((subject.get(id).await, subject.timeline(id).await), before);
}

pub(super) async fn a_redelivered_failure_is_retried_from_its_step(subject: Subject) {
    let id = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Processing).await;
    subject.step(StepKind::Poll, t::failed()).await;
    subject.step(StepKind::Deliver, tried(DeliveryResult::Delivered, None)).await;
    subject.store.redeliver(id).await.unwrap();
    let found = subject.store.retry(id, DAY).await.unwrap().submission;
    assert_eq!((found.state, found.step), (State::Processing, Some(StepKind::Poll)));
    assert_eq!(found.resume_step, None);
}

pub(super) async fn retention_does_not_wait_for_deliveries(subject: Subject) {
    let waiting = subject.accept(with_webhook("a")).await;
    subject.bring_to(State::Failed).await;
    let leased = subject.accept(with_webhook("b")).await;
    subject.bring_to(State::Failed).await;
    let again = tried(DeliveryResult::NoResponse, Some(1000));
    let claims = subject.claim(StepKind::Deliver, 2).await;
    subject.commit(&claims[0], again).await;
    subject.advance(LEASE / 2).await;
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 2);
    for id in [waiting, leased] {
        assert!(subject.store.get(id).await.unwrap().is_none());
    }
    subject.lose_workers().await;
    subject.assert_nothing_due(StepKind::Deliver).await;
    let stats = subject.step_stats(ACCOUNT, StepKind::Deliver).await;
    assert_eq!((stats.ready, stats.scheduled, stats.running), (0, 0, 0));
}
