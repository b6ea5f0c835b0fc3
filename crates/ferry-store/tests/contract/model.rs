//! A small picture of what a store must do, and random operations that hold the store against it.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_store::{Claim, Committed, Filter, StoreError};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{LATE_UPLOAD, Next, Resolution, State, StepKind, Transition};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::model_ops::{Op, op};
use super::subject::{DAY, LEASE, Subject, millis, new, on};
use super::transitions as t;

/// Sequences that are tried, and the length of each.
const CASES: u32 = 40;
const LENGTH: usize = 60;

const RETENTION: Duration = Duration::from_secs(40);

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Modeled {
    id: SubmissionId,
    account: String,
    name: String,
    state: State,
    step: StepKind,
    /// Milliseconds since the beginning.
    due: Option<u64>,
    /// The fence and the end of a lease.
    leased: Option<(u64, u64)>,
    uncommitted_claims: u32,
    upload_attempts: u32,
    upload_ambiguous: bool,
    /// The Platform accepted its upload.
    accepted: bool,
    cancel_requested: bool,
    overwrite: bool,
    finished: Option<u64>,
}

impl Modeled {
    fn is_maybe_at_platform(&self) -> bool {
        let gave_up = matches!(self.state, State::Failed | State::Cancelled);
        self.state == State::Completed || gave_up && (self.upload_ambiguous || self.accepted)
    }

    fn end(&mut self, state: State, now: u64) {
        (self.state, self.due, self.leased) = (state, None, None);
        self.finished = state.is_final().then_some(now);
    }
}

#[derive(Debug, Default)]
struct Model {
    now: u64,
    kept: Vec<Modeled>,
    paused: BTreeMap<String, bool>,
    /// Everything that was ever claimed.
    claims: Vec<Claim>,
    /// By account and name, the submission whose dataset may be at the Platform unknown.
    marks: BTreeMap<(String, String), SubmissionId>,
    /// By account and name, the submission whose upload may still arrive, and until when.
    late: BTreeMap<(String, String), (SubmissionId, u64)>,
}

impl Model {
    fn one(&mut self, id: SubmissionId) -> Option<&mut Modeled> {
        self.kept.iter_mut().find(|kept| kept.id == id)
    }

    fn holder(&mut self, claim: &Claim) -> Option<&mut Modeled> {
        let fence = claim.lease.fence;
        self.one(claim.lease.id).filter(|one| one.leased.is_some_and(|lease| lease.0 == fence))
    }

    /// An earlier submission of the account and name has not ended.
    fn is_blocked(&self, position: usize) -> bool {
        let this = &self.kept[position];
        self.kept[..position].iter().any(|earlier| {
            earlier.account == this.account
                && earlier.name == this.name
                && earlier.finished.is_none()
        })
    }

    /// Marks the names of what changed.
    fn mark(&mut self, before: &[Modeled]) {
        for after in &self.kept {
            let name = (after.account.clone(), after.name.clone());
            let Some(before) = before.iter().find(|before| before.id == after.id) else { continue };
            let was_uploading = before.state == State::Uploading && after.leased.is_none();
            if was_uploading && after.upload_ambiguous {
                let until = self.now + LATE_UPLOAD.as_millis() as u64;
                self.late.insert(name.clone(), (after.id, until));
            }
            let has_ended = before.finished.is_none() && after.finished.is_some();
            let gave_up = matches!(after.state, State::Failed | State::Cancelled);
            let unknown = after.upload_ambiguous || after.accepted;
            if has_ended && gave_up && unknown && before.step != StepKind::Collect {
                self.marks.insert(name, after.id);
                continue;
            }
            let is_own = self.marks.get(&name) == Some(&after.id);
            let has_verdict = matches!(after.state, State::Collecting | State::Completed);
            if (after.accepted && !before.accepted) || (has_verdict && is_own) {
                self.marks.remove(&name);
            }
        }
    }

    /// The upload of another submission of the name may still arrive.
    fn waits_for_late(&self, one: &Modeled) -> bool {
        let late = self.late.get(&(one.account.clone(), one.name.clone()));
        let waits = late.is_some_and(|(of, until)| *of != one.id && *until > self.now);
        waits && one.step == StepKind::Upload
    }

