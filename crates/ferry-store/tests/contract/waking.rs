//! Idle workers sleep until something is due, and no longer.

use std::sync::Arc;
use std::time::Duration;

use ferry_store::{ClaimRequest, NewSubmission, Store};
use ferry_types::domain::later;
use ferry_types::domain::submission::{State, StepKind};

use super::subject::{DAY, LEASE, Subject, millis, new};
use super::transitions as t;

/// Longer than any test takes: who is not woken does not wake up in time.
const LONG: Duration = Duration::from_mins(10);

/// Time after which a wake-up counts as missed.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

async fn timer(duration: Duration) {
    let _ = tokio::time::timeout(duration, std::future::pending::<()>()).await;
}

/// A worker that finds nothing to do and goes to sleep, as the pipeline's claimers do.
pub(super) async fn asleep(store: &Arc<dyn Store>, kind: StepKind) -> tokio::task::JoinHandle<()> {
    store.wakeups().watch(kind);
    let claims = store
        .claim(ClaimRequest { kind, limit: 1, lease: LEASE, account_limits: Arc::default() })
        .await
        .unwrap();
    assert!(claims.claims.is_empty(), "{:?}", claims.claims);
    let duration = claims.next.unwrap_or(LONG).min(LONG);
    let until = later(claims.now, duration);
    let store = store.clone();
    tokio::spawn(async move { store.wakeups().sleep(kind, timer(duration), until).await })
}

pub(super) async fn wakes(sleeper: tokio::task::JoinHandle<()>) {
    tokio::time::timeout(CLIENT_TIMEOUT, sleeper).await.expect("it is woken in time").unwrap();
}

pub(super) async fn an_accepted_submission_wakes_an_uploader(subject: Subject) {
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.accept(new("a")).await;
    wakes(sleeper).await;
}

pub(super) async fn what_is_scheduled_between_a_look_and_a_sleep_is_not_missed(subject: Subject) {
    let wakeups = subject.store.wakeups();
    wakeups.watch(StepKind::Upload);
    let claims = subject.ask(StepKind::Upload, 1).await;
    assert_eq!(claims.next, None);
    subject.accept(new("a")).await;
    let sleep = wakeups.sleep(StepKind::Upload, timer(LONG), later(claims.now, LONG));
    tokio::time::timeout(CLIENT_TIMEOUT, sleep).await.expect("it does not sleep at all");
}

pub(super) async fn an_earlier_step_wakes_a_worker_that_waits_for_a_later_one(subject: Subject) {
    let first = subject.accept(new("first")).await;
    subject.claim_one(StepKind::Upload).await;
    let now = subject.get(first).await.created_at;
    let start = |after| Some(later(now, after));
    subject.accept(NewSubmission { not_before: start(LONG), ..new("later") }).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    let sooner = NewSubmission { not_before: start(LONG / 2), ..new("sooner") };
    subject.accept(sooner).await;
    wakes(sleeper).await;
}

pub(super) async fn a_commit_wakes_the_worker_of_the_next_step(subject: Subject) {
    subject.accept(new("a")).await;
    for (kind, outcome, next) in [
        (StepKind::Upload, t::uploaded(millis(0)), StepKind::Poll),
        (StepKind::Poll, t::decided(), StepKind::Collect),
    ] {
        let sleeper = asleep(&subject.store, next).await;
        subject.step(kind, outcome).await;
        wakes(sleeper).await;
    }
}

pub(super) async fn a_final_state_wakes_the_worker_of_the_next_of_its_name(subject: Subject) {
    let first = subject.accept(new("n")).await;
    subject.accept(new("n")).await;
    subject.bring_to(State::Held).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.store.cancel(first).await.unwrap();
    wakes(sleeper).await;
}

pub(super) async fn what_people_set_going_wakes_workers(subject: Subject) {
    let id = subject.accept(new("a")).await;
    subject.bring_to(State::Failed).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.store.retry(id, DAY).await.unwrap();
    wakes(sleeper).await;

    subject.bring_to(State::Held).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject
        .store
        .resolve(id, ferry_types::domain::submission::Resolution::Retry, DAY)
        .await
        .unwrap();
    wakes(sleeper).await;

    subject.store.pause("main", "a while").await.unwrap();
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.store.resume("main").await.unwrap();
    wakes(sleeper).await;
}

pub(super) async fn what_comes_back_from_a_worker_wakes_another(subject: Subject) {
    subject.accept(new("a")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.store.release(vec![claim]).await.unwrap();
    wakes(sleeper).await;

    subject.claim_one(StepKind::Upload).await;
    let sleeper = asleep(&subject.store, StepKind::Upload).await;
    subject.lose_workers().await;
    wakes(sleeper).await;
}

pub(super) async fn another_process_wakes_workers_too(subject: Subject) {
    let other = subject.another().await;
    for round in 0..3 {
        let sleeper = asleep(&subject.store, StepKind::Upload).await;
        other.accept(vec![new(&format!("{round}"))]).await.unwrap();
        wakes(sleeper).await;
        subject.claim_one(StepKind::Upload).await;
    }
}
