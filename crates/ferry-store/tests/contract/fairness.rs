//! No account waits for another one's backlog, and blocked accounts yield nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_store::{Claim, Filter, NewSubmission, POSTPONED, StoreError};
use ferry_types::contract::WaitingFor;
use ferry_types::domain::account::{BlockReason, Health, Signal};
use ferry_types::domain::later;
use ferry_types::domain::submission::{Priority, State, StepKind};

use super::subject::{Subject, accounts, ids, millis, new, on};
use super::transitions::{self as t, WithSignal};

fn many(account: &str, count: usize) -> impl Iterator<Item = NewSubmission> {
    (0..count).map(move |n| on(account, new(&format!("{account} {n}"))))
}

fn shares(claims: &[Claim]) -> BTreeMap<&str, usize> {
    let mut shares = BTreeMap::new();
    for account in accounts(claims) {
        *shares.entry(account).or_default() += 1;
    }
    shares
}

pub(super) async fn a_backlog_of_one_account_does_not_delay_the_step_of_another(subject: Subject) {
    for _ in 0..20 {
        subject.accept_all(many("busy", 5000)).await;
    }
    assert_eq!(subject.claim(StepKind::Upload, 64).await.len(), 64);
    let id = subject.accept(on("calm", new("urgent elsewhere"))).await;
    let claims = subject.claim(StepKind::Upload, 64).await;
    assert_eq!(claims.len(), 64);
    assert!(ids(&claims).contains(&id));
    let id = subject.accept(on("calm", new("another"))).await;
    assert_eq!(ids(&subject.claim(StepKind::Upload, 1).await), [id], "even a claim of one");
}

pub(super) async fn accounts_take_turns_whatever_else_is_claimed_between(subject: Subject) {
    for account in ["a", "b", "c"] {
        subject.accept_all(many(account, 4)).await;
    }
    let mut served = Vec::new();
    for _ in 0..6 {
        let claims = subject.claim(StepKind::Upload, 1).await;
        served.push(claims[0].submission.account.clone());
        subject.assert_nothing_due(StepKind::Poll).await;
        subject.assert_nothing_due(StepKind::Collect).await;
    }
    let (first, second) = served.split_at(3);
    assert_eq!(first, second, "in turn");
    let mut all = first.to_vec();
    all.sort();
    assert_eq!(all, ["a", "b", "c"]);
}

pub(super) async fn accounts_get_equal_shares_while_others_are_idle(subject: Subject) {
    subject.accept_all(["idle 1", "idle 2", "idle 3"].map(|account| on(account, new("x")))).await;
    assert_eq!(subject.claim(StepKind::Upload, 3).await.len(), 3);
    for account in ["a", "b"] {
        subject.accept_all(many(account, 100)).await;
    }
    let claims = subject.claim(StepKind::Upload, 20).await;
    assert_eq!(shares(&claims), [("a", 10), ("b", 10)].into());
}

pub(super) async fn what_an_account_does_not_use_goes_to_the_others(subject: Subject) {
    subject.accept_all(many("a", 100)).await;
    subject.accept_all(many("b", 3)).await;
    subject.accept_all(many("c", 100)).await;
    let claims = subject.claim(StepKind::Upload, 31).await;
    assert_eq!(shares(&claims), [("a", 14), ("b", 3), ("c", 14)].into());
}

pub(super) async fn urgency_counts_within_an_account_only(subject: Subject) {
    let urgent = |new| NewSubmission { priority: Priority::High, ..new };
    subject.accept_all(many("a", 10).map(urgent)).await;
    subject.accept_all(many("b", 10)).await;
    let claims = subject.claim(StepKind::Upload, 10).await;
    assert_eq!(shares(&claims), [("a", 5), ("b", 5)].into());
}

pub(super) async fn a_paused_account_yields_nothing(subject: Subject) {
    let waiting = subject.accept(on("a", new("x"))).await;
    subject.accept(on("b", new("x"))).await;
    subject.store.pause("a", "maintenance until noon").await.unwrap();
    assert_eq!(accounts(&subject.claim(StepKind::Upload, 10).await), ["b"]);
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty());
    assert_eq!(claims.next, None, "only a resumption helps");
    let found = subject.store.get(waiting).await.unwrap().unwrap();
    let reason = "maintenance until noon".to_owned();
    assert_eq!(found.waiting_for, Some(WaitingFor::Account(BlockReason::Paused { reason })));
    assert!(subject.store.resume("a").await.unwrap());
    assert_eq!(subject.claim_one(StepKind::Upload).await.lease.id, waiting);
}

