//! `RetryAfter`: a worker that read a `Retry-After` sends nothing for the account before it has passed;
//! and once its step is committed, even if another worker owns the step by then, no worker claims a step of the account
//! before, whatever the commit says. A store that went back has forgotten what was committed since, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferry_types::domain::account::Signal;
use ferry_types::domain::submission::StepKind;

use super::uploads::step_of;
use crate::trace::{AccountNumber, Entry, Event, SubmissionNumber, Trace, WorkerNumber};

/// A step that a worker runs.
type Step = (WorkerNumber, SubmissionNumber, StepKind);

/// A throttling of an account.
#[derive(Debug)]
pub(super) struct Throttled {
    account: AccountNumber,
    until: Duration,
    /// True if the store went back to a time before it was committed.
    is_undone: bool,
}

/// The throttling of all accounts, while a trace is read.
#[derive(Debug, Default)]
pub(super) struct Throttles {
    senders: BTreeMap<u64, (WorkerNumber, AccountNumber)>,
    /// Steps that make requests, each with its claim, where the worker has no other one of it.
    steps: BTreeMap<u64, (Step, usize)>,
    /// Claims of a step that are not committed.
    open: BTreeMap<Step, BTreeSet<usize>>,
    /// End of the throttling that a claim has met, and has not committed.
    met: BTreeMap<(Step, usize), Duration>,
    /// Throttling that a worker knows.
    known: BTreeMap<(WorkerNumber, AccountNumber), Throttled>,
    /// Throttling that the store knows.
    committed: Vec<Throttled>,
}

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut throttles = Throttles::default();
    for entry in &trace.entries {
        if let Some(until) = throttles.read(trace, entry) {
            let until = until.as_secs_f64();
            return Err(format!("{entry}: the account is throttled until {until:.3} s"));
        }
    }
    Ok(())
}

impl Throttles {
    /// Time until which an account is throttled, if it is at `at`, as the store knows it.
    pub(super) fn until(&self, account: AccountNumber, at: Duration) -> Option<Duration> {
        let of = self.committed.iter().filter(|throttled| throttled.account == account);
        of.map(|throttled| throttled.until).max().filter(|until| *until > at)
    }

    fn only_claim(&self, step: Step) -> Option<(Step, usize)> {
        let open = self.open.get(&step)?;
        let claim = open.first().filter(|_| open.len() == 1)?;
        Some((step, *claim))
    }

    /// Reads the next entry; returns until when it should have waited, if it did not.
    pub(super) fn read(&mut self, trace: &Trace, entry: &Entry) -> Option<Duration> {
        let is_early = |throttled: &&Throttled| entry.at < throttled.until;
        match &entry.event {
            Event::Sent { request, worker, account, of, endpoint } => {
                self.senders.insert(*request, (*worker, *account));
                let step = of.zip(step_of(*endpoint)).map(|(of, kind)| (*worker, of, kind));
                let claim = step.and_then(|step| self.only_claim(step));
                self.steps.extend(claim.map(|claim| (*request, claim)));
                let known = self.known.get(&(*worker, *account));
                return known.filter(is_early).map(|known| known.until);
            }
            Event::Claimed { worker, of, lease, .. } if lease.kind.calls_platform() => {
                self.open.entry((*worker, *of, lease.kind)).or_default().insert(lease.claim);
                let account = trace.facts[*of].account;
                let mut committed = self.committed.iter();
                let early = committed.find(|other| other.account == account && is_early(other));
                return early.map(|throttled| throttled.until);
            }
            Event::Read { request, retry_after: Some(delay), status: Some(429 | 503) } => {
                let sender = self.senders[request];
                let earlier = self.known.get(&sender).map_or(Duration::ZERO, |known| known.until);
                let until = earlier.max(entry.at + *delay);
                self.met.extend(self.steps.get(request).map(|step| (*step, until)));
                let throttled = Throttled { account: sender.1, until, is_undone: false };
                self.known.insert(sender, throttled);
            }
            Event::Committed { worker, of, lease, signal, .. } => {
                let (account, is_undone) = (trace.facts[*of].account, entry.is_undone);
                let step = (*worker, *of, lease.kind);
                self.open.entry(step).or_default().remove(&lease.claim);
                let met = self.met.remove(&(step, lease.claim));
                let said = match signal {
                    Signal::Throttled { delay, .. } => Some(entry.at + *delay),
                    _ => None,
                };
                let until = met.max(said)?;
                self.committed.push(Throttled { account, until, is_undone });
                // From then on, the worker follows what the store yields.
                if let Some(known) = self.known.get_mut(&(*worker, account)) {
                    known.is_undone |= is_undone;
                }
            }
            Event::WentBack => {
                self.committed.retain(|throttled| !throttled.is_undone);
                self.known.retain(|_, known| !known.is_undone);
            }
            // An operator lifts it.
            Event::Resumed(account) => {
                self.committed.retain(|throttled| throttled.account != *account);
                self.known.retain(|(_, of), _| of != account);
                self.met.retain(|((_, of, _), _), _| trace.facts[*of].account != *account);
            }
            _ => {}
        }
        None
    }
}
