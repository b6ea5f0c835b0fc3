//! A reading of the store's time on the server, with which a step of the server's clock is seen.

use crate::store_time::{SLEW, TOLERANCE};

/// A reading of the store's time, and the monotonic times around it, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerTime {
    pub(super) store: i64,
    pub(super) sent: i64,
    pub(super) received: i64,
}

impl ServerTime {
    /// Reads what `clock.lua` has stored for this machine, unless the monotonic clock was behind it at
    /// `now`.
    pub(super) fn stored(text: &str, now: i64) -> Option<Self> {
        let mut numbers = text.split(' ').map(|number| number.parse().ok());
        let mut next = || numbers.next().flatten();
        let read = Self { store: next()?, sent: next()?, received: next()? };
        (read.received <= now).then_some(read)
    }

    /// Milliseconds by which the server's clock stepped between this reading and a later one, if no process
    /// has counted that; 0 if it did not.
    pub(super) fn step(self, later: Self) -> i64 {
        let moved = later.store - self.store;
        let (least, most) = (later.sent - self.received, later.received - self.sent);
        let slack = TOLERANCE + most / SLEW;
        if moved > most + slack {
            moved - most
        } else if moved < least - slack {
            moved - least
        } else {
            0
        }
    }

    /// The store's time as it should be at the monotonic time `now`, and the possible error, in the form
    /// that scripts take. No script uses a time beyond that before a step is counted.
    pub(super) fn expected(self, now: i64) -> String {
        let store = self.store + (now - self.received);
        let slack = TOLERANCE + (now - self.sent) / SLEW + (self.received - self.sent);
        format!("~{store} {slack}")
    }
}