pub(super) async fn an_account_can_be_paused_before_its_first_submission(subject: Subject) {
    subject.store.pause("new", "not yet").await.unwrap();
    let paused = subject.account("new").await.health.pause_reason;
    assert_eq!(paused.as_deref(), Some("not yet"));
    subject.accept(on("new", new("x"))).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.store.pause("new", "still not").await.unwrap();
    let paused = subject.account("new").await.health.pause_reason;
    assert_eq!(paused.as_deref(), Some("still not"), "what was said last");
    assert!(subject.store.resume("new").await.unwrap());
    assert!(!subject.store.resume("new").await.unwrap(), "there was nothing to end");
    let unknown = subject.store.resume("unknown").await;
    assert!(matches!(unknown, Err(StoreError::UnknownAccount(name)) if name == "unknown"));
}

pub(super) async fn a_step_that_runs_when_its_account_is_paused_still_counts(subject: Subject) {
    let id = subject.accept(new("x")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.store.pause("main", "now").await.unwrap();
    subject.commit(&claim, t::uploaded(millis(0))).await;
    assert_eq!(subject.state(id).await, State::Processing);
    subject.assert_nothing_due(StepKind::Poll).await;
}

pub(super) async fn a_throttled_account_runs_no_step_for_the_time_asked(subject: Subject) {
    subject.accept_all(many("a", 20)).await;
    let claims = subject.claim(StepKind::Upload, 2).await;
    subject.commit(&claims[0], t::uploaded(millis(0))).await;
    subject.commit(&claims[1], t::slowed_down(StepKind::Upload, millis(3000))).await;
    subject.accept(on("b", new("unhindered"))).await;
    assert_eq!(accounts(&subject.claim(StepKind::Upload, 10).await), ["b"]);
    for kind in [StepKind::Upload, StepKind::Poll] {
        let claims = subject.ask(kind, 10).await;
        assert!(claims.claims.is_empty());
        let next = claims.next.expect("the throttling ends");
        assert!(next > millis(2000) && next <= millis(3000), "{next:?}");
    }
    let waiting = subject.store.get(claims[1].lease.id).await.unwrap().unwrap();
    assert!(matches!(
        waiting.waiting_for,
        Some(WaitingFor::Account(BlockReason::Throttled { .. }))
    ));
    assert_eq!(waiting.submission.upload_attempts, 0, "a throttled upload is no attempt");
}

pub(super) async fn a_throttled_account_reopens_with_a_ramp(subject: Subject) {
    subject.accept_all(many("a", 40)).await;
    let claim = &subject.claim(StepKind::Upload, 1).await[0];
    subject.commit(claim, t::slowed_down(StepKind::Upload, millis(3000))).await;
    subject.advance(millis(3000)).await;
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert_eq!(claims.claims.len(), 1, "one at first");
    assert!(claims.next.is_some_and(|next| next <= millis(250)), "{:?}", claims.next);
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.advance(millis(250)).await;
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 1, "two, with the first");
    subject.advance(millis(250)).await;
    let more = subject.claim(StepKind::Upload, 10).await;
    assert_eq!(more.len(), 2, "four, with the first two");
    // What ends makes room.
    subject.commit(&more[0], t::uploaded(millis(60_000)).with_signal(Signal::Healthy)).await;
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 1);
    subject.advance(millis(2500)).await;
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 10, "as many as wanted");
}

pub(super) async fn a_ramp_counts_the_steps_of_all_kinds(subject: Subject) {
    subject.accept_all(many("a", 2)).await;
    let claims = subject.claim(StepKind::Upload, 2).await;
    subject.commit(&claims[0], t::uploaded(millis(0))).await;
    subject.commit(&claims[1], t::slowed_down(StepKind::Upload, millis(1000))).await;
    subject.advance(millis(1100)).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(subject.claim(StepKind::Poll, 10).await.len(), 1, "uploads were throttled");
    subject.assert_nothing_due(StepKind::Upload).await;
}

pub(super) async fn a_recovered_account_is_as_good_as_new(subject: Subject) {
    subject.accept_all(many("a", 2)).await;
    let claims = subject.claim(StepKind::Upload, 2).await;
    subject.commit(&claims[0], t::slowed_down(StepKind::Upload, millis(1000))).await;
    subject.advance(millis(10_000)).await;
    subject.commit(&claims[1], t::uploaded(millis(0)).with_signal(Signal::Healthy)).await;
    assert_eq!(subject.account("a").await.health, Health::default());
}

