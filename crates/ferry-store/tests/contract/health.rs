//! A store does to an account what `domain::account` says, wherever it works that out.

use ferry_types::domain::account::{Admission, BlockReason, Health, Signal};
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
            Signal::Throttled { delay, is_capped: rng.bool(), response }
        }
        _ => Signal::CredentialsDenied(format!("\"refused\" {}", rng.u8(..))),
    }
}

pub(super) async fn signals_do_to_an_account_what_its_health_says(subject: Subject) {
    for seed in 0..CASES {
        let mut rng = fastrand::Rng::with_seed(seed);
        let subject = subject.fresh().await;
        subject.accept_all((0..SIGNALS + 5).map(|n| new(&format!("{n}")))).await;
        let claims = subject.claim(StepKind::Upload, SIGNALS).await;
        let mut health = Health::default();
        for (recorded, claim) in claims.iter().enumerate() {
            let signal = signal(&mut rng);
            let transition: Transition = t::failed().with_signal(signal.clone());
            subject.commit(claim, transition).await;
            let now = subject.get(claim.lease.id).await.updated_at;
            health.record(&signal, StepKind::Upload, now, &health_policy());
            assert_eq!(subject.account("main").await.health, health, "seed {seed}: {signal:?}");
            assert_admitted(&subject, &health, (SIGNALS - recorded - 1) as u32).await;
            if rng.u32(0..12) == 0 {
                assert_eq!(subject.store.resume("main").await.unwrap(), health.resume());
                assert_eq!(subject.account("main").await.health, health, "seed {seed}: resumed");
            }
            let spans = [0, 0, 1, 100, 250, 999, 1000, 2500, 3000, 16_000, 61_000];
            subject.advance(millis(*rng.choice(&spans).unwrap())).await;
            assert_admitted(&subject, &health, (SIGNALS - recorded - 1) as u32).await;
        }
    }
}

/// Steps wait, and `leased` are held already.
async fn assert_admitted(subject: &Subject, health: &Health, leased: u32) {
    let requested = subject.ask(StepKind::Upload, 1).await;
    let admission = health.admit(requested.now, &health_policy());
    let expected = match &admission {
        Admission::Open => 1,
        Admission::UpTo(most) => usize::from(*most > leased),
        Admission::Blocked(_) => 0,
    };
    assert_eq!(requested.claims.len(), expected, "{admission:?} with {leased} leased: {health:?}");
    let next = match &admission {
        _ if expected > 0 => Some(millis(0)),
        Admission::Blocked(BlockReason::Paused { .. }) => None,
        Admission::Blocked(
            BlockReason::Throttled { until: at } | BlockReason::BreakerOpen { until: at },
        ) => Some(until(requested.now, *at)),
        _ => Some(health_policy().ramp_step),
    };
    assert_eq!(requested.next, next, "{admission:?}");
    subject.store.release(requested.claims).await.unwrap();
}
