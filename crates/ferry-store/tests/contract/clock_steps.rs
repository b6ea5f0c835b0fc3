//! A step of the wall clock delays nothing, brings nothing forward, and loses no lease.

use std::sync::Arc;
use std::time::Duration;

use ferry_store::{Claim, ClaimRequest, Claims, Deadline, NewSubmission, Rescued, Store};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::later;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{LATE_UPLOAD, State, StepKind, Transition};

use super::redis_place;
use super::subject::{ACCOUNT, DAY, LEASE, Subject, health_policy, millis, new};
use super::transitions::{self as t, WithSignal};

const MINUTE: i64 = 60_000;

/// Milliseconds of the steps under test.
const STEPS: [i64; 6] =
    [-24 * 60 * MINUTE, -60 * MINUTE, -MINUTE, MINUTE, 60 * MINUTE, 24 * 60 * MINUTE];

/// Lets the wall clock step under a worker, which keeps house all the time.
async fn step(subject: &Subject, millis: i64) {
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
    subject.step_clock(millis).await;
    assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default(), "of {millis}");
}

pub(super) async fn a_step_of_the_clock_moves_no_due_time(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        let id = subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::uploaded(millis(10_000))).await;
        step(&subject, size).await;
        let claims = subject.ask(StepKind::Poll, 10).await;
        assert_eq!((claims.claims.len(), claims.next), (0, Some(millis(10_000))), "of {size}");
        let waiting = subject.store.get(id).await.unwrap().unwrap().waiting_for;
        let at = later(subject.wall_clock(), millis(10_000));
        assert_eq!(waiting, Some(WaitingFor::DueTime { at, step: StepKind::Poll }), "of {size}");
        subject.advance(millis(9999)).await;
        subject.assert_nothing_due(StepKind::Poll).await;
        subject.advance(millis(1)).await;
        let claim = subject.claim_one(StepKind::Poll).await;
        assert_eq!(claim.now, subject.wall_clock(), "of {size}");
        assert_eq!(claim.lag, Duration::ZERO);
    }
}

pub(super) async fn a_step_of_the_clock_moves_no_upload_that_failed_as_soon_as_it_was_accepted(
    subject: Subject,
) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::retried(StepKind::Upload, millis(10_000))).await;
        step(&subject, size).await;
        let claims = subject.ask(StepKind::Upload, 10).await;
        assert_eq!((claims.claims.len(), claims.next), (0, Some(millis(10_000))), "of {size}");
    }
}

pub(super) async fn a_step_of_the_clock_ends_no_living_lease_and_extends_no_dead_one(
    subject: Subject,
) {
    for size in STEPS {
        let subject = subject.fresh().await;
        let [lives, dies] = subject.accept_all([new("lives"), new("dies")]).await[..] else {
            panic!()
        };
        let claims = subject.claim(StepKind::Upload, 2).await;
        subject.advance(millis(5000)).await;
        step(&subject, size).await;
        let living = claims.iter().find(|claim| claim.lease.id == lives).unwrap();
        assert_eq!(subject.store.renew(vec![living.lease], LEASE).await.unwrap(), [true]);
        subject.advance(LEASE.saturating_sub(millis(5000)) + millis(1)).await;
        let rescued = subject.store.rescue().await.unwrap();
        assert_eq!(rescued, Rescued { due: 1, ..Rescued::default() }, "of {size}");
        assert_eq!(subject.state(dies).await, State::Queued);
        subject.commit(living, t::uploaded(millis(0))).await;
    }
}

pub(super) async fn a_step_of_the_clock_moves_neither_a_throttle_nor_a_breaker(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept_all([new("a"), new("b")]).await;
        let mut claims = subject.claim(StepKind::Upload, 2).await.into_iter();
        let (a, b) = (claims.next().unwrap(), claims.next().unwrap());
        let minute = Duration::from_mins(1);
        subject.commit(&a, t::slowed_down(StepKind::Upload, minute)).await;
        subject.store.release(vec![b]).await.unwrap();
        step(&subject, size).await;
        let until = subject.account(ACCOUNT).await.health.throttled_until;
        assert_eq!(until, Some(later(subject.wall_clock(), minute)), "of {size}");
        subject.advance(minute.saturating_sub(millis(1))).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.advance(millis(1)).await;
        let probe = subject.claim_one(StepKind::Upload).await;
        // The breaker opens.
        let mut claim = Some(probe);
        for _ in 0..health_policy().breaker_failures {
            let claim = match claim.take() {
                Some(claim) => claim,
                None => next(&subject).await,
            };
            let failed = t::retried(StepKind::Upload, millis(0)).with_signal(t::unhealthy());
            subject.commit(&claim, failed).await;
        }
        step(&subject, -size).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.advance(health_policy().breaker_initial).await;
        subject.claim_one(StepKind::Upload).await;
    }
}

