//! Resources that all requests share, and of which one key can never take all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The owner of a share. A client that is not authenticated owns nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// All processes of this machine, where there are no keys. They may have all.
    Local,
    /// The API key of this name.
    Key(Arc<str>),
}

/// A resource, in units of any kind.
#[derive(Debug)]
pub(super) struct Shares {
    all: u64,
    /// The most for one key.
    each: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    all: u64,
    by_key: BTreeMap<Arc<str>, u64>,
}

/// There is no more, or no more for this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exhausted {
    All,
    Key,
}

/// A part of a resource, released when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    owner: Owner,
    /// Changes while `shares` are locked only.
    amount: AtomicU64,
}

impl Shares {
    /// A resource of which one key has at most half, and at least `least`.
    pub(super) fn new(all: u64, least: u64) -> Arc<Self> {
        let each = all.div_ceil(2).max(least);
        Arc::new(Self { all, each, used: Mutex::default() })
    }

    /// With this number of permits, half of them for one key.
    pub(super) fn permits(count: usize) -> Arc<Self> {
        Self::new(count.max(1) as u64, 1)
    }

    /// The most that one owner can have.
    pub(super) fn most_for(&self, owner: &Owner) -> u64 {
        match owner {
            Owner::Local => self.all,
            Owner::Key(_) => self.each,
        }
    }

    /// A share of nothing, which may grow.
    pub(super) fn share(self: &Arc<Self>, owner: &Owner) -> Share {
        Share { shares: self.clone(), owner: owner.clone(), amount: AtomicU64::new(0) }
    }

    /// One permit.
    pub(super) fn take(self: &Arc<Self>, owner: &Owner) -> Result<Share, Exhausted> {
        let share = self.share(owner);
        share.resize(1)?;
        Ok(share)
    }
}

impl Share {
    /// Makes it as large as `amount`, if there is so much. A smaller share is always possible.
    pub(super) fn resize(&self, amount: u64) -> Result<(), Exhausted> {
        let mut used = self.shares.used.lock();
        let now = self.amount.load(Ordering::Relaxed);
        let (more, all) = (amount.saturating_sub(now), used.all - now + amount);
        if more > 0 && all > self.shares.all {
            return Err(Exhausted::All);
        }
        if let Owner::Key(owner) = &self.owner {
            let own = used.by_key.get(owner).copied().unwrap_or_default() - now + amount;
            if more > 0 && own > self.shares.each {
                return Err(Exhausted::Key);
            }
            match own {
                0 => used.by_key.remove(owner),
                _ => used.by_key.insert(owner.clone(), own),
            };
        }
        used.all = all;
        self.amount.store(amount, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // A smaller reservation is always granted.
        let _ = self.resize(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [Owner; 2] {
        ["a", "b"].map(|name| Owner::Key(name.into()))
    }

    #[test]
    fn one_key_never_takes_all_and_gives_back_what_it_took() {
        let shares = Shares::new(10, 1);
        let keys = keys();
        let [a, b] = keys.each_ref().map(|key| shares.share(key));
        assert_eq!(a.resize(6), Err(Exhausted::Key));
        assert_eq!((a.resize(5), b.resize(5)), (Ok(()), Ok(())));
        assert_eq!(shares.take(&keys[0]).unwrap_err(), Exhausted::All);
        assert_eq!(a.resize(2), Ok(()));
        assert_eq!(shares.take(&keys[1]).unwrap_err(), Exhausted::Key);
        drop((a, b));
        assert!(shares.used.lock().by_key.is_empty());
        assert_eq!(shares.used.lock().all, 0);
    }

    #[test]
    fn without_keys_one_owner_has_all() {
        let shares = Shares::permits(2);
        let local = Owner::Local;
        let taken = [shares.take(&local), shares.take(&local)].map(Result::unwrap);
        assert_eq!(shares.take(&local).unwrap_err(), Exhausted::All);
        drop(taken);
        assert_eq!(shares.most_for(&local), 2);
    }
}