pub(super) async fn failures_in_a_row_open_the_breaker_for_all(subject: Subject) {
    subject.accept_all(many("a", 10)).await;
    let faulty = |claim| async {
        let claim: Claim = claim;
        let later = t::retried(StepKind::Upload, millis(0)).with_signal(t::unhealthy());
        subject.commit(&claim, later).await;
    };
    for claim in subject.claim(StepKind::Upload, 3).await {
        faulty(claim).await;
    }
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty());
    let next = claims.next.expect("it is probed again");
    assert!(next > millis(500) && next <= millis(1000), "{next:?}");
    let page = subject.store.list(&Filter::default(), None, 1).await.unwrap();
    let why = &page.found[0].waiting_for;
    assert!(matches!(why, Some(WaitingFor::Account(BlockReason::BreakerOpen { .. }))), "{why:?}");

    subject.advance(millis(1000)).await;
    let probe = subject.claim_one(StepKind::Upload).await;
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty(), "one probe at a time");
    assert!(claims.next.is_some_and(|next| next <= millis(250)), "{:?}", claims.next);
    faulty(probe).await;
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty());
    assert!(claims.next.is_some_and(|next| next > millis(1500)), "twice as long");

    subject.advance(millis(2000)).await;
    let probe = subject.claim_one(StepKind::Upload).await;
    subject.commit(&probe, t::uploaded(millis(60_000)).with_signal(Signal::Healthy)).await;
    assert_eq!(subject.claim(StepKind::Upload, 100).await.len(), 9, "all is well");
}

pub(super) async fn a_probe_that_is_given_back_or_lost_makes_room_for_another(subject: Subject) {
    subject.accept_all(many("a", 3)).await;
    for claim in subject.claim(StepKind::Upload, 3).await {
        let later = t::retried(StepKind::Upload, millis(0)).with_signal(t::unhealthy());
        subject.commit(&claim, later).await;
    }
    subject.advance(millis(1000)).await;
    let probe = subject.claim_one(StepKind::Upload).await;
    subject.store.release(vec![probe]).await.unwrap();
    subject.claim_one(StepKind::Upload).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(subject.lose_workers().await.due, 1);
    subject.claim_one(StepKind::Upload).await;
}

pub(super) async fn denied_credentials_pause_the_account(subject: Subject) {
    let id = subject.accept(new("x")).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    let signal = Signal::CredentialsDenied("401 twice".to_owned());
    subject
        .commit(&claim, t::continues_with(StepKind::Upload, millis(0)).with_signal(signal))
        .await;
    subject.assert_nothing_due(StepKind::Upload).await;
    let reason = "401 twice".to_owned();
    let found = subject.store.get(id).await.unwrap().unwrap();
    assert_eq!(found.waiting_for, Some(WaitingFor::Account(BlockReason::Paused { reason })));
    assert!(subject.store.resume("main").await.unwrap());
    subject.claim_one(StepKind::Upload).await;
}

pub(super) async fn a_resumption_ends_a_throttling_and_an_open_breaker(subject: Subject) {
    subject.accept_all(many("a", 4)).await;
    let claims = subject.claim(StepKind::Upload, 4).await;
    subject.commit(&claims[0], t::slowed_down(StepKind::Upload, millis(0))).await;
    let delay = Signal::Throttled {
        delay: millis(60_000),
        is_capped: false,
        is_rate: false,
        response: String::new(),
    };
    subject.commit(&claims[1], t::retried(StepKind::Upload, millis(0)).with_signal(delay)).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert!(subject.store.resume("a").await.unwrap());
    assert_eq!(subject.account("a").await.health, Health::default());
    assert_eq!(subject.claim(StepKind::Upload, 10).await.len(), 2);
}

pub(super) async fn a_resumption_brings_forward_what_the_platform_postponed(subject: Subject) {
    let hour = Duration::from_hours(1);
    let postponed: Vec<_> = subject.accept_all(many("a", 500)).await;
    let soon = subject.accept(on("a", new("soon"))).await;
    let elsewhere = subject.accept(on("b", new("elsewhere"))).await;
    for claim in subject.claim(StepKind::Upload, 502).await {
        let after = if claim.lease.id == soon { POSTPONED } else { hour };
        subject.commit(&claim, t::uploaded(after)).await;
    }
    let start = subject.wall_clock() + hour;
    let later = NewSubmission { not_before: Some(start), ..on("a", new("later")) };
    let later = subject.accept(later).await;
    subject.assert_nothing_due(StepKind::Poll).await;

    assert!(subject.store.resume("a").await.unwrap());
    let mut due = ids(&subject.claim(StepKind::Poll, 1000).await);
    due.sort_unstable();
    assert_eq!(due, postponed, "and not `{soon}`, `{elsewhere}` or `{later}`");
    subject.assert_nothing_due(StepKind::Upload).await;
    assert!(!subject.store.resume("a").await.unwrap(), "nothing is postponed any more");
}

