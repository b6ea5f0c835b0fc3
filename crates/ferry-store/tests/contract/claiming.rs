//! Leasing due steps out.

use std::collections::HashSet;

use ferry_store::{ClaimRequest, NewSubmission, Store};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::submission::{Priority, State, StepKind};
use ferry_types::domain::{later, until};

use super::subject::{LEASE, Subject, ids, millis, new};
use super::transitions as t;

pub(super) async fn an_accepted_submission_is_claimed_once(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!(claim.lease.id, id);
    assert_eq!(claim.kind, StepKind::Upload);
    assert!(!claim.submission.upload_ambiguous);
    subject.assert_nothing_due(StepKind::Upload).await;
}

pub(super) async fn a_claimed_upload_is_an_attempt_for_every_reader(subject: Subject) {
    let id = subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert_eq!((claim.submission.state, claim.submission.upload_attempts), (State::Uploading, 1));
    assert_eq!(claim.submission.leased_until, Some(later(claim.now, LEASE)));
    let other = subject.another().await;
    let found = other.get(id).await.unwrap().unwrap();
    assert_eq!(found.submission, claim.submission);
    assert_eq!(found.waiting_for, None);
    let timeline = subject.timeline(id).await;
    assert_eq!(timeline.last(), Some(&(State::Uploading, String::new())));
}

pub(super) async fn a_claimed_poll_changes_nothing_but_the_lease(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Processing).await;
    let before = subject.get(id).await;
    let timeline = subject.timeline(id).await;
    let claim = subject.claim_one(StepKind::Poll).await;
    let leased = ferry_types::domain::submission::SubmissionParts {
        leased_until: Some(later(claim.now, LEASE)),
        ..before.into_parts()
    }
    .into();
    assert_eq!(subject.get(id).await, leased);
    assert_eq!(claim.submission, leased);
    assert_eq!(subject.timeline(id).await, timeline);
}

pub(super) async fn a_step_is_not_due_a_millisecond_early(subject: Subject) {
    let first = subject.accept(new("first")).await;
    subject.claim_one(StepKind::Upload).await;
    let now = subject.get(first).await.created_at;
    let start = later(now, millis(60_007));
    let id = subject.accept(NewSubmission { not_before: Some(start), ..new("a") }).await;
    let found = subject.store.get(id).await.unwrap().unwrap();
    let due = WaitingFor::DueTime { at: start, step: StepKind::Upload };
    assert_eq!(found.waiting_for, Some(due));
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty());
    let left = claims.next.expect("something is scheduled");
    assert_eq!(left, until(claims.now, start));
    subject.advance(left.saturating_sub(millis(1))).await;
    let claims = subject.ask(StepKind::Upload, 10).await;
    // A store with a clock of its own may be past it by now.
    assert!(claims.claims.is_empty() || claims.now >= start);
    if claims.claims.is_empty() {
        assert_eq!(claims.next, Some(until(claims.now, start)));
        subject.advance(millis(1)).await;
        assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, id);
    }
}

pub(super) async fn a_claim_says_how_long_the_step_was_due(subject: Subject) {
    subject.accept(new("a")).await;
    subject.advance(millis(321)).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    assert!(claim.lag >= millis(321) && claim.lag < millis(5000), "{:?}", claim.lag);
    assert_eq!(Some(claim.lag), claim.submission.due_at.map(|due| until(due, claim.now)));
}

pub(super) async fn a_claim_takes_no_more_than_its_limit(subject: Subject) {
    let accepted = subject.accept_all((0..10).map(|n| new(&format!("{n}")))).await;
    assert_eq!(subject.claim(StepKind::Upload, 0).await.len(), 0);
    let claims = subject.ask(StepKind::Upload, 4).await;
    assert_eq!(ids(&claims.claims), accepted[..4]);
    assert_eq!(claims.next, Some(millis(0)), "more may be due");
    let claims = subject.ask(StepKind::Upload, 100).await;
    assert_eq!(ids(&claims.claims), accepted[4..]);
    assert_eq!(claims.next, None, "nothing is left");
}

