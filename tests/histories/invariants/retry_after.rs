//! `RetryAfter`: a worker that read a `Retry-After` sends nothing for the account before it has passed;
//! and once its step is committed, even if another worker owns the step by then, no worker claims a step of the account
//! before.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_types::domain::account::Signal;

use crate::trace::{AccountNumber, Event, Trace, WorkerNumber};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut senders: BTreeMap<u64, (WorkerNumber, AccountNumber)> = BTreeMap::new();
    let mut until: BTreeMap<(WorkerNumber, AccountNumber), Duration> = BTreeMap::new();
    let mut committed: BTreeMap<AccountNumber, Duration> = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Sent { request, worker, account, .. } => {
                let sender = (*worker, *account);
                senders.insert(*request, sender);
                if let Some(until) = until.get(&sender).filter(|until| entry.at < **until) {
                    let until = until.as_secs_f64();
                    return Err(format!("{entry}: the worker was to wait until {until:.3} s"));
                }
            }
            Event::Read { request, retry_after: Some(delay), status: Some(429 | 503) } => {
                let end = until.entry(senders[request]).or_default();
                *end = (entry.at + *delay).max(*end);
            }
            Event::Committed { of, signal: Signal::Throttled { delay, .. }, .. }
                if !entry.is_undone =>
            {
                let end = committed.entry(trace.facts[*of].account).or_default();
                *end = (entry.at + *delay).max(*end);
            }
            Event::Claimed { of, lease, .. } if lease.kind.calls_platform() => {
                let end = committed.get(&trace.facts[*of].account);
                if let Some(until) = end.filter(|until| entry.at < **until) {
                    let until = until.as_secs_f64();
                    return Err(format!("{entry}: the account is throttled until {until:.3} s"));
                }
            }
            // The store has forgotten it, and looks as if an operator had lifted it.
            Event::WentBack => {
                committed.clear();
                until.clear();
            }
            // An operator lifts it.
            Event::Resumed(account) => {
                committed.remove(account);
                until.retain(|(_, of), _| of != account);
            }
            _ => {}
        }
    }
    Ok(())
}
