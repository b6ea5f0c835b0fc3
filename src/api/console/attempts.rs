//! Attempts to log in: so many of an origin fail in a minute, and then it has to wait.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Failed attempts of an origin in a window.
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// Origins that are remembered at once; those beyond count together.
const ORIGINS: usize = 4096;
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The attempts of the last minute, by origin.
#[derive(Debug, Default)]
pub(in crate::api) struct Attempts(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl Attempts {
    /// Counts an attempt as failed, before it is looked at, so that many at once gain nothing. The error
    /// is the time to wait.
    pub(in crate::api) fn begin(&self, origin: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut attempts = self.0.lock();
        if attempts.len() >= ORIGINS {
            attempts.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        }
        let mut origin = network(origin);
        if attempts.len() >= ORIGINS && !attempts.contains_key(&origin) {
            origin = OTHERS;
        }
        let (since, count) = attempts.entry(origin).or_insert((now, 0));
        let age = now.duration_since(*since);
        if age >= WINDOW {
            (*since, *count) = (now, 0);
        } else if *count >= MOST {
            return Err(WINDOW.saturating_sub(age));
        }
        *count += 1;
        Ok(())
    }

    /// Takes an attempt back that succeeded.
    pub(in crate::api) fn succeeded(&self, origin: IpAddr) {
        if let Some((_, count)) = self.0.lock().get_mut(&network(origin)) {
            *count = count.saturating_sub(1);
        }
    }
}

/// One host has a whole network of IPv6 addresses.
fn network(origin: IpAddr) -> IpAddr {
    match origin.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(bits).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_eleventh_failure_of_an_origin_in_a_minute_waits() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for _ in 0..MOST {
            assert_eq!(attempts.begin(ip("192.0.2.1"), start), Ok(()));
        }
        let soon = start + Duration::from_secs(20);
        assert_eq!(attempts.begin(ip("192.0.2.1"), soon), Err(Duration::from_secs(40)));
        assert_eq!(attempts.begin(ip("192.0.2.2"), soon), Ok(()));
        assert_eq!(attempts.begin(ip("192.0.2.1"), start + WINDOW), Ok(()));
    }

    #[test]
    fn what_succeeds_does_not_count_and_a_network_is_one_origin() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for n in 0..100 {
            let origin = ip(&format!("2001:db8::{n:x}"));
            assert_eq!(attempts.begin(origin, start), Ok(()));
            attempts.succeeded(origin);
        }
        for n in 0..MOST {
            assert_eq!(attempts.begin(ip(&format!("2001:db8::{n:x}")), start), Ok(()));
        }
        assert!(attempts.begin(ip("2001:db8::ffff"), start).is_err());
        assert!(attempts.begin(ip("2001:db8:0:1::"), start).is_ok());
    }

    #[test]
    fn many_origins_take_bounded_memory() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for n in 0..2 * ORIGINS as u32 {
            let _ = attempts.begin(std::net::Ipv4Addr::from(n).into(), start);
        }
        assert!(attempts.0.lock().len() <= ORIGINS + 1);
        assert_eq!(attempts.begin(ip("9.9.9.9"), start + WINDOW), Ok(()));
        assert_eq!(attempts.0.lock().len(), 1);
    }
}
