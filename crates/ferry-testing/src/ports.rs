//! Ports for servers that are started after the choice, or twice on the same port.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the systems give to connections and to listeners of port 0: one of those
/// could be taken by anything while a server restarts.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// A free port, which no other test of this process gets.
///
/// # Panics
///
/// If all are in use.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test binaries that run side by side begin at different places.
    let begin = std::process::id().wrapping_mul(97) % u32::from(COUNT);
    let port = |step: u16| FIRST + ((begin + u32::from(step)) % u32::from(COUNT)) as u16;
    let next = || port(NEXT.fetch_add(1, Ordering::Relaxed));
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (0..COUNT).map(|_| next());
    ports.find(is_free).expect("a port of the tests' range is free")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_or_could_be_taken_by_a_connection() {
        let ports: Vec<u16> = (0..500).map(|_| free_port()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)), "{ports:?}");
    }
}
