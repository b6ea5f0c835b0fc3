//! Exemplars of histograms: of each bucket, the trace of the newest measurement that has one.

use std::collections::BTreeMap;

use ferry_types::domain::Timestamp;
use parking_lot::{Mutex, MutexGuard};

/// The trace that a measurement belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Its id, in hexadecimal digits.
    pub trace: String,
    /// The time of the measurement.
    pub at: Timestamp,
}

/// A bucket: the metric, the value of its first label, and the upper bound as bits.
type Bucket = (&'static str, String, u64);

/// At most one for each bucket.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<BTreeMap<Bucket, (f64, Exemplar)>>);

impl Exemplars {
    pub(super) fn keep(
        &self,
        (metric, label): (&'static str, &str),
        buckets: &[f64],
        value: f64,
        exemplar: Exemplar,
    ) {
        let bound = buckets.iter().copied().find(|bound| value <= *bound);
        let bound = bound.unwrap_or(f64::INFINITY).to_bits();
        self.all().insert((metric, label.to_owned(), bound), (value, exemplar));
    }

    pub(super) fn of(&self, metric: &str, label: &str, bound: f64) -> Option<(f64, Exemplar)> {
        let all = self.all();
        let found = all.iter().find(|((of, value, upper), _)| {
            *of == metric && *value == label && *upper == bound.to_bits()
        });
        found.map(|(_, found)| found.clone())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Bucket, (f64, Exemplar)>> {
        self.0.lock()
    }
}
