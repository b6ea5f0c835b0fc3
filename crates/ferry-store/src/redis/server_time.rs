//! A reading of the server's clock, with which a step of it is seen.

use crate::store_time::{SLEW, TOLERANCE};

/// A reading of the server's clock, and the monotonic times around it, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerTime {
    pub(super) wall: i64,
    pub(super) sent: i64,
    pub(super) received: i64,
    /// By how much the server's clock is ahead of the store's time.
    pub(super) offset: i64,
}

impl ServerTime {
    /// Milliseconds by which the server's clock stepped between this reading and a later one; 0 if it
    /// did not.
    pub(super) fn step(self, later: Self) -> i64 {
        let moved = later.wall - self.wall;
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

    /// The server's clock as it should be at the monotonic time `now`, the possible error, and the offset
    /// that belongs to it, in the form that scripts take. No script uses a time beyond that before the
    /// step is counted.
    pub(super) fn expected(self, now: i64) -> String {
        let wall = self.wall + (now - self.received);
        let slack = TOLERANCE + (now - self.sent) / SLEW + (self.received - self.sent);
        format!("~{wall} {slack} {}", self.offset)
    }
}
