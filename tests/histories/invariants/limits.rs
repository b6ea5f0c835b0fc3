//! `Limits`: what the workers together claim of an account stays within its rates, and its uploads in
//! flight within their number; and no claim makes more requests than it was counted for, but for one after each
//! denied access token.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ferry_types::domain::submission::{State, StepKind};

use super::uploads::step_of;
use crate::trace::{AccountNumber, Event, SubmissionNumber, Trace, WorkerNumber};

const SECOND: Duration = Duration::from_secs(1);

/// Part of a rate that may be used at once.
const BURST: f64 = 0.1;

/// A rate that is measured over ten seconds, since it may be less than one a second.
#[derive(Debug, Default)]
struct Window(VecDeque<(Duration, usize)>);

impl Window {
    /// Adds requests; returns how many there are in the window before the newest.
    fn add(&mut self, at: Duration, requests: usize) -> f64 {
        while self.0.front().is_some_and(|(begin, _)| *begin + 10 * SECOND <= at) {
            self.0.pop_front();
        }
        let before: usize = self.0.iter().map(|(_, requests)| requests).sum();
        self.0.push_back((at, requests));
        before as f64
    }
}

/// A step that a worker runs. After a store went back, the worker may have two claims of it.
type Step = (WorkerNumber, SubmissionNumber, StepKind);

/// Requests that are left to the claims of workers.
#[derive(Debug, Default)]
struct Requests {
    /// By step and claim.
    left: BTreeMap<Step, BTreeMap<usize, usize>>,
    sent: BTreeMap<u64, Step>,
}

impl Requests {
    /// Reads the next event; returns false if a claim makes more requests than it was counted for.
    fn read(&mut self, event: &Event) -> bool {
        match event {
            Event::Claimed { worker, of, lease, requests, .. } => {
                let claims = self.left.entry((*worker, *of, lease.kind)).or_default();
                claims.insert(lease.claim, *requests);
            }
            Event::Committed { worker, of, lease, .. } => {
                let claims = self.left.entry((*worker, *of, lease.kind)).or_default();
                // Of two claims of a worker, it is not known which of them made a request.
                let least = claims.iter().min_by_key(|(_, left)| **left).map(|(claim, _)| *claim);
                if let Some(least) = least.filter(|_| claims.contains_key(&lease.claim)) {
                    claims.remove(&least);
                }
            }
            Event::Sent { request, worker, of: Some(of), endpoint, .. } => {
                let Some(kind) = step_of(*endpoint) else { return true };
                let step = (*worker, *of, kind);
                self.sent.insert(*request, step);
                let claims = self.left.entry(step).or_default();
                let Some(left) = claims.values_mut().find(|left| **left > 0) else { return false };
                *left -= 1;
            }
            // It is made once more, with a new access token.
            Event::Read { request, status: Some(401), .. } => {
                let claims = self.sent.get(request).and_then(|step| self.left.get_mut(step));
                if let Some(mut newest) = claims.and_then(BTreeMap::last_entry) {
                    *newest.get_mut() += 1;
                }
            }
            _ => {}
        }
        true
    }
}

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut claimed = Requests::default();
    for entry in &trace.entries {
        if !claimed.read(&entry.event) {
            return Err(format!("{entry}: its claim was counted for less requests"));
        }
    }
    rates(trace)
}

fn rates(trace: &Trace) -> Result<(), String> {
    let limits = trace.limits;
    let mut requests: BTreeMap<(AccountNumber, bool), Window> = BTreeMap::new();
    let mut states: BTreeMap<SubmissionNumber, State> = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Claimed { of, lease, requests: more, .. } if lease.kind.calls_platform() => {
                let account = trace.facts[*of].account;
                let is_upload = lease.kind == StepKind::Upload;
                let rates = [
                    (limits.requests_per_second, false),
                    (limits.uploads_per_second.filter(|_| is_upload), true),
                ];
                for (rate, is_of_uploads) in rates {
                    let Some(rate) = rate else { continue };
                    let window = requests.entry((account, is_of_uploads)).or_default();
                    let used = window.add(entry.at, *more);
                    // What a step takes beyond the rate is only known to those after it.
                    let most = rate * (10.0 + BURST) + 1.0;
                    if used > most {
                        return Err(format!("{entry}: {used} requests within ten seconds before"));
                    }
                }
            }
            Event::Changed { of, state, .. } if !entry.is_undone => {
                states.insert(*of, *state);
                let account = trace.facts[*of].account;
                let is_uploading = |(other, state): &(&usize, &State)| {
                    trace.facts[**other].account == account && **state == State::Uploading
                };
                let uploading = states.iter().filter(is_uploading).count() as u32;
                if limits.max_concurrent_uploads.is_some_and(|most| uploading > most) {
                    return Err(format!("{entry}: {uploading} uploads are in flight"));
                }
            }
            // The store has forgotten what was used.
            Event::WentBack => requests.clear(),
            _ => {}
        }
    }
    Ok(())
}
