//! Claims whose answers got lost: the steps that they leased are asked for with the next claim, so
//! that no step waits for the end of a lease, and no upload is in doubt that was not begun.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom};

use ferry_types::domain::submission::StepKind;

/// So many claims ask for what an earlier one leased: the server may still have been to carry that
/// out when the first of them came.
const TRIES: u32 = 3;

/// The claims of one process.
#[derive(Debug)]
pub(super) struct LostClaims {
    /// Tells the process from all others.
    process: String,
    calls: AtomicU64,
    lost: Mutex<Vec<LostClaim>>,
}

#[derive(Debug)]
struct LostClaim {
    kind: StepKind,
    name: String,
    tries: u32,
}

impl LostClaims {
    pub(super) fn new() -> Self {
        Self { process: random_name(), calls: AtomicU64::new(1), lost: Mutex::default() }
    }

    /// A name for a new claim, and the names of those whose answers got lost.
    pub(super) fn begin(&self, kind: StepKind) -> (String, Vec<String>) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let lost = self.lock();
        let lost = lost.iter().filter(|claim| claim.kind == kind).map(|claim| claim.name.clone());
        (format!("{}-{call}", self.process), lost.collect())
    }

    /// The answer to a claim got lost.
    pub(super) fn lose(&self, kind: StepKind, name: String) {
        self.lock().push(LostClaim { kind, name, tries: 0 });
    }

    /// A claim that asked for lost ones was answered, with as many steps as it wanted or not.
    pub(super) fn heard(&self, asked_for: &[String], full: bool) {
        if asked_for.is_empty() {
            return;
        }
        let mut lost = self.lock();
        for claim in lost.iter_mut().filter(|claim| !full && asked_for.contains(&claim.name)) {
            claim.tries += 1;
        }
        lost.retain(|claim| claim.tries < TRIES);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<LostClaim>> {
        // Every critical section leaves a whole list.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 16 hexadecimal digits.
pub(super) fn random_name() -> String {
    let mut random = [0; 8];
    // Without randomness there is no way to tell processes apart, and TLS would not work either.
    SystemRandom::new().fill(&mut random).expect("the system gives random bytes");
    random.iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}
