//! The arrival of a body: at a least pace, within a time, and with a slot for slow ones.

use std::time::Duration;

use axum::body::Bytes;
use tokio::time::{Instant, timeout_at};

use super::encoding::Decoded;
use super::error::ApiError;
use super::shares::{Owner, Share};
use super::slots::Slots;
use crate::pace::Pace;
use ferry_types::contract::ProblemKind;

/// A body that takes longer is slow.
const PROMPT: Duration = Duration::from_secs(1);

/// The time that a body may lose to stalls, and that it may take at most: so many `client_timeout`.
const STALLS: u32 = 3;
const LONGEST: u32 = 20;

/// The time limits of something that a client sends.
#[derive(Debug)]
pub(super) struct TimeLimit {
    client_timeout: Duration,
    end: Instant,
    pace: Pace,
}

/// A body that arrives.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    time_limit: TimeLimit,
    prompt: Instant,
    slots: &'a Slots,
    owner: Owner,
    slow: Option<Share>,
}

impl TimeLimit {
    /// Begins now.
    pub(super) fn new(client_timeout: Duration) -> Self {
        let end = Instant::now() + client_timeout.saturating_mul(LONGEST);
        Self { client_timeout, end, pace: Pace::new(client_timeout.saturating_mul(STALLS)) }
    }

    /// The end of a wait for more, which begins now.
    pub(super) fn until(&self) -> Instant {
        (Instant::now() + self.client_timeout).min(self.pace.until()).min(self.end)
    }

    /// Bytes arrived after a wait.
    pub(super) fn arrived(&mut self, bytes: usize, waited: Duration) {
        self.pace.moved(bytes, waited);
    }
}

impl<'a> Arrival<'a> {
    /// Begins now.
    pub(super) fn new(slots: &'a Slots, owner: Owner, client_timeout: Duration) -> Self {
        let (time_limit, prompt) = (TimeLimit::new(client_timeout), Instant::now() + PROMPT);
        Self { time_limit, prompt, slots, owner, slow: None }
    }

    /// The next piece, as [`Decoded::next`] has it; an error if it does not come in time.
    pub(super) async fn next(
        &mut self,
        frames: &mut Decoded,
    ) -> Result<Option<Result<Bytes, ()>>, ApiError> {
        let (begin, end) = (Instant::now(), self.time_limit.until());
        loop {
            let is_slow = self.slow.is_some() || self.prompt >= end;
            let until = if is_slow { end } else { self.prompt };
            match timeout_at(until, frames.next()).await {
                Ok(read) => {
                    let bytes =
                        read.as_ref().and_then(|read| read.as_ref().ok()).map_or(0, Bytes::len);
                    self.time_limit.arrived(bytes, begin.elapsed());
                    return Ok(read);
                }
                Err(_) if !is_slow => self.slow = Some(self.slots.slow(&self.owner)?),
                Err(_) => {
                    let what = "the body took too long to arrive (`client_timeout`)";
                    return Err(ApiError::new(ProblemKind::Timeout, what));
                }
            }
        }
    }
}
