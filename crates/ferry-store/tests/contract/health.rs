//! A store does to an account what `domain::account` says, wherever it works that out.

use ferry_types::domain::account::{Admission, BlockReason, Health, Signal};
use ferry_types::domain::limits::{AccountLimits, LimitUsage};
use ferry_types::domain::submission::{StepKind, Transition};
use ferry_types::domain::until;

use super::subject::{Subject, health_policy, millis, new};
use super::transitions::{self as t, WithSignal};

const CASES: u64 = 12;
const SIGNALS: usize = 40;

fn signal(rng: &mut fastrand::Rng) -> Signal {
    match rng.u32(0..20) {
        0..=1 => Signal::None,
        2..=6 => Signal::Healthy,
        7..=15 => Signal::Unhealthy(format!("\"error\" {}", rng.u8(..))),
        16..=18 => {
            let delay = millis(*rng.choice(&[0, 1, 900, 3000, 70_000]).unwrap());
            let response = format!("\"throttled\"\n{}", rng.u8(..));
            Signal::Throttled { delay, is_capped: rng.bool(), is_rate: rng.bool(), response }
        }
        _ => Signal::CredentialsDenied(format!("\"denied\" {}", rng.u8(..))),
    }
}

pub(super) async fn signals_do_to_an_account_what_its_health_says(subject: Subject) {
    let mut limited = 0;
    for seed in 0..CASES {
        let mut rng = fastrand::Rng::with_seed(seed);
        let subject = subject.fresh().await;
        subject.accept_all((0..SIGNALS + 5).map(|n| new(&format!("{n}")))).await;
        let claims = subject.claim(StepKind::Upload, SIGNALS).await;
        let mut account = Account::default();
        for (recorded, claim) in claims.iter().enumerate() {
            let signal = signal(&mut rng);
            let transition: Transition = t::failed().with_signal(signal.clone());
            subject.commit(claim, transition).await;
            let now = subject.get(claim.lease.id).await.updated_at;
            account.health.record(&signal, StepKind::Upload, now, &health_policy());
            assert_eq!(
                subject.account("main").await.health,
                account.health,
                "seed {seed}: {signal:?}"
            );
            account.assert_admitted(&subject, (SIGNALS - recorded - 1) as u32).await;
            if rng.u32(0..12) == 0 {
                assert_eq!(subject.store.resume("main").await.unwrap(), account.health.resume());
                assert_eq!(
                    subject.account("main").await.health,
                    account.health,
                    "seed {seed}: resumed"
                );
            }
            let spans = [0, 0, 1, 100, 250, 999, 1000, 2500, 3000, 16_000, 61_000];
            subject.advance(millis(*rng.choice(&spans).unwrap())).await;
            account.assert_admitted(&subject, (SIGNALS - recorded - 1) as u32).await;
        }
        limited += account.limited;
    }
    assert!(limited > 0, "no claim waited for the rate that 429s show");
}

/// 429s that follow soon and late, with many requests between them and with few: limits are learned,
/// lowered, given up and forgotten.
pub(super) async fn throttling_teaches_a_store_what_it_teaches_an_account(subject: Subject) {
    let [mut lowered, mut less, mut given_up, mut forgotten] = [0; 4];
    for seed in 0..CASES * 2 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let subject = subject.fresh().await;
        subject.accept_all((0..SIGNALS + 5).map(|n| new(&format!("{n}")))).await;
        let claims = subject.claim(StepKind::Upload, SIGNALS).await;
        let mut account = Account::default();
        // In a half of the cases few requests are let through between 429s from the middle on.
        let (is_few, delay) = (seed % 2 == 0, millis(*rng.choice(&[200, 1000]).unwrap()));
        for (recorded, claim) in claims.iter().enumerate() {
            let response = "429".to_owned();
            let throttled = Signal::Throttled { delay, is_capped: false, is_rate: true, response };
            let signal = if rng.u32(0..12) == 0 { Signal::Healthy } else { throttled };
            let before = account.health.learned_rate.unwrap_or_default();
            subject.commit(claim, t::failed().with_signal(signal.clone())).await;
            let now = subject.get(claim.lease.id).await.updated_at;
            account.health.record(&signal, StepKind::Upload, now, &health_policy());
            let learned = account.health.learned_rate.unwrap_or_default();
            assert_eq!(subject.account("main").await.health, account.health, "seed {seed}");
            lowered += usize::from(learned.throttled_at > 0 && learned.row > before.row);
            less += usize::from(learned.less > 0);
            let is_given_up =
                before.throttled_at > 0 && learned.throttled_at == 0 && learned.row == 0;
            given_up += usize::from(is_given_up);
            forgotten += usize::from(
                before.throttled_at > 0 && learned.row == 1 && learned.throttled_at == 0,
            );
            if rng.u32(0..6) != 0 {
                subject.advance(delay).await;
            }
            let leased = (SIGNALS - recorded - 1) as u32;
            let requests = rng.usize(1..if is_few && recorded > SIGNALS / 3 { 5 } else { 20 });
            let longest = *rng.choice(&[20, 80]).unwrap();
            for _ in 0..requests {
                account.assert_admitted(&subject, leased).await;
                subject.advance(millis(rng.u64(5..longest))).await;
            }
            let spans = [0, 0, 0, 0, 700, 1800, 1900, 4900, 5100, 20_000, 290_000];
            subject.advance(millis(*rng.choice(&spans).unwrap())).await;
        }
    }
    let reached = [lowered, less, given_up, forgotten];
    assert!(reached.iter().all(|times| *times > 0), "reached: {reached:?}");
}

/// The knowledge that a store must have of an account.
#[derive(Default)]
struct Account {
    health: Health,
    limit_usage: LimitUsage,
    /// Claims that waited for the rate which 429s have shown.
    limited: usize,
}

impl Account {
    /// Steps wait, and `leased` are held already.
    async fn assert_admitted(&mut self, subject: &Subject, leased: u32) {
        let requested = subject.ask(StepKind::Upload, 1).await;
        let now = requested.now;
        let admission = self.health.admit(now, &health_policy());
        let limits = AccountLimits::default().within(self.health.requests_per_second(now));
        let (room, at) = self.limit_usage.available(StepKind::Upload, &limits, now);
        self.limited += usize::from(room == 0 && admission == Admission::Open);
        let expected = match &admission {
            Admission::Open => room.min(1),
            Admission::UpTo(most) => usize::from(*most > leased && room > 0),
            Admission::Blocked(_) => 0,
        };
        let health = &self.health;
        assert_eq!(requested.claims.len(), expected, "{admission:?}, {leased} leased: {health:?}");
        let next = match &admission {
            _ if expected > 0 => Some(millis(0)),
            Admission::Blocked(BlockReason::Paused { .. }) => None,
            Admission::Blocked(
                BlockReason::Throttled { until: at } | BlockReason::BreakerOpen { until: at },
            ) => Some(until(now, *at)),
            Admission::UpTo(most) if *most <= leased => Some(health_policy().ramp_step),
            _ => Some(until(now, at)),
        };
        assert_eq!(requested.next, next, "{admission:?}");
        if expected > 0 {
            self.limit_usage.record(StepKind::Upload, 1, &limits, now);
            self.health.count_requests(1, now);
        }
        subject.store.release(requested.claims).await.unwrap();
        assert_eq!(subject.account("main").await.health, self.health);
    }
}
