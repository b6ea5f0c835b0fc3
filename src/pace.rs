//! The slowest pace that is allowed to the other end of a connection: it may stop for a time, and has to
//! make up for it.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that are worth a second.
const BYTES_PER_SECOND: u64 = 16 << 10;

/// An allowance of time: waiting takes from it, and bytes add to it, never beyond what there was at first.
#[derive(Debug)]
pub struct Pace {
    most: Duration,
    left: Duration,
}

impl Pace {
    /// Waiting for `most` is allowed, and more after bytes that came faster than necessary.
    pub fn new(most: Duration) -> Self {
        Self { most, left: most }
    }

    /// The end of a wait that begins now.
    pub fn until(&self) -> Instant {
        Instant::now() + self.left
    }

    /// Bytes moved after a wait.
    pub fn moved(&mut self, bytes: usize, waited: Duration) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND);
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_trickle_uses_the_time_up_and_bytes_give_it_back() {
        let mut pace = Pace::new(30 * SECOND);
        for _ in 0..29 {
            pace.moved(1, SECOND);
        }
        assert!(pace.left < SECOND + SECOND / 10, "{:?}", pace.left);
        pace.moved(10 << 20, SECOND);
        assert_eq!(pace.left, 30 * SECOND, "a fast beginning earns no long stall");
    }
}
