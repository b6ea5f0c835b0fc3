//! Remembers rows, in bounded memory, to find those that occur twice.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use csv::ByteRecord;

/// Maximum number of different rows that are remembered; later ones are only compared with these.
const MAX_REMEMBERED: usize = 1_800_000;

/// The rows so far. A hash stands for the row, so that memory does not grow with its length.
#[derive(Debug, Default)]
pub(super) struct SeenRows {
    numbers: HashMap<u64, u64, BuildHasherDefault<Hashed>>,
    hashes: RandomState,
}

/// Takes a key that is a hash already as it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |key, byte| key << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl SeenRows {
    /// The number of the first row that is the same as this one, which has the number `row`.
    pub(super) fn same_as(&mut self, record: &ByteRecord, row: u64) -> Option<u64> {
        let hash = self.hash(record);
        let first = self.numbers.get(&hash).copied();
        if first.is_none() && self.numbers.len() < MAX_REMEMBERED {
            self.numbers.insert(hash, row);
        }
        first
    }

    fn hash(&self, record: &ByteRecord) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        for cell in record {
            hasher.write(cell);
            // Occurs in no UTF-8 text, so cells cannot run together.
            hasher.write_u8(0xff);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_with_the_same_cells_are_the_same() {
        let mut seen = SeenRows::default();
        assert_eq!(seen.same_as(&ByteRecord::from(vec!["ab", "c"]), 1), None);
        assert_eq!(seen.same_as(&ByteRecord::from(vec!["a", "bc"]), 2), None);
        assert_eq!(seen.same_as(&ByteRecord::from(vec!["ab", "c"]), 3), Some(1));
    }
}