    /// Those that a worker may claim, and those that look due and wait for a late upload.
    fn claimable(&self, kind: StepKind) -> (Vec<SubmissionId>, usize) {
        let may = |(position, one): &(usize, &Modeled)| {
            one.step == kind
                && one.due.is_some_and(|due| due <= self.now)
                && one.leased.is_none()
                && !self.paused.get(&one.account).copied().unwrap_or_default()
                && !self.is_blocked(*position)
        };
        let due = self.kept.iter().enumerate().filter(may).map(|(_, one)| one);
        let (late, due): (Vec<_>, Vec<_>) = due.partition(|one| self.waits_for_late(one));
        (due.into_iter().map(|one| one.id).collect(), late.len())
    }
}

fn account(n: u8) -> String {
    format!("account {n}")
}

fn outcome(kind: StepKind, n: u8, after: Duration) -> Transition {
    match (n, kind) {
        (0, _) => t::retried(kind, after),
        (1, _) => t::failed(),
        (2, _) => t::held(),
        (_, StepKind::Upload) => t::uploaded(after),
        (3, StepKind::Poll) => t::pending(after),
        (_, StepKind::Poll) => t::decided(),
        (3 | 4, StepKind::Collect) => t::rejected(),
        (_, StepKind::Collect | StepKind::Deliver) => t::completed(),
    }
}

async fn run(subject: &Subject, model: &mut Model, op: Op) {
    let store = &subject.store;
    match op {
        Op::Accept { account: n, name } => {
            let submission = on(&account(n), new(&format!("name {name}")));
            subject.accept(submission.clone()).await;
            model.kept.push(Modeled {
                id: submission.id,
                account: submission.account,
                name: submission.name,
                state: State::Queued,
                step: StepKind::Upload,
                due: Some(model.now),
                leased: None,
                uncommitted_claims: 0,
                upload_attempts: 0,
                upload_ambiguous: false,
                accepted: false,
                cancel_requested: false,
                overwrite: false,
                finished: None,
            });
        }
        Op::Claim { kind, limit } => claim(subject, model, kind, limit).await,
        Op::Commit { claim, outcome: n, after } => {
            if model.claims.is_empty() {
                return;
            }
            let claim = claim.get(&model.claims).clone();
            commit(subject, model, &claim, outcome(claim.kind, n, millis(after))).await;
        }
        Op::Release { claim } => {
            if model.claims.is_empty() {
                return;
            }
            let claim = claim.get(&model.claims).clone();
            store.release(vec![claim.clone()]).await.unwrap();
            let now = model.now;
            let Some(one) = model.holder(&claim) else { return };
            one.leased = None;
            one.uncommitted_claims -= 1;
            if claim.kind == StepKind::Upload {
                one.upload_attempts -= 1;
                one.state = State::Queued;
            }
            if one.cancel_requested {
                one.end(State::Cancelled, now);
            }
        }
        Op::Renew { claim } => {
            if model.claims.is_empty() {
                return;
            }
            let claim = claim.get(&model.claims).clone();
            let renewed = store.renew(vec![claim.lease], LEASE).await.unwrap();
            let until = model.now + LEASE.as_millis() as u64;
            let holder = model.holder(&claim);
            assert_eq!(renewed, [holder.is_some()]);
            if let Some(one) = holder {
                one.leased = Some((claim.lease.fence, until));
            }
        }
        Op::Advance { duration } => {
            subject.advance(millis(duration)).await;
            model.now += duration;
        }
        Op::Rescue => rescue(subject, model).await,
        Op::Sweep => {
            let before = model.kept.len();
            let now = model.now;
            let old = |one: &Modeled| {
                one.finished.is_some_and(|at| at + (RETENTION.as_millis() as u64) < now)
            };
            model.kept.retain(|one| !old(one));
            let swept = store.sweep(RETENTION).await.unwrap();
            assert_eq!(swept, (before - model.kept.len()) as u64);
        }
        Op::Pause { account: n } => {
            store.pause(&account(n), "by chance").await.unwrap();
            model.paused.insert(account(n), true);
        }
        Op::Resume { account: n } => {
            let known = model.paused.contains_key(&account(n))
                || !matches!(store.resume(&account(n)).await, Err(StoreError::UnknownAccount(_)));
            if known {
                store.resume(&account(n)).await.unwrap();
                model.paused.insert(account(n), false);
            }
        }
        Op::Cancel { .. } | Op::Retry { .. } | Op::Resolve { .. } => {
            operate(subject, model, op).await;
        }
    }
}

