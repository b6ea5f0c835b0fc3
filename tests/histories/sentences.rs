//! The trace as sentences, for people.

use std::fmt;

use ferry_store::Committed;
use ferry_types::domain::account::Signal;

use crate::trace::{Entry, Event};

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let undone = if self.is_undone { " (undone)" } else { "" };
        write!(f, "{:>9.3} s  {}{undone}", self.at.as_secs_f64(), self.event)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(worker, what) => write!(f, "worker {worker} is {what}"),
            Self::Store(what) => write!(f, "the store is {what}"),
            Self::Saved => write!(f, "the store has saved all"),
            Self::WentBack => write!(f, "the store goes back to what it had saved"),
            Self::ClockStepped(seconds) => write!(f, "the clock steps by {seconds} s"),
            Self::Accepted(of) => write!(f, "submission {of} is accepted"),
            Self::Submitted { of, is_own, answer } => {
                let content = if *is_own { "its" } else { "another" };
                write!(f, "a producer submits {of} with {content} content: {answer:?}")
            }
            Self::Claimed { worker, of, lease, ambiguous, .. } => {
                let ambiguous = if *ambiguous { ", ambiguous" } else { "" };
                let (kind, claim) = (lease.kind, lease.claim);
                write!(f, "worker {worker} claims `{kind}` of {of}, claim {claim}{ambiguous}")
            }
            Self::Committed { worker, of, lease, outcome, signal } => {
                let (kind, claim) = (lease.kind, lease.claim);
                write!(f, "worker {worker} commits `{kind}` of {of}, claim {claim}: ")?;
                match outcome {
                    Committed::Done(from, to) => write!(f, "{from} to {to}"),
                    other => write!(f, "{other:?}"),
                }?;
                if *signal == Signal::None { Ok(()) } else { write!(f, ", {signal:?}") }
            }
            Self::Released { of, lease } => {
                write!(f, "`{}` of {of} is given back, claim {}", lease.kind, lease.claim)
            }
            Self::StoreCallLost { worker, call, carried_out } => {
                let what = if *carried_out { "response" } else { "call" };
                write!(f, "the {what} of `{call}` of worker {worker} is lost")
            }
            Self::Rescued(steps) => write!(f, "{steps} steps are rescued"),
            Self::Changed { of, state, ambiguous, why, .. } => {
                let ambiguous = if *ambiguous { ", ambiguous" } else { "" };
                write!(f, "submission {of} is {state}{ambiguous}: {why}")
            }
            Self::Operated(of, operation) => write!(f, "an operator does {operation:?} to {of}"),
            Self::Paused(account) => write!(f, "an operator pauses account {account}"),
            Self::Resumed(account) => write!(f, "an operator resumes account {account}"),
            Self::Explained(explained) => write!(f, "{explained:?}"),
            Self::Sent { request, worker, account, endpoint, of } => {
                let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
                let to = format!("{endpoint:?}{of} to account {account}");
                write!(f, "worker {worker} sends request {request}, {to}")
            }
            Self::Arrived { request, status, effect, .. } => {
                write!(f, "request {request} arrives: {effect:?}, {status:?}")
            }
            Self::Read { request, status: None, .. } => write!(f, "request {request} is lost"),
            Self::Read { request, status: Some(status), retry_after } => {
                write!(f, "request {request} is answered {status}")?;
                retry_after.map_or(Ok(()), |delay| write!(f, ", retry after {delay:?}"))
            }
            Self::Delivered { of, state } => write!(f, "a receiver learns that {of} is {state}"),
            Self::Calm => write!(f, "the calm begins"),
        }
    }
}
