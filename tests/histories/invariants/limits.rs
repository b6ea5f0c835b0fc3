//! `Limits`: what the workers together claim of an account stays within its rates, and its uploads in
//! flight within their number.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ferry_types::domain::submission::{State, StepKind};

use crate::trace::{AccountNumber, Event, SubmissionNumber, Trace};

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

pub(super) fn check(trace: &Trace) -> Result<(), String> {
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