/// The next step of an account that recovers, which may take a moment.
async fn next(subject: &Subject) -> Claim {
    for _ in 0..1000 {
        if let Some(claim) = subject.claim(StepKind::Upload, 1).await.pop() {
            return claim;
        }
        subject.advance(millis(10)).await;
    }
    panic!("no step becomes due");
}

pub(super) async fn a_step_of_the_clock_uses_up_no_limit(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept_all([new("a"), new("b"), new("c")]).await;
        let one_a_second = AccountLimits { uploads_per_second: Some(1.0), ..Default::default() };
        let claim = async || {
            let account_limits = Arc::new([(ACCOUNT.to_owned(), one_a_second)].into());
            let kind = StepKind::Upload;
            let request = ClaimRequest { kind, limit: 10, lease: LEASE, account_limits };
            subject.store.claim(request).await.unwrap().claims.len()
        };
        assert_eq!(claim().await, 1);
        step(&subject, size).await;
        assert_eq!(claim().await, 0, "of {size}");
        subject.advance(millis(1000)).await;
        assert_eq!(claim().await, 1, "of {size}");
    }
}

pub(super) async fn a_step_of_the_clock_moves_no_deadline_and_ends_no_retention(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept(new("ended")).await;
        subject.bring_to(State::Failed).await;
        let deadline = Deadline::After(Duration::from_hours(2));
        let waiting = subject.accept(NewSubmission { deadline, ..new("waits") }).await;
        step(&subject, size).await;
        let expected = later(subject.wall_clock(), Duration::from_hours(2));
        assert_eq!(subject.get(waiting).await.deadline, expected, "of {size}");
        assert_eq!(subject.store.sweep(DAY).await.unwrap(), 0, "of {size}");
        subject.advance(DAY + millis(1)).await;
        assert_eq!(subject.store.sweep(DAY).await.unwrap(), 1, "of {size}");
    }
}

pub(super) async fn a_step_of_the_clock_moves_no_webhook(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        let webhook_url = Some("https://receiver.example.com/".to_owned());
        subject.accept(NewSubmission { webhook_url, ..new("a") }).await;
        subject.bring_to(State::Failed).await;
        step(&subject, size).await;
        subject.claim_one(StepKind::Deliver).await;
    }
}

pub(super) async fn a_process_that_only_looks_shows_a_lease_by_a_clock_that_went_back(
    subject: Subject,
) {
    for size in STEPS.into_iter().filter(|size| *size < 0) {
        let subject = subject.fresh().await;
        let id = subject.accept(new("a")).await;
        assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
        subject.claim_one(StepKind::Upload).await;
        subject.step_clock(size).await;
        let other = subject.another().await;
        let shown = other.get(id).await.unwrap().unwrap().submission;
        let most = later(subject.wall_clock(), LEASE);
        assert!(shown.leased_until.is_some_and(|until| until <= most), "{shown:?} of {size}");
    }
}

pub(super) async fn another_process_agrees_about_a_step_of_the_clock(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::uploaded(millis(10_000))).await;
        let other = subject.another().await;
        assert_eq!(other.rescue().await.unwrap(), Rescued::default());
        step(&subject, size).await;
        let new = subject.another().await;
        for store in [&other, &new] {
            assert_eq!(store.rescue().await.unwrap(), Rescued::default());
        }
        subject.advance(millis(9999)).await;
        for store in [&subject.store, &other, &new] {
            let lease = LEASE;
            let account_limits = Arc::default();
            let request = ClaimRequest { kind: StepKind::Poll, limit: 1, lease, account_limits };
            let claims = store.claim(request).await.unwrap();
            assert_eq!((claims.claims.len(), claims.next), (0, Some(millis(1))), "of {size}");
        }
        subject.advance(millis(1)).await;
        subject.claim_one(StepKind::Poll).await;
    }
}

pub(super) async fn a_step_back_that_no_process_saw_delays_nothing(subject: Subject) {
    for size in STEPS.into_iter().filter(|size| *size < 0) {
        let subject = subject.fresh().await;
        subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::uploaded(millis(10_000))).await;
        assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
        subject.step_clock(size).await;
        let new = subject.another().await;
        assert_eq!(new.rescue().await.unwrap(), Rescued::default());
        subject.advance(millis(10_000)).await;
        let account_limits = Arc::default();
        let request = ClaimRequest { kind: StepKind::Poll, limit: 1, lease: LEASE, account_limits };
        assert_eq!(new.claim(request).await.unwrap().claims.len(), 1, "of {size}");
    }
}

