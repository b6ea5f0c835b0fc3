//! The same random claims, signals, limits and operations do the same to each store as to the pure rules,
//! which the store in memory is made of: health, limits, fair shares, and every part of a submission.

use std::collections::BTreeMap;
use std::sync::Arc;

use ferry_store::{Claim, ClaimRequest, Commit, Filter, NewSubmission, Stats};
use ferry_types::domain::account::Signal;
use ferry_types::domain::later;
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{
    Priority, Resolution, StepKind, Submission, Transition, WaitingFor,
};

use super::memory;
use super::subject::{DAY, LEASE, Subject, millis, new, on};
use super::transitions::{self as t, WithSignal};

const CASES: u64 = 12;
const LENGTH: usize = 120;
const ACCOUNTS: [&str; 4] = ["a", "b", "c", "d"];
/// Names of each account: so few that marks of names come to the next submission.
const NAMES: u32 = 12;

/// A store, and the pure rules.
struct Twins {
    both: [Subject; 2],
    rng: fastrand::Rng,
    account_limits: Arc<BTreeMap<String, AccountLimits>>,
    /// The same claims of both.
    claims: Vec<[Claim; 2]>,
    /// Claims of uploads whose name had a mark.
    marked: usize,
    history: Vec<String>,
}

fn signal(rng: &mut fastrand::Rng) -> Signal {
    match rng.u32(0..24) {
        0..=9 => Signal::Healthy,
        10..=18 => Signal::Unhealthy(format!("\"error\" {}", rng.u8(..))),
        19..=21 => {
            let (delay, is_capped) = (millis(rng.u64(0..3000)), rng.u32(0..3) == 0);
            let response = rng.choice(["", "429", "503 for \"all\""]).unwrap().to_owned();
            Signal::Throttled { delay, is_capped, is_rate: rng.bool(), response }
        }
        22 => Signal::CredentialsDenied("denied".to_owned()),
        _ => Signal::None,
    }
}

fn account_limits(rng: &mut fastrand::Rng) -> AccountLimits {
    AccountLimits {
        uploads_per_second: *rng.choice(&[None, None, Some(2.0), Some(40.0)]).unwrap(),
        requests_per_second: *rng.choice(&[None, None, Some(5.0), Some(300.0)]).unwrap(),
        max_concurrent_uploads: *rng.choice(&[None, None, Some(3)]).unwrap(),
    }
}

impl Twins {
    async fn new(subject: &Subject, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let account_limits = ACCOUNTS.map(|account| (account.to_owned(), account_limits(&mut rng)));
        Self {
            both: [subject.fresh().await, memory::subject().await],
            account_limits: Arc::new(BTreeMap::from(account_limits)),
            rng,
            claims: Vec::new(),
            marked: 0,
            history: vec![format!("seed {seed}")],
        }
    }

