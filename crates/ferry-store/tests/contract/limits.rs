//! The limits of an account hold for all handles on a store together.

use std::sync::Arc;
use std::time::Duration;

use ferry_store::{Claim, ClaimRequest, Claims, NewSubmission, Store};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::StepKind;

use super::subject::{ACCOUNT, LEASE, Subject, millis, new, on};
use super::transitions::{decided, uploaded};

async fn ask(store: &Arc<dyn Store>, kind: StepKind, account_limits: AccountLimits) -> Claims {
    let account_limits = Arc::new([(ACCOUNT.to_owned(), account_limits)].into());
    store.claim(ClaimRequest { kind, limit: 10, lease: LEASE, account_limits }).await.unwrap()
}

async fn claim(
    store: &Arc<dyn Store>,
    kind: StepKind,
    account_limits: AccountLimits,
) -> Vec<Claim> {
    ask(store, kind, account_limits).await.claims
}

fn two_a_second() -> AccountLimits {
    AccountLimits { uploads_per_second: Some(2.0), ..AccountLimits::default() }
}

pub(super) async fn a_rate_of_uploads_holds_for_all_handles_together(subject: Subject) {
    subject.accept_all((0..5).map(|n| new(&format!("n{n}")))).await;
    let another = subject.another().await;
    assert_eq!(claim(&subject.store, StepKind::Upload, two_a_second()).await.len(), 1);
    let empty = ask(&another, StepKind::Upload, two_a_second()).await;
    assert!(empty.claims.is_empty());
    let next = empty.next.expect("something is due");
    assert!(next <= millis(501), "{next:?}");
    subject.advance(millis(510)).await;
    assert_eq!(claim(&another, StepKind::Upload, two_a_second()).await.len(), 1);
    assert!(claim(&subject.store, StepKind::Upload, two_a_second()).await.is_empty());
}

pub(super) async fn an_account_without_limits_is_not_blocked_by_those_of_another(subject: Subject) {
    subject.accept_all((0..3).map(|n| new(&format!("n{n}")))).await;
    subject.accept_all((0..3).map(|n| on("free", new(&format!("n{n}"))))).await;
    let claims = claim(&subject.store, StepKind::Upload, two_a_second()).await;
    let of = |account: &str| claims.iter().filter(|c| c.submission.account == account).count();
    assert_eq!((of(ACCOUNT), of("free")), (1, 3));
}

pub(super) async fn a_rate_of_requests_counts_steps_of_every_kind(subject: Subject) {
    let account_limits =
        AccountLimits { requests_per_second: Some(2.0), ..AccountLimits::default() };
    subject.accept_all([new("one"), new("two")]).await;
    let first = claim(&subject.store, StepKind::Upload, account_limits).await;
    assert_eq!(first.len(), 1);
    subject.commit(&first[0], uploaded(Duration::ZERO)).await;
    subject.advance(millis(100)).await;
    assert!(claim(&subject.store, StepKind::Poll, account_limits).await.is_empty());
    subject.advance(millis(410)).await;
    assert_eq!(claim(&subject.store, StepKind::Poll, account_limits).await.len(), 1);
    assert!(claim(&subject.store, StepKind::Upload, account_limits).await.is_empty());
}

pub(super) async fn a_rate_of_requests_counts_the_requests_of_a_step(subject: Subject) {
    // A burst of four requests, and 20 of each step.
    let account_limits =
        AccountLimits { requests_per_second: Some(100.0), ..AccountLimits::default() };
    let keys: Vec<String> = (0..20).map(|n| format!("key{n}")).collect();
    let wide = |n| NewSubmission { result_keys: keys.clone(), ..new(&format!("n{n}")) };
    subject.accept_all((0..10).map(wide)).await;
    for claimed in subject.claim(StepKind::Upload, 10).await {
        subject.commit(&claimed, uploaded(Duration::ZERO)).await;
    }
    for claimed in subject.claim(StepKind::Poll, 10).await {
        subject.commit(&claimed, decided()).await;
    }
    assert_eq!(claim(&subject.store, StepKind::Collect, account_limits).await.len(), 1);
    let empty = ask(&subject.store, StepKind::Collect, account_limits).await;
    assert!(empty.claims.is_empty() && empty.next.is_some_and(|next| next <= millis(201)));
    subject.advance(millis(210)).await;
    assert_eq!(claim(&subject.store, StepKind::Collect, account_limits).await.len(), 1);
}

pub(super) async fn no_more_uploads_than_allowed_are_in_flight(subject: Subject) {
    let account_limits =
        AccountLimits { max_concurrent_uploads: Some(2), ..AccountLimits::default() };
    subject.accept_all((0..5).map(|n| new(&format!("n{n}")))).await;
    let claims = claim(&subject.store, StepKind::Upload, account_limits).await;
    assert_eq!(claims.len(), 2);
    let full = ask(&subject.store, StepKind::Upload, account_limits).await;
    assert!(full.claims.is_empty() && full.next.is_some_and(|next| next <= millis(1000)));
    subject.commit(&claims[0], uploaded(Duration::ZERO)).await;
    assert_eq!(claim(&subject.store, StepKind::Upload, account_limits).await.len(), 1);
}

pub(super) async fn a_submission_says_that_it_waits_for_the_limit(subject: Subject) {
    let slow = AccountLimits { uploads_per_second: Some(0.1), ..AccountLimits::default() };
    subject.accept(new("first")).await;
    let second = subject.accept(new("second")).await;
    assert_eq!(claim(&subject.store, StepKind::Upload, slow).await.len(), 1);
    let found = subject.store.get(second).await.unwrap().unwrap();
    let limited =
        matches!(found.waiting_for, Some(WaitingFor::Account(BlockReason::LimitReached { .. })));
    assert!(limited, "{:?}", found.waiting_for);
}
