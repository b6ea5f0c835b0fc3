//! Leases that are extended, released, or lost.

use ferry_store::{Lease, Rescued};
use ferry_types::domain::submission::{ReasonCode, State, StepKind, Submission, SubmissionParts};
use ferry_types::domain::{Timestamp, later};

use super::subject::{LEASE, Subject, millis, new};
use super::transitions as t;

/// The same, as if it had changed at another time.
fn as_of(updated_at: Timestamp, submission: Submission) -> Submission {
    SubmissionParts { updated_at, ..submission.into_parts() }.into()
}

pub(super) async fn a_renewed_lease_is_not_rescued(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    for _ in 0..3 {
        subject.advance(LEASE.saturating_sub(millis(1000))).await;
        assert_eq!(subject.store.renew(vec![claim.lease], LEASE).await.unwrap(), [true]);
        assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
    }
    assert!(subject.get(id).await.leased_until.is_some());
    assert_eq!(subject.lose_workers().await.due, 1);
    assert_eq!(subject.store.renew(vec![claim.lease], LEASE).await.unwrap(), [false]);
}

pub(super) async fn only_a_holder_may_renew(subject: Subject) {
    subject.accept_all([new("a"), new("b"), new("c")]).await;
    let claims = subject.claim(StepKind::Upload, 10).await;
    subject.commit(&claims[0], t::uploaded(millis(0))).await;
    let older = Lease { fence: claims[1].lease.fence - 1, ..claims[1].lease };
    let leases = vec![claims[0].lease, older, claims[1].lease, claims[2].lease];
    let renewed = subject.store.renew(leases, LEASE).await.unwrap();
    assert_eq!(renewed, [false, false, true, true]);
    assert!(subject.store.renew(Vec::new(), LEASE).await.unwrap().is_empty());
}

pub(super) async fn a_lease_that_ran_out_can_be_renewed_until_it_is_rescued(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.advance(LEASE * 2).await;
    assert_eq!(subject.store.renew(vec![claim.lease], LEASE).await.unwrap(), [true]);
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
    assert!(!subject.get(id).await.upload_ambiguous);
}

pub(super) async fn what_is_given_back_was_never_claimed(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let before = subject.get(id).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.release(vec![claim.clone()]).await.unwrap();
    let after = subject.get(id).await;
    assert_eq!(as_of(before.updated_at, after), before);
    let stats = subject.step_stats("main", StepKind::Upload).await;
    assert_eq!((stats.ready, stats.running), (1, 0));
    assert_eq!(subject.store.stats().await.unwrap().count(State::Uploading), 0);
    // Again, by someone who is no longer the holder: nothing happens.
    let newer = subject.claim_one(StepKind::Upload).await;
    subject.store.release(vec![claim]).await.unwrap();
    assert_eq!(subject.get(id).await.upload_attempts, 1);
    subject.commit(&newer, t::uploaded(millis(0))).await;
    let poll = subject.claim_one(StepKind::Poll).await;
    subject.store.release(vec![poll]).await.unwrap();
    assert_eq!(subject.state(id).await, State::Processing);
    subject.claim_one(StepKind::Poll).await;
}

pub(super) async fn giving_back_keeps_an_older_doubt_and_its_reason(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    subject.lose_workers().await;
    let before = subject.get(id).await;
    assert!(before.upload_ambiguous);
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.release(vec![claim]).await.unwrap();
    let after = subject.get(id).await;
    assert_eq!(as_of(before.updated_at, after), before);
    assert!(subject.claim_one(StepKind::Upload).await.submission.upload_ambiguous);
}

pub(super) async fn claiming_and_giving_back_is_not_poison(subject: Subject) {
    let id = subject.accept(new("a")).await;
    for _ in 0..20 {
        let claim = subject.claim_one(StepKind::Upload).await;
        subject.store.release(vec![claim]).await.unwrap();
    }
    subject.claim_one(StepKind::Upload).await;
    assert_eq!(subject.lose_workers().await, Rescued { due: 1, ..Rescued::default() });
    assert_eq!(subject.state(id).await, State::Queued);
}

