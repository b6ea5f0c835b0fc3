//! Names for claims that no two calls share, whichever process makes them, and whatever a store forgets.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::rand::{SecureRandom, SystemRandom};

/// Names one call that claimed steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimId {
    process: u64,
    call: u64,
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.process, self.call)
    }
}

/// The claims of one handle on a store.
#[derive(Debug)]
pub(super) struct ClaimIds {
    process: u64,
    calls: AtomicU64,
}

impl ClaimIds {
    pub(super) fn random() -> Self {
        Self::numbered(random_number())
    }

    /// For stores that live in one process, whose runs are to be repeated.
    pub(super) fn numbered(process: u64) -> Self {
        Self { process, calls: AtomicU64::new(1) }
    }

    /// Returns the process as the texts of its claims begin.
    pub(super) fn process(&self) -> String {
        format!("{:016x}", self.process)
    }

    pub(super) fn next(&self) -> ClaimId {
        ClaimId { process: self.process, call: self.calls.fetch_add(1, Ordering::Relaxed) }
    }
}

/// Returns a random number that identifies a process or a store.
pub(super) fn random_number() -> u64 {
    let mut random = [0; 8];
    // Without randomness two processes may get the same number, and TLS would not work either.
    SystemRandom::new().fill(&mut random).expect("the system gives random bytes");
    u64::from_le_bytes(random)
}