    fn account(&mut self) -> &'static str {
        self.rng.choice(&ACCOUNTS).unwrap()
    }

    async fn act(&mut self) {
        match self.rng.u32(0..20) {
            0..=3 => self.accept().await,
            4..=9 => self.claim().await,
            10..=14 => self.commit().await,
            15 => {
                let duration = millis(*self.rng.choice(&[1, 40, 250, 900, 3000, 16_000]).unwrap());
                self.history.push(format!("advance {duration:?}"));
                for twin in &self.both {
                    twin.advance(duration).await;
                }
            }
            16 => {
                self.history.push("rescue".to_owned());
                let [one, other] = &self.both;
                assert_eq!(one.store.rescue().await.unwrap(), other.store.rescue().await.unwrap());
            }
            17 => self.health().await,
            18 => self.release().await,
            _ => self.operate().await,
        }
    }

    async fn accept(&mut self) {
        let account = self.account();
        for _ in 0..self.rng.u32(1..6) {
            let start = millis(self.rng.u64(0..1500));
            let now = self.both[1].ask(StepKind::Upload, 0).await.now;
            let name = format!("{}", self.rng.u32(0..NAMES));
            let new = NewSubmission {
                priority: *self.rng.choice(&Priority::ALL).unwrap(),
                not_before: self.rng.bool().then(|| later(now, start)),
                overwrite: self.rng.bool(),
                ..on(account, new(&name))
            };
            self.history.push(format!("accept {} {name} on {account}", new.id));
            for twin in &self.both {
                twin.accept(new.clone()).await;
            }
        }
    }

    async fn claim(&mut self) {
        let kind = *self.rng.choice(&StepKind::PLATFORM_KINDS).unwrap();
        let limit = self.rng.usize(0..9);
        let request = || ClaimRequest {
            kind,
            limit,
            lease: LEASE,
            account_limits: self.account_limits.clone(),
        };
        let mut claims = Vec::new();
        for twin in &self.both {
            let mut claimed = twin.store.claim(request()).await.unwrap().claims;
            claimed.sort_by_key(|claim| claim.lease.id);
            claims.push(claimed);
        }
        let of = |claims: &[Claim]| {
            let of = |claim: &Claim| {
                (claim.lease.id, claim.submission.clone(), claim.name_mark, claim.lag)
            };
            claims.iter().map(of).collect::<Vec<_>>()
        };
        self.history.push(format!("claim {limit} of {kind}: {}", claims[1].len()));
        assert_eq!(of(&claims[0]), of(&claims[1]), "{:#?}", self.history);
        self.marked += claims[1].iter().filter(|claim| claim.name_mark.is_some()).count();
        let [one, other] = claims.try_into().unwrap();
        self.claims.extend(one.into_iter().zip(other).map(|(one, other)| [one, other]));
    }

    fn some_claim(&mut self) -> Option<[Claim; 2]> {
        if self.claims.is_empty() {
            return None;
        }
        let n = self.rng.usize(..self.claims.len());
        // Now and then the same once more.
        Some(if self.rng.u32(0..8) == 0 { self.claims[n].clone() } else { self.claims.remove(n) })
    }

    async fn commit(&mut self) {
        let Some(claims) = self.some_claim() else { return };
        let (kind, after) = (claims[1].kind, millis(self.rng.u64(0..2000)));
        let decided: Transition = match (self.rng.u32(0..6), kind) {
            (0, _) => t::retried(kind, after),
            (1, StepKind::Upload) => Transition { upload_ambiguous: true, ..t::failed() },
            (1, _) => t::failed(),
            (2, _) => t::held(),
            (_, StepKind::Upload) => t::uploaded(after),
            (3, StepKind::Poll) => t::pending(after),
            (_, StepKind::Poll) => t::decided(),
            (_, StepKind::Collect | StepKind::Deliver) => t::completed(),
        };
        let deadline = self.rng.bool().then(|| later(claims[1].now, DAY * 2));
        let decided = Transition { deadline, ..decided };
        let transition = decided.with_signal(signal(&mut self.rng));
        self.history.push(format!("commit {} {:?}", claims[1].lease.id, transition.signal));
        let mut committed = Vec::new();
        for (twin, claim) in self.both.iter().zip(&claims) {
            let commit = Commit { lease: claim.lease, transition: transition.clone() };
            committed.push(twin.store.commit(vec![commit]).await.unwrap());
        }
        assert_eq!(committed[0], committed[1], "{:#?}", self.history);
    }

    async fn release(&mut self) {
        let Some(claims) = self.some_claim() else { return };
        self.history.push(format!("release {}", claims[1].lease.id));
        for (twin, claim) in self.both.iter().zip(claims) {
            twin.store.release(vec![claim]).await.unwrap();
        }
    }

    async fn health(&mut self) {
        let (account, delays) = (self.account(), self.rng.u32(0..4) == 0);
        self.history.push(format!("pause {account}: {delays}"));
        let mut changed = Vec::new();
        for twin in &self.both {
            if delays {
                twin.store.pause(account, "by chance").await.unwrap();
            } else {
                changed.push(twin.store.resume(account).await.map_err(|error| error.to_string()));
            }
        }
        assert_eq!(changed.first(), changed.last());
    }

    async fn operate(&mut self) {
        let known = self.both[1].listed(&Filter::default()).await;
        let Some(id) = self.rng.choice(&known).copied() else { return };
        let what = self.rng.u32(0..10);
        self.history.push(format!("operate {what} {id}"));
        let mut responses = Vec::new();
        for Subject { store, .. } in &self.both {
            let found = match what {
                0 => store.cancel(id).await,
                1..=3 => store.retry(id, DAY).await,
                4 => store.resolve(id, Resolution::Overwrite, DAY).await,
                5 => store.resolve(id, Resolution::Fail, DAY).await,
                6 => store.resolve(id, Resolution::Retry, DAY).await,
                7 | 8 => store.refetch(id, DAY).await,
                _ => store.redeliver(id).await,
            };
            responses.push(found.map(|found| found.submission).map_err(|error| error.to_string()));
        }
        assert_eq!(responses[0], responses[1], "{:#?}", self.history);
    }

    async fn compare(&self) {
        let [one, other] = [seen(&self.both[0]).await, seen(&self.both[1]).await];
        assert_eq!(one.0, other.0, "{:#?}", self.history);
        assert_eq!(one.1.accounts, other.1.accounts, "{:#?}", self.history);
        let busy = |stats: &Stats| -> Vec<_> {
            let steps = stats.steps.iter().map(|step| {
                let counts = [step.ready, step.runnable, step.behind, step.scheduled, step.running];
                let oldest = step.oldest_ready.or(step.oldest_runnable);
                let ages = (step.oldest_ready, step.oldest_runnable);
                let is_seen = counts != [0; 5] || oldest.is_some();
                is_seen.then(|| (step.account.clone(), step.kind, counts, ages))
            });
            steps.flatten().collect()
        };
        assert_eq!(busy(&one.1), busy(&other.1), "{:#?}", self.history);
    }
}

/// All that a store shows.
async fn seen(subject: &Subject) -> (Vec<(Submission, Option<WaitingFor>)>, Stats) {
    let page = subject.store.list(&Filter::default(), None, 1000).await.unwrap();
    let found = page.found.into_iter().map(|found| (found.submission, found.waiting_for));
    (found.collect(), subject.store.stats().await.unwrap())
}

pub(super) async fn random_acts_do_to_a_store_what_the_pure_rules_say(subject: Subject) {
    let mut marked = 0;
    for seed in 0..CASES {
        let mut twins = Twins::new(&subject, seed).await;
        for _ in 0..LENGTH {
            twins.act().await;
            twins.compare().await;
        }
        marked += twins.marked;
    }
    assert!(marked > 0, "no upload had a name with a mark: nothing of them was compared");
}
