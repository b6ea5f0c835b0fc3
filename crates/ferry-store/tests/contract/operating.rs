//! Operations on submissions: cancel, retry, resolve.

use ferry_store::StoreError;
use ferry_types::domain::later;
use ferry_types::domain::submission::{
    Lasting, LifecycleError, ReasonCode, Resolution, State, StepKind, Transition,
};

use super::subject::{DAY, Subject, millis, new};
use super::transitions as t;

pub(super) async fn what_waits_is_cancelled_at_once(subject: Subject) {
    for state in [State::Queued, State::Processing, State::Collecting, State::Held] {
        let id = subject.accept(new(&format!("cancelled while {state}"))).await;
        subject.bring_to(state).await;
        assert_eq!(subject.state(id).await, state);
        let found = subject.store.cancel(id).await.unwrap();
        let cancelled = found.submission;
        assert_eq!(cancelled.state, State::Cancelled);
        assert_eq!((cancelled.step, cancelled.due_at), (None, None));
        assert_eq!(cancelled.finished_at, Some(cancelled.updated_at));
        assert_eq!(cancelled.reason.clone().unwrap().code, ReasonCode::Operator);
        assert_eq!(found.waiting_for, None);
        assert_eq!(subject.timeline(id).await.last().unwrap().0, State::Cancelled);
        for kind in StepKind::PLATFORM_KINDS {
            subject.assert_nothing_due(kind).await;
        }
    }
}

pub(super) async fn what_has_ended_cannot_be_cancelled(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        let before = subject.get(id).await;
        let error = subject.store.cancel(id).await.unwrap_err();
        let expected = LifecycleError::AlreadyFinal { id, state };
        assert!(matches!(&error, StoreError::NotAllowed(why) if *why == expected), "{error:?}");
        assert_eq!(subject.get(id).await, before);
    }
}

