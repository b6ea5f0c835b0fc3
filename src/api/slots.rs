//! The slots for requests at once. Some are for operators only, and of each kind one key has half.

use std::sync::Arc;
use std::time::Duration;

use super::error::ApiError;
use super::shares::{Exhausted, Owner, Share, Shares};
use ferry_types::contract::ProblemKind;

/// One of so many slots is for requests of operators only.
const FOR_OPERATORS: usize = 16;

/// The slots of a server.
#[derive(Debug)]
pub(super) struct Slots {
    requests: Arc<Shares>,
    operators: Arc<Shares>,
    /// Requests whose body takes its time.
    slow: Arc<Shares>,
    /// Requests that hold their response back. They have a slot meanwhile: some are left for others.
    waiting: Arc<Shares>,
    /// Open streams of events.
    streams: Arc<Shares>,
}

impl Slots {
    /// Slots for `most` requests at once.
    pub(super) fn new(most: usize) -> Self {
        let operators = most / FOR_OPERATORS;
        Self {
            requests: Shares::permits(most - operators),
            operators: Shares::new(operators as u64, 0),
            slow: Shares::permits(most / 2),
            waiting: Shares::permits(most / 2),
            streams: Shares::permits(most / 4),
        }
    }

    /// A slot for a request, which may be one of an operator.
    pub(super) fn take(&self, is_operator: bool, owner: &Owner) -> Result<Share, ApiError> {
        let taken = self.requests.take(owner).or_else(|exhausted| {
            if is_operator { self.operators.take(owner) } else { Err(exhausted) }
        });
        taken.map_err(|exhausted| {
            busy(
                1,
                match exhausted {
                    Exhausted::All => "more requests than `max_concurrent_requests` are running",
                    Exhausted::Key => {
                        "requests of this API key take half of `max_concurrent_requests`"
                    }
                },
            )
        })
    }

    /// A slot for a body that takes its time.
    pub(super) fn slow(&self, owner: &Owner) -> Result<Share, ApiError> {
        self.slow.take(owner).map_err(|exhausted| {
            busy(
                2,
                match exhausted {
                    Exhausted::All => {
                        "half of `max_concurrent_requests` are bodies that arrive slowly"
                    }
                    Exhausted::Key => {
                        "bodies of this API key that arrive slowly take a quarter of \
                     `max_concurrent_requests`"
                    }
                },
            )
        })
    }

    /// A slot for a request whose response is held back, unless there are too many.
    pub(super) fn waiting(&self, owner: &Owner) -> Option<Share> {
        self.waiting.take(owner).ok()
    }

    /// A slot for a stream of events.
    pub(super) fn stream(&self, owner: &Owner) -> Result<Share, ApiError> {
        self.streams.take(owner).map_err(|exhausted| {
            busy(
                5,
                match exhausted {
                    Exhausted::All => {
                        "more event streams than a quarter of `max_concurrent_requests` are open"
                    }
                    Exhausted::Key => {
                        "event streams of this API key take an eighth of `max_concurrent_requests`"
                    }
                },
            )
        })
    }
}

fn busy(seconds: u64, what: &str) -> ApiError {
    let busy = ApiError::new(ProblemKind::Busy, format!("{what}; try again"));
    busy.retry_after(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_have_slots_when_all_others_are_taken() {
        let (slots, local) = (Slots::new(32), Owner::Local);
        let others: Vec<Share> = std::iter::from_fn(|| slots.take(false, &local).ok()).collect();
        assert_eq!(others.len(), 30);
        let operators = [(); 2].map(|()| slots.take(true, &local).is_ok());
        assert_eq!(operators, [true, true], "each is released at once");
        let kept = [(); 2].map(|()| slots.take(true, &local));
        assert!(kept.iter().all(Result::is_ok));
        assert!(slots.take(true, &local).is_err());
    }
}
