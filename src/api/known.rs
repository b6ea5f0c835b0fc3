//! Values that never change, remembered in bounded memory: the oldest half of them is forgotten at once.

use std::collections::HashMap;
use std::hash::Hash;

/// Memory of an entry beside what its value has elsewhere, in bytes.
const ENTRY: usize = 160;

/// Values by key.
#[derive(Debug)]
pub(super) struct Known<K, V> {
    most: usize,
    /// The bytes of `newer`.
    bytes: usize,
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone + Default> Known<K, V> {
    /// Remembers values of about so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { most, bytes: 0, newer: HashMap::new(), older: HashMap::new() }
    }

    /// The value of a key, or a new one.
    pub(super) fn entry(&mut self, key: K) -> V {
        if let Some(value) = self.newer.get(&key).or_else(|| self.older.get(&key)) {
            return value.clone();
        }
        let value = V::default();
        self.newer.insert(key, value.clone());
        self.grows(ENTRY);
        value
    }

    /// A value has so many bytes more.
    pub(super) fn grows(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > self.most / 2 {
            self.older = std::mem::take(&mut self.newer);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_values_are_remembered_and_the_others_forgotten() {
        let mut known: Known<usize, std::sync::Arc<()>> = Known::new(100 * ENTRY);
        let values: Vec<_> = (0..1000).map(|key| known.entry(key)).collect();
        assert!(known.newer.len() + known.older.len() <= 101);
        for (key, value) in values.iter().enumerate().skip(960) {
            assert!(std::sync::Arc::ptr_eq(&known.entry(key), value), "{key}");
        }
        assert!(!std::sync::Arc::ptr_eq(&known.entry(0), &values[0]));
    }

    #[test]
    fn large_values_count_with_their_bytes() {
        let mut known: Known<usize, std::sync::Arc<()>> = Known::new(100 * ENTRY);
        for key in 0..100 {
            known.entry(key);
            known.grows(30 * ENTRY);
        }
        assert!(known.newer.len() + known.older.len() <= 4);
    }
}
