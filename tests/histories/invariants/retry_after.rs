//! `RetryAfter`: a worker that read a `Retry-After` sends nothing before it has passed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::trace::{Event, Trace, WorkerNumber};

pub(super) fn check(trace: &Trace) -> Result<(), String> {
    let mut senders: BTreeMap<u64, WorkerNumber> = BTreeMap::new();
    let mut until: BTreeMap<WorkerNumber, Duration> = BTreeMap::new();
    for entry in &trace.entries {
        match &entry.event {
            Event::Sent { request, worker, .. } => {
                senders.insert(*request, *worker);
                if let Some(until) = until.get(worker).filter(|until| entry.at < **until) {
                    let until = until.as_secs_f64();
                    return Err(format!("{entry}: the worker was to wait until {until:.3} s"));
                }
            }
            Event::Read { request, retry_after: Some(delay), status: Some(429 | 503) } => {
                let end = until.entry(senders[request]).or_default();
                *end = (entry.at + *delay).max(*end);
            }
            // An operator lifts it.
            Event::Resumed => until.clear(),
            _ => {}
        }
    }
    Ok(())
}
