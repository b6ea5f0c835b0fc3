//! Knowledge of this process about the steps that it owns, so that a commit reads nothing before it. What
//! it has forgotten is read again.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::record::RedisRecord;
use crate::{Commit, Lease};

/// More than a process holds: beyond it, steps whose lease has run out are forgotten.
const MOST: usize = 10_000;

/// Time for which a submission is remembered that was read for a commit.
const SOON: Duration = Duration::from_mins(1);

/// The steps that this process holds.
#[derive(Debug, Default)]
pub(super) struct OwnedSteps(Mutex<HashMap<Lease, Step>>);

#[derive(Debug)]
struct Step {
    record: Arc<RedisRecord>,
    until: Option<Instant>,
    /// Mark of the commit whose response was lost.
    tried: Option<u64>,
}

impl OwnedSteps {
    pub(super) fn claimed(
        &self,
        claims: impl IntoIterator<Item = (Lease, Arc<RedisRecord>)>,
        duration: Duration,
    ) {
        let mut owned = self.lock();
        if owned.len() > MOST {
            let now = Instant::now();
            owned.retain(|_, step| step.until.is_none_or(|until| until > now));
        }
        let until = Instant::now().checked_add(duration);
        for (lease, record) in claims {
            owned.insert(lease, Step { record, until, tried: None });
        }
    }

    /// A step that was claimed elsewhere, or forgotten: it is wanted for its commit.
    pub(super) fn read(&self, lease: Lease, record: Arc<RedisRecord>) {
        let until = Instant::now().checked_add(SOON);
        self.lock().insert(lease, Step { record, until, tried: None });
    }

    pub(super) fn renewed(&self, leases: &[Lease], renewed: &[bool], duration: Duration) {
        let until = Instant::now().checked_add(duration);
        let mut owned = self.lock();
        for (lease, _) in leases.iter().zip(renewed).filter(|(_, renewed)| **renewed) {
            if let Some(step) = owned.get_mut(lease) {
                step.until = until;
            }
        }
    }

    pub(super) fn record(&self, lease: &Lease) -> Option<Arc<RedisRecord>> {
        self.lock().get(lease).map(|step| step.record.clone())
    }

    pub(super) fn forget(&self, leases: impl IntoIterator<Item = Lease>) {
        let mut owned = self.lock();
        for lease in leases {
            owned.remove(&lease);
        }
    }

    /// The response to these commits got lost.
    pub(super) fn tried<'a>(&self, commits: impl IntoIterator<Item = &'a Commit>) {
        let mut owned = self.lock();
        for commit in commits {
            if let Some(step) = owned.get_mut(&commit.lease) {
                step.tried = Some(mark(commit));
            }
        }
    }

    /// True if the response to this very commit was lost before.
    pub(super) fn has_tried(&self, commit: &Commit) -> bool {
        let tried = self.lock().get(&commit.lease).and_then(|step| step.tried);
        tried.is_some_and(|tried| tried == mark(commit))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Lease, Step>> {
        // Every critical section leaves a whole map.
        self.0.lock()
    }
}

/// Distinguishes the commits of one lease.
fn mark(commit: &Commit) -> u64 {
    let mut hasher = DefaultHasher::new();
    commit.transition.hash(&mut hasher);
    hasher.finish()
}