pub(super) async fn a_resumption_brings_forward_the_fetch_of_results(subject: Subject) {
    let id = subject.accept(new("x")).await;
    subject.bring_to(State::Collecting).await;
    let claim = subject.claim_one(StepKind::Collect).await;
    let hour = Duration::from_hours(1);
    subject.commit(&claim, t::continues_with(StepKind::Collect, hour)).await;
    subject.assert_nothing_due(StepKind::Collect).await;
    assert!(subject.store.resume("main").await.unwrap());
    assert_eq!(subject.claim_one(StepKind::Collect).await.lease.id, id);
}

pub(super) async fn the_next_step_is_the_earliest_of_all_accounts(subject: Subject) {
    let known = subject.accept(on("z", new("known"))).await;
    let now = subject.get(known).await.created_at;
    subject.claim_one(StepKind::Upload).await;
    for (account, priority, after) in [
        ("a", Priority::High, 90_000),
        ("a", Priority::Low, 50_000),
        ("b", Priority::Normal, 40_000),
        ("paused", Priority::High, 10_000),
    ] {
        let not_before = Some(later(now, millis(after)));
        let name = format!("{after}");
        subject.accept(on(account, NewSubmission { priority, not_before, ..new(&name) })).await;
    }
    subject.store.pause("paused", "for good").await.unwrap();
    let claims = subject.ask(StepKind::Upload, 10).await;
    assert!(claims.claims.is_empty());
    assert_eq!(
        claims.next,
        Some(ferry_types::domain::until(claims.now, later(now, millis(40_000))))
    );
}

/// Polls that fail first thing whenever their account reopens; returns the next reopening.
async fn poll_first(subject: &Subject, signal: &Signal) -> usize {
    let polls = subject.claim(StepKind::Poll, 1).await;
    for poll in &polls {
        let later = t::retried(StepKind::Poll, millis(1)).with_signal(signal.clone());
        subject.commit(poll, later).await;
    }
    polls.len()
}

/// One submission is polled in vain, and others wait for their upload.
async fn a_failing_poll_among_uploads(subject: &Subject) {
    subject.accept(on("a", new("fails"))).await;
    let claim = subject.claim_one(StepKind::Upload).await;
    subject.commit(&claim, t::uploaded(millis(0))).await;
    subject.accept_all(many("a", 2)).await;
}

pub(super) async fn a_step_that_always_fails_is_not_every_probe(subject: Subject) {
    a_failing_poll_among_uploads(&subject).await;
    for _ in 0..3 {
        subject.advance(millis(1)).await;
        assert_eq!(poll_first(&subject, &t::unhealthy()).await, 1);
    }
    subject.assert_nothing_due(StepKind::Upload).await;
    subject.advance(millis(1000)).await;
    assert_eq!(poll_first(&subject, &t::unhealthy()).await, 0, "it is not its turn");
    let upload = subject.claim_one(StepKind::Upload).await;
    let later = t::retried(StepKind::Upload, millis(1)).with_signal(t::unhealthy());
    subject.commit(&upload, later).await;
    subject.advance(millis(2000)).await;
    subject.assert_nothing_due(StepKind::Upload).await;
    assert_eq!(poll_first(&subject, &t::unhealthy()).await, 1, "all have their turn");
    subject.advance(millis(4000 + 1000)).await;
    assert_eq!(poll_first(&subject, &Signal::None).await, 1, "no worker has room for uploads");
}

pub(super) async fn an_urgent_step_that_always_fails_is_not_every_probe(subject: Subject) {
    let urgent = NewSubmission { priority: Priority::High, ..on("a", new("fails")) };
    let failing = subject.accept(urgent).await;
    let healthy = subject.accept(on("a", new("healthy"))).await;
    for _ in 0..3 {
        let claims = subject.claim(StepKind::Upload, 1).await;
        assert_eq!(ids(&claims), [failing]);
        let later = t::retried(StepKind::Upload, millis(1)).with_signal(t::unhealthy());
        subject.commit(&claims[0], later).await;
        subject.advance(millis(1)).await;
    }
    subject.advance(millis(1000)).await;
    assert_eq!(ids(&subject.claim(StepKind::Upload, 10).await), [healthy]);
}

pub(super) async fn an_endpoint_that_always_throttles_does_not_starve_another(subject: Subject) {
    a_failing_poll_among_uploads(&subject).await;
    let throttled = Signal::Throttled {
        delay: millis(1000),
        is_capped: false,
        is_rate: false,
        response: String::new(),
    };
    assert_eq!(poll_first(&subject, &throttled).await, 1);
    subject.advance(millis(1000)).await;
    assert_eq!(poll_first(&subject, &throttled).await, 0, "it is not its turn");
    subject.claim_one(StepKind::Upload).await;
    subject.advance(millis(250)).await;
    assert_eq!(poll_first(&subject, &throttled).await, 1, "the ramp goes on");
}