async fn claim(subject: &Subject, model: &mut Model, kind: StepKind, limit: usize) {
    let (claimable, late) = model.claimable(kind);
    let mut claims = subject.claim(kind, limit).await;
    // A claim looks at no more than it may lease.
    for _ in 0..late {
        claims.extend(subject.claim(kind, limit - claims.len()).await);
    }
    assert_eq!(claims.len(), claimable.len().min(limit), "of {claimable:?}");
    let until = model.now + LEASE.as_millis() as u64;
    for claim in claims {
        assert!(claimable.contains(&claim.lease.id), "{} is not due", claim.lease.id);
        let name = (claim.submission.account.clone(), claim.submission.name.clone());
        let mark = model.marks.get(&name).copied().filter(|_| kind == StepKind::Upload);
        assert_eq!(claim.name_mark, mark);
        let one = model.one(claim.lease.id).expect("it is claimable");
        assert_eq!(claim.submission.upload_ambiguous, one.upload_ambiguous);
        one.leased = Some((claim.lease.fence, until));
        one.uncommitted_claims += 1;
        if kind == StepKind::Upload {
            one.state = State::Uploading;
            one.upload_attempts += 1;
        }
        model.claims.push(claim);
    }
}

async fn commit(subject: &Subject, model: &mut Model, claim: &Claim, transition: Transition) {
    let committed = subject.try_commit(claim, transition.clone()).await;
    let now = model.now;
    let Some(one) = model.holder(claim) else {
        assert_eq!(committed, Committed::Stale, "at most one claim can commit");
        return;
    };
    assert!(matches!(committed, Committed::Done(..)), "{committed:?}");
    one.uncommitted_claims = 0;
    one.upload_ambiguous = transition.upload_ambiguous;
    one.accepted |= transition.processing_token.is_some();
    let to = transition.state().expect("the upload, the poll or the collection leads to a state");
    if to.is_final() {
        one.end(to, now);
    } else if one.cancel_requested {
        one.end(State::Cancelled, now);
    } else if to == State::Held {
        one.end(State::Held, now);
    } else if let Next::Step(next) = transition.next {
        (one.state, one.step, one.leased) = (to, next.kind, None);
        one.due = Some(now + next.after.as_millis() as u64);
    }
}

async fn rescue(subject: &Subject, model: &mut Model) {
    let rescued = subject.store.rescue().await.unwrap();
    let now = model.now;
    let [mut due, mut held, mut cancelled] = [0, 0, 0];
    for one in &mut model.kept {
        if one.leased.is_none_or(|(_, until)| until >= now) {
            continue;
        }
        (one.leased, one.due) = (None, Some(now));
        one.upload_ambiguous |= one.step == StepKind::Upload;
        if one.cancel_requested {
            one.end(State::Cancelled, now);
            cancelled += 1;
        } else if one.uncommitted_claims >= 5 {
            one.end(State::Held, now);
            one.uncommitted_claims = 0;
            held += 1;
        } else {
            one.state = one.step.waiting_state().unwrap();
            due += 1;
        }
    }
    assert_eq!((rescued.due, rescued.held, rescued.cancelled), (due, held, cancelled));
}