pub(super) async fn a_step_that_no_process_saw_moves_nothing_while_the_machine_runs(
    subject: Subject,
) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::uploaded(millis(10_000))).await;
        assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
        subject.advance(millis(4000)).await;
        subject.step_clock(size).await;
        let new = subject.another().await;
        let claims = claim_poll(new.as_ref()).await;
        assert_eq!((claims.claims.len(), claims.next), (0, Some(millis(6000))), "of {size}");
        subject.advance(millis(6000)).await;
        assert_eq!(claim_poll(new.as_ref()).await.claims.len(), 1, "of {size}");
    }
}

async fn claim_poll(store: &dyn Store) -> Claims {
    let account_limits = Arc::default();
    let request = ClaimRequest { kind: StepKind::Poll, limit: 1, lease: LEASE, account_limits };
    store.claim(request).await.unwrap()
}

#[tokio::test]
async fn a_worker_on_a_new_machine_leaves_it_to_others_to_see_a_step_of_the_server() {
    for (others, later) in [(true, millis(4000)), (false, millis(0))] {
        let subject = redis_place::subject().await;
        subject.accept(new("a")).await;
        subject.step(StepKind::Upload, t::uploaded(millis(10_000))).await;
        assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
        subject.change_machine();
        subject.step_clock(60 * MINUTE).await;
        let new = subject.another().await;
        assert_eq!(new.rescue().await.unwrap(), Rescued::default());
        let claims = claim_poll(new.as_ref()).await;
        assert_eq!((claims.claims.len(), claims.next), (0, Some(millis(6000))));
        subject.advance(millis(6000)).await;
        if others {
            assert_eq!(subject.store.rescue().await.unwrap(), Rescued::default());
            let claims = claim_poll(new.as_ref()).await;
            assert_eq!((claims.claims.len(), claims.next), (0, Some(later)));
            subject.advance(later).await;
        }
        // Without others, the time has passed.
        assert_eq!(claim_poll(new.as_ref()).await.claims.len(), 1, "others {others}");
    }
}

pub(super) async fn a_start_that_a_producer_named_is_by_the_wall_clock(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        let start = later(subject.wall_clock(), Duration::from_hours(48));
        let not_before = Some(start);
        let id = subject.accept(NewSubmission { not_before, ..new("a") }).await;
        step(&subject, size).await;
        assert_eq!(subject.get(id).await.due_at, not_before, "of {size}");
        let left = (start - subject.wall_clock()).to_std().unwrap();
        subject.advance(left.saturating_sub(millis(1))).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.advance(millis(1)).await;
        assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, id);
    }
}

pub(super) async fn a_step_of_the_clock_moves_no_wait_for_a_late_upload(subject: Subject) {
    for size in STEPS {
        let subject = subject.fresh().await;
        subject.accept(new("a")).await;
        let claim = subject.claim_one(StepKind::Upload).await;
        let next = subject.accept(new("a")).await;
        let failed = Transition { upload_ambiguous: true, ..t::failed() };
        subject.commit(&claim, failed).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        step(&subject, size).await;
        subject.assert_nothing_due(StepKind::Upload).await;
        subject.advance(LATE_UPLOAD).await;
        assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, next, "of {size}");
    }
}

pub(super) async fn times_are_shown_by_the_wall_clock(subject: Subject) {
    subject.accept(new("before")).await;
    step(&subject, 60 * MINUTE).await;
    let now = subject.wall_clock();
    let id = subject.accept(new("after")).await;
    let submission = subject.get(id).await;
    assert_eq!((submission.created_at, submission.due_at), (now, Some(now)));
    assert_eq!(subject.store.timeline(id).await.unwrap()[0].at, now);
    let events = subject.store.events(0, 10).await.unwrap().events;
    assert_eq!(events.last().unwrap().at, now);
    let since = ferry_store::Filter { created_after: Some(now), ..Default::default() };
    assert_eq!(subject.listed(&since).await.len(), 2, "both, as the clock shows them now");
    let deadline = later(now, millis(5000));
    let named = NewSubmission { deadline: Deadline::At(deadline), ..new("named") };
    let id = subject.accept(named).await;
    assert_eq!(subject.get(id).await.deadline, deadline);
}