pub(super) async fn a_lost_step_is_due_again(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    subject.advance(LEASE.saturating_sub(millis(1000))).await;
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default(), "not yet");
    subject.advance(millis(1001)).await;
    let rescued = Rescued { due: 1, ..Rescued::default() };
    assert_eq!(subject.store.rescue().await.unwrap(), rescued);
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default(), "once");
    let lost = subject.get(id).await;
    assert_eq!((lost.state, lost.upload_attempts, lost.upload_ambiguous), (State::Queued, 1, true));
    assert_eq!(lost.reason.clone().unwrap().code, ReasonCode::Ambiguous);
    assert_eq!(lost.due_at, Some(lost.updated_at));
    assert_eq!(subject.timeline(id).await.last().unwrap().0, State::Queued);

    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    subject.claim_one(StepKind::Poll).await;
    assert_eq!(subject.lose_workers().await, rescued);
    let lost = subject.get(id).await;
    assert_eq!((lost.state, lost.polls, lost.upload_ambiguous), (State::Processing, 0, false));
    subject.claim_one(StepKind::Poll).await;
}

pub(super) async fn a_step_that_ended_its_worker_five_times_is_held(subject: Subject) {
    for kind in [StepKind::Upload, StepKind::Poll, StepKind::Collect] {
        let id = subject.accept(new(&format!("ends its worker at {kind}"))).await;
        subject.bring_to(kind.waiting_state().unwrap()).await;
        for _ in 0..4 {
            subject.claim_one(kind).await;
            assert_eq!(subject.lose_workers().await, Rescued { due: 1, ..Rescued::default() });
        }
        subject.claim_one(kind).await;
        assert_eq!(subject.lose_workers().await, Rescued { held: 1, ..Rescued::default() });
        let held = subject.get(id).await;
        assert_eq!((held.state, held.step, held.due_at), (State::Held, Some(kind), None));
        assert_eq!(held.reason.clone().unwrap().code, ReasonCode::Poison);
        assert_eq!(held.upload_ambiguous, kind == StepKind::Upload);
        let text = held.reason.clone().unwrap().text;
        assert_eq!(subject.timeline(id).await.last(), Some(&(State::Held, text)));
        subject.assert_nothing_due(kind).await;
    }
}

pub(super) async fn an_outcome_resets_the_count_of_lost_workers(subject: Subject) {
    let id = subject.accept(new("a")).await;
    for _ in 0..2 {
        for _ in 0..4 {
            subject.claim_one(StepKind::Upload).await;
            subject.lose_workers().await;
        }
        subject.step(StepKind::Upload, t::retried(StepKind::Upload, millis(0))).await;
    }
    assert_eq!(subject.state(id).await, State::Queued);
}

pub(super) async fn a_lost_step_of_a_cancelled_submission_is_not_due_again(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    subject.store.cancel(id).await.unwrap();
    assert_eq!(subject.lose_workers().await, Rescued { cancelled: 1, ..Rescued::default() });
    let cancelled = subject.get(id).await;
    assert_eq!(cancelled.state, State::Cancelled);
    assert_eq!((cancelled.due_at, cancelled.leased_until), (None, None));
    assert_eq!(cancelled.finished_at, Some(cancelled.updated_at));
    subject.assert_nothing_due(StepKind::Upload).await;
}

pub(super) async fn a_step_of_a_cancelled_submission_that_is_given_back_ends(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.cancel(id).await.unwrap();
    subject.store.release(vec![claim]).await.unwrap();
    assert_eq!(subject.state(id).await, State::Cancelled);
    subject.assert_nothing_due(StepKind::Upload).await;
}

pub(super) async fn many_lost_steps_are_all_rescued(subject: Subject) {
    subject.accept_all((0..700).map(|n| new(&format!("{n}")))).await;
    assert_eq!(subject.claim(StepKind::Upload, 700).await.len(), 700);
    subject.advance(LEASE + millis(1)).await;
    let mut due = 0;
    let wait = ferry_testing::Wait::begin("the last rescue");
    loop {
        wait.check();
        let rescued = subject.store.rescue().await.unwrap().due;
        assert!(rescued < 700, "a call is bounded");
        due += rescued;
        if rescued == 0 {
            break;
        }
    }
    assert_eq!(due, 700);
    assert_eq!(subject.claim(StepKind::Upload, 1000).await.len(), 700);
}

pub(super) async fn a_lease_for_ever_is_one(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let renewed = subject.store.renew(vec![claim.lease], std::time::Duration::MAX).await;
    assert_eq!(renewed.unwrap(), [true]);
    subject.advance(LEASE * 1000).await;
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
    let until = subject.get(id).await.leased_until.unwrap();
    assert!(until > later(claim.now, LEASE * 1000));
}