async fn operate(subject: &Subject, model: &mut Model, op: Op) {
    let (Op::Cancel { one } | Op::Retry { one } | Op::Resolve { one, .. }) = &op else { return };
    if model.kept.is_empty() {
        return;
    }
    let position = one.index(model.kept.len());
    let now = model.now;
    let this = model.kept[position].clone();
    let newer = || {
        let later = model.kept[position + 1..].iter();
        later.filter(|newer| newer.account == this.account && newer.name == this.name)
    };
    let uploads = this.step == StepKind::Upload;
    let passes = newer().any(|newer| newer.finished.is_none())
        || (uploads && newer().any(Modeled::is_maybe_at_platform));
    let store = &subject.store;
    let (response, allowed) = match &op {
        Op::Cancel { .. } => (store.cancel(this.id).await, !this.state.is_final()),
        Op::Retry { .. } => {
            (store.retry(this.id, DAY).await, this.state == State::Failed && !passes)
        }
        Op::Resolve { how, .. } => {
            let how =
                [Resolution::Retry, Resolution::Fail, Resolution::Overwrite][usize::from(*how)];
            let possible = how != Resolution::Overwrite || this.step == StepKind::Upload;
            let response = store.resolve(this.id, how, DAY).await;
            (response, this.state == State::Held && possible)
        }
        _ => return,
    };
    assert_eq!(response.is_ok(), allowed, "{op:?} of {this:?}: {response:?}");
    if !allowed {
        assert!(matches!(response, Err(StoreError::NotAllowed(_))));
        return;
    }
    let one = &mut model.kept[position];
    match op {
        Op::Cancel { .. } if one.leased.is_some() => one.cancel_requested = true,
        Op::Cancel { .. } => one.end(State::Cancelled, now),
        Op::Resolve { how: 1, .. } => one.end(State::Failed, now),
        _ => {
            (one.state, one.due, one.finished) =
                (one.step.waiting_state().unwrap(), Some(now), None);
            (one.uncommitted_claims, one.cancel_requested) = (0, false);
            one.overwrite |= matches!(op, Op::Resolve { how: 2, .. });
        }
    }
}

/// The store and the picture show the same, and what must always hold, holds.
async fn compare(subject: &Subject, model: &Model) {
    let page = subject.store.list(&Filter::default(), None, 1000).await.unwrap();
    let mut listed: Vec<_> = page.found.into_iter().map(|found| found.submission).collect();
    listed.reverse();
    assert_eq!(listed.len(), model.kept.len());
    for (real, one) in listed.iter().zip(&model.kept) {
        assert_eq!(
            (
                real.id,
                real.state,
                real.upload_attempts,
                real.upload_ambiguous,
                real.leased_until.is_some()
            ),
            (one.id, one.state, one.upload_attempts, one.upload_ambiguous, one.leased.is_some()),
        );
        assert_eq!(real.finished_at.is_some(), real.state.is_final());
        assert_eq!(real.due_at.is_some(), !real.state.is_final() && real.state != State::Held);
    }
    assert_counts(subject, model, &listed).await;
    for (position, one) in model.kept.iter().enumerate() {
        assert!(
            one.leased.is_none() || !model.is_blocked(position),
            "{one:?} is in flight, and so is an earlier one of its Name"
        );
    }
}

async fn assert_counts(
    subject: &Subject,
    model: &Model,
    listed: &[ferry_types::domain::submission::Submission],
) {
    let stats = subject.store.stats().await.unwrap();
    let mut states: BTreeMap<(&str, State), u64> = BTreeMap::new();
    let mut steps: BTreeMap<(&str, StepKind), [u64; 3]> = BTreeMap::new();
    for (real, one) in listed.iter().zip(&model.kept) {
        *states.entry((&real.account, real.state)).or_default() += 1;
        let counts = steps.entry((&real.account, one.step)).or_default();
        match (one.leased, one.due) {
            (Some(_), _) => counts[2] += 1,
            // A claim may have looked at it.
            (None, Some(_)) if model.waits_for_late(one) => {
                counts[usize::from(real.due_at > Some(subject.wall_clock()))] += 1;
            }
            (None, Some(due)) if due <= model.now => counts[0] += 1,
            (None, Some(_)) => counts[1] += 1,
            (None, None) => {}
        }
    }
    steps.retain(|_, counts| *counts != [0; 3]);
    let counted = stats.accounts.iter().flat_map(|account| {
        let states = account.states.iter();
        states.map(|(state, count)| ((account.account.as_str(), *state), *count))
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), states);
    let counted = stats.steps.iter().map(|step| {
        ((step.account.as_str(), step.kind), [step.ready, step.scheduled, step.running])
    });
    let counted: BTreeMap<_, _> = counted.filter(|(_, counts)| *counts != [0; 3]).collect();
    assert_eq!(counted, steps);
}

pub(super) async fn random_operations_do_what_a_small_model_says(subject: Subject) {
    let runtime = tokio::runtime::Handle::current();
    let check = |ops: Vec<Op>| {
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                let subject = subject.fresh().await;
                let mut model = Model::default();
                for op in ops {
                    let before = model.kept.clone();
                    run(&subject, &mut model, op).await;
                    model.mark(&before);
                    compare(&subject, &model).await;
                }
            });
        });
        Ok(())
    };
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&prop::collection::vec(op(), LENGTH), check).unwrap();
}