pub(super) async fn a_running_step_is_cancelled_when_it_ends(subject: Subject) {
    let undecided = [
        (StepKind::Upload, t::uploaded(millis(0))),
        (StepKind::Upload, t::retried(StepKind::Upload, millis(0))),
        (StepKind::Upload, t::held()),
        (StepKind::Poll, t::pending(millis(0))),
        (StepKind::Poll, t::decided()),
        (StepKind::Collect, t::retried(StepKind::Collect, millis(0))),
    ];
    for (n, (kind, outcome)) in undecided.into_iter().enumerate() {
        let id = subject.accept(new(&format!("{n}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        let claim = subject.claim_one(kind).await;
        let found = subject.store.cancel(id).await.unwrap().submission;
        assert!(found.cancel_requested && found.state == claim.submission.state);
        subject.store.cancel(id).await.unwrap();
        let lines = subject.timeline(id).await.len();
        subject.commit(&claim, outcome).await;
        let cancelled = subject.get(id).await;
        assert_eq!((cancelled.state, cancelled.due_at), (State::Cancelled, None));
        assert_eq!(subject.timeline(id).await.len(), lines + 1);
        subject.assert_nothing_due(kind).await;
    }
}

pub(super) async fn a_final_outcome_wins_over_a_cancellation(subject: Subject) {
    let outcomes = [
        (StepKind::Upload, t::failed()),
        (StepKind::Upload, t::upload_rejected()),
        (StepKind::Collect, t::completed()),
        (StepKind::Collect, t::rejected()),
    ];
    for (n, (kind, outcome)) in outcomes.into_iter().enumerate() {
        let id = subject.accept(new(&format!("{n}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        let claim = subject.claim_one(kind).await;
        subject.store.cancel(id).await.unwrap();
        let end = outcome.state().unwrap();
        subject.commit(&claim, outcome).await;
        assert_eq!(subject.state(id).await, end);
    }
}

pub(super) async fn a_request_to_cancel_is_recorded_in_the_timeline_once(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    let before = subject.timeline(id).await.len();
    subject.store.cancel(id).await.unwrap();
    subject.store.cancel(id).await.unwrap();
    let timeline = subject.timeline(id).await;
    assert_eq!(timeline.len(), before + 1);
    assert_eq!(timeline.last().unwrap().0, State::Uploading);
    assert!(timeline.last().unwrap().1.contains("cancel"), "{timeline:?}");
}

pub(super) async fn a_failed_submission_resumes_where_it_stopped(subject: Subject) {
    for kind in StepKind::PLATFORM_KINDS {
        let id = subject.accept(new(&format!("fails at {kind}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        subject.step(kind, t::retried(kind, millis(0))).await;
        let lasting = Lasting { weight: 1, waited_ms: 5 };
        let gave_up = Transition { failures: 3, lasting, ..t::failed() };
        let failed = subject.step(kind, gave_up).await.submission;
        subject.advance(DAY).await;
        let found = subject.store.retry(id, millis(90_000)).await.unwrap();
        let retried = found.submission;
        assert_eq!((retried.state, retried.step), (kind.waiting_state().unwrap(), Some(kind)));
        assert_eq!(retried.deadline, later(retried.updated_at, millis(90_000)));
        assert_eq!(retried.due_at, Some(retried.updated_at));
        assert_eq!((retried.finished_at, retried.failures), (None, 0));
        assert_eq!(retried.lasting, Lasting::default());
        assert_eq!(retried.upload_attempts, failed.upload_attempts);
        assert_eq!(retried.reason.clone().unwrap().code, ReasonCode::Operator);
        assert_eq!(subject.timeline(id).await.last().unwrap().0, kind.waiting_state().unwrap());
        assert_eq!(subject.claim_one(kind).await.lease.id, id);
    }
}

pub(super) async fn only_a_failed_submission_can_be_retried(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| *state != State::Failed) {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        let before = subject.get(id).await;
        let response = subject.store.retry(id, DAY).await;
        assert!(matches!(response, Err(StoreError::NotAllowed(_))), "{state}: {response:?}");
        assert_eq!(subject.get(id).await, before);
        // Out of the way of the next.
        if state == State::Queued {
            subject.store.cancel(id).await.unwrap();
        }
    }
}

pub(super) async fn a_retry_forgets_an_older_wish_to_cancel(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.cancel(id).await.unwrap();
    subject.commit(&claim, t::failed()).await;
    let retried = subject.store.retry(id, DAY).await.unwrap().submission;
    assert!(!retried.cancel_requested);
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    assert_eq!(subject.state(id).await, State::Processing);
}

pub(super) async fn a_retry_keeps_the_doubt_about_an_upload(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    subject.lose_workers().await;
    let upload_ambiguous =
        ferry_types::domain::submission::Transition { upload_ambiguous: true, ..t::failed() };
    subject.step(StepKind::Upload, upload_ambiguous).await;
    subject.store.retry(id, DAY).await.unwrap();
    assert!(subject.claim_one(StepKind::Upload).await.submission.upload_ambiguous);
}

pub(super) async fn a_retried_submission_is_not_swept_or_counted_as_failed(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Failed).await;
    subject.advance(DAY).await;
    subject.store.retry(id, DAY).await.unwrap();
    assert_eq!(subject.store.sweep(millis(0)).await.unwrap(), 0);
    let stats = subject.store.stats().await.unwrap();
    assert_eq!((stats.count(State::Failed), stats.count(State::Queued)), (0, 1));
    assert_eq!(stats.unfinished(), 1);
}

pub(super) async fn a_held_submission_is_retried_as_it_is(subject: Subject) {
    for kind in StepKind::PLATFORM_KINDS {
        let id = subject.accept(new(&format!("held at {kind}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        subject.step(kind, t::held()).await;
        subject.advance(DAY).await;
        let found = subject.store.resolve(id, Resolution::Retry, millis(90_000)).await.unwrap();
        let resolved = found.submission;
        assert_eq!((resolved.state, resolved.step), (kind.waiting_state().unwrap(), Some(kind)));
        assert_eq!(resolved.deadline, later(resolved.updated_at, millis(90_000)));
        assert!(resolved.upload_ambiguous && !resolved.overwrite);
        assert_eq!(subject.timeline(id).await.last().unwrap().0, kind.waiting_state().unwrap());
        let claim = subject.claim_one(kind).await;
        assert_eq!(claim.lease.id, id);
        assert!(claim.submission.upload_ambiguous);
    }
}

pub(super) async fn a_person_may_allow_to_overwrite(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Held).await;
    subject.store.resolve(id, Resolution::Overwrite, DAY).await.unwrap();
    assert!(subject.claim_one(StepKind::Upload).await.submission.overwrite);
}

pub(super) async fn after_the_upload_there_is_nothing_to_overwrite(subject: Subject) {
    for kind in [StepKind::Poll, StepKind::Collect] {
        let id = subject.accept(new(&format!("held at {kind}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        subject.step(kind, t::held()).await;
        let before = subject.get(id).await;
        let response = subject.store.resolve(id, Resolution::Overwrite, DAY).await;
        assert!(matches!(response, Err(StoreError::NotAllowed(_))), "{response:?}");
        assert_eq!(subject.get(id).await, before);
    }
}

pub(super) async fn a_person_may_give_up(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Held).await;
    let failed = subject.store.resolve(id, Resolution::Fail, DAY).await.unwrap().submission;
    assert_eq!((failed.state, failed.due_at), (State::Failed, None));
    assert_eq!(failed.finished_at, Some(failed.updated_at));
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.store.retry(id, DAY).await.unwrap();
    subject.claim_one(StepKind::Upload).await;
}

pub(super) async fn only_a_held_submission_can_be_resolved(subject: Subject) {
    for state in State::ALL.into_iter().filter(|state| *state != State::Held) {
        let id = subject.accept(new(&format!("{state}"))).await;
        subject.bring_to(state).await;
        let before = subject.get(id).await;
        for resolution in [Resolution::Retry, Resolution::Overwrite, Resolution::Fail] {
            let response = subject.store.resolve(id, resolution, DAY).await;
            assert!(matches!(response, Err(StoreError::NotAllowed(_))), "{state}: {response:?}");
        }
        assert_eq!(subject.get(id).await, before);
        if state == State::Queued {
            subject.store.cancel(id).await.unwrap();
        }
    }
}

pub(super) async fn a_poisonous_step_that_is_resolved_has_five_lives_again(subject: Subject) {
    let id = subject.accept(new("a")).await;
    for _ in 0..2 {
        for _ in 0..5 {
            assert_ne!(subject.state(id).await, State::Held);
            subject.claim_one(StepKind::Upload).await;
            subject.lose_workers().await;
        }
        assert_eq!(subject.state(id).await, State::Held);
        subject.store.resolve(id, Resolution::Retry, DAY).await.unwrap();
    }
}

pub(super) async fn what_is_declared_ambiguous_is_so_at_its_next_upload(subject: Subject) {
    let done = subject.accept(new("done")).await;
    subject.bring_to(State::Completed).await;
    let id = subject.accept(new("waiting")).await;
    let lines = subject.timeline(id).await.len();
    for _ in 0..2 {
        let declared = subject.store.declare_ambiguous(id).await.unwrap().submission;
        assert!(declared.upload_ambiguous);
        assert_eq!(declared.state, State::Queued);
        assert_eq!(subject.timeline(id).await.len(), lines + 1, "it is recorded once");
    }
    assert!(!subject.store.declare_ambiguous(done).await.unwrap().submission.upload_ambiguous);
    assert!(subject.claim_one(StepKind::Upload).await.submission.upload_ambiguous);
}
