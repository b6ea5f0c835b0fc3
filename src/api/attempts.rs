//! Limits of failed attempts: of an origin, so many are dealt with in a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_mins(1);

/// Origins that are remembered at once; those beyond count together.
const ORIGINS: usize = 4096;

/// The failures of the last minute, by origin.
#[derive(Debug)]
pub(super) struct Attempts<K> {
    most: u32,
    by_origin: Mutex<HashMap<Option<K>, (Instant, u32)>>,
}

impl<K: Hash + Eq> Attempts<K> {
    /// At most so many in a minute and origin.
    pub(super) fn new(most: u32) -> Self {
        Self { most, by_origin: Mutex::default() }
    }

    /// Counts a failed attempt. If there were too many, the error is the time to wait.
    pub(super) fn begin(&self, origin: K, now: Instant) -> Result<(), Duration> {
        let mut by_origin = self.by_origin.lock();
        if by_origin.len() >= ORIGINS {
            by_origin.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        }
        let mut origin = Some(origin);
        if by_origin.len() >= ORIGINS && !by_origin.contains_key(&origin) {
            origin = None;
        }
        let (since, count) = by_origin.entry(origin).or_insert((now, 0));
        let age = now.duration_since(*since);
        if age >= WINDOW {
            (*since, *count) = (now, 0);
        } else if *count >= self.most {
            return Err(WINDOW.saturating_sub(age));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::network::network;

    const MOST: u32 = 10;

    fn ip(text: &str) -> IpAddr {
        network(text.parse().expect("an address"))
    }

    #[test]
    fn the_eleventh_failure_of_an_origin_in_a_minute_waits() {
        let (attempts, start) = (Attempts::new(MOST), Instant::now());
        for _ in 0..MOST {
            assert_eq!(attempts.begin(ip("192.0.2.1"), start), Ok(()));
        }
        let soon = start + Duration::from_secs(20);
        assert_eq!(attempts.begin(ip("192.0.2.1"), soon), Err(Duration::from_secs(40)));
        assert_eq!(attempts.begin(ip("192.0.2.2"), soon), Ok(()));
        assert_eq!(attempts.begin(ip("192.0.2.1"), start + WINDOW), Ok(()));
    }

    #[test]
    fn a_network_is_one_origin() {
        let (attempts, start) = (Attempts::new(MOST), Instant::now());
        for n in 0..MOST {
            assert_eq!(attempts.begin(ip(&format!("2001:db8::{n:x}")), start), Ok(()));
        }
        assert!(attempts.begin(ip("2001:db8::ffff"), start).is_err());
        assert!(attempts.begin(ip("2001:db8:0:1::"), start).is_ok());
    }

    #[test]
    fn many_origins_take_bounded_memory() {
        let (attempts, start) = (Attempts::new(MOST), Instant::now());
        for n in 0..2 * ORIGINS as u32 {
            let _ = attempts.begin(n, start);
        }
        assert!(attempts.by_origin.lock().len() <= ORIGINS + 1);
        assert_eq!(attempts.begin(0, start + WINDOW), Ok(()));
        assert_eq!(attempts.by_origin.lock().len(), 1);
    }
}