pub(super) async fn a_claim_takes_only_its_kind_of_step(subject: Subject) {
    subject.accept(new("a")).await;
    subject.bring_to(State::Processing).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.assert_nothing_due(StepKind::Collect).await;
    assert_eq!(subject.ask(StepKind::Upload, 10).await.next, None);
    subject.claim_one(StepKind::Poll).await;
}

pub(super) async fn fences_grow_with_every_claim(subject: Subject) {
    subject.accept(new("a")).await;
    let mut fence = 0;
    for _ in 0..3 {
        let claim = subject.claim_one(StepKind::Upload).await;
        assert!(claim.lease.fence > fence);
        fence = claim.lease.fence;
        subject.commit(&claim, t::retried(StepKind::Upload, millis(0))).await;
    }
    subject.step(StepKind::Upload, t::uploaded(millis(0))).await;
    let claim = subject.claim_one(StepKind::Poll).await;
    assert!(claim.lease.fence > fence + 1);
    subject.store.release(vec![claim.clone()]).await.unwrap();
    assert!(subject.claim_one(StepKind::Poll).await.lease.fence > claim.lease.fence);
}

pub(super) async fn an_upload_after_a_lost_one_is_ambiguous(subject: Subject) {
    subject.accept(new("a")).await;
    subject.claim_one(StepKind::Upload).await;
    assert_eq!(subject.lose_workers().await.due, 1);
    let claim = subject.claim_one(StepKind::Upload).await;
    assert!(claim.submission.upload_ambiguous);
    assert_eq!(claim.submission.upload_attempts, 2);
    // The doubt ends with an outcome that says so, and not before.
    subject.commit(&claim, t::retried(StepKind::Upload, millis(0))).await;
    assert!(!subject.claim_one(StepKind::Upload).await.submission.upload_ambiguous);
}

pub(super) async fn the_urgent_go_first_and_then_those_due_longest(subject: Subject) {
    let with = |name: &str, priority| NewSubmission { priority, ..new(name) };
    let mut expected = Vec::new();
    for priority in [Priority::Low, Priority::Normal, Priority::High] {
        for age in ["older", "younger"] {
            let id = subject.accept(with(&format!("{priority} {age}"), priority)).await;
            expected.push((priority, id));
            subject.advance(millis(10)).await;
        }
    }
    // High, normal, low; within each the older one first, as they were accepted.
    expected.sort_by_key(|(priority, _)| *priority);
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    let mut claimed = ids(&subject.claim(StepKind::Upload, 1).await);
    claimed.extend(ids(&subject.claim(StepKind::Upload, 3).await));
    claimed.extend(ids(&subject.claim(StepKind::Upload, 10).await));
    assert_eq!(claimed, expected);
}

pub(super) async fn an_urgent_step_that_is_not_due_delays_no_other(subject: Subject) {
    let first = subject.accept(new("now")).await;
    let start = later(subject.get(first).await.created_at, millis(60_000));
    let not_before = Some(start);
    let urgent = NewSubmission { priority: Priority::High, not_before, ..new("later") };
    subject.accept(urgent).await;
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, first);
}

pub(super) async fn concurrent_claims_never_yield_a_step_twice(subject: Subject) {
    const STEPS: usize = 400;
    subject.accept_all((0..STEPS).map(|n| new(&format!("{n}")))).await;
    let handles = [subject.store.clone(), subject.another().await];
    let tasks = (0..8).map(|n| tokio::spawn(claim_all(handles[n % 2].clone(), 1 + n)));
    let mut claimed = HashSet::new();
    for task in tasks.collect::<Vec<_>>() {
        for id in task.await.unwrap() {
            assert!(claimed.insert(id), "{id} was claimed twice");
        }
    }
    assert_eq!(claimed.len(), STEPS);
}

async fn claim_all(
    store: std::sync::Arc<dyn Store>,
    limit: usize,
) -> Vec<ferry_types::domain::SubmissionId> {
    let mut claimed = Vec::new();
    let wait = ferry_testing::Wait::begin("the last claim");
    loop {
        wait.check();
        let request = ClaimRequest {
            kind: StepKind::Upload,
            limit,
            lease: LEASE,
            account_limits: std::sync::Arc::default(),
        };
        let claims = store.claim(request).await.unwrap().claims;
        if claims.is_empty() {
            return claimed;
        }
        claimed.extend(ids(&claims));
    }
}
