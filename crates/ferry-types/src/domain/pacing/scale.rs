//! A logarithmic scale of times, in seconds.

/// Number of buckets.
pub(super) const BUCKETS: usize = 100;

/// Buckets of times. Each has its upper edge and not its lower one; all but the first are equally wide by
/// their logarithm.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    edges: [f64; BUCKETS + 1],
    growth: f64,
}

impl Scale {
    /// The first bucket ends at `first`, and the last one at `end`.
    pub(super) fn new(first: f64, end: f64) -> Self {
        let growth = (end / first).powf(1.0 / (BUCKETS - 1) as f64);
        let edge = |n: usize| if n == 0 { 0.0 } else { first * growth.powi(n as i32 - 1) };
        Self { edges: std::array::from_fn(edge), growth: growth.ln() }
    }

    /// Edge below a bucket, or above the one before.
    pub(super) fn edge(&self, bucket: usize) -> f64 {
        self.edges[bucket]
    }

    /// Bucket of a time; a time beyond the scale belongs to the last one.
    pub(super) fn bucket(&self, time: f64) -> usize {
        if time <= self.edges[1] {
            return 0;
        }
        // An edge belongs to the bucket below it, however it was rounded.
        let above = ((time / self.edges[1]).ln() / self.growth - 1e-9).floor();
        (above.max(0.0) as usize + 1).min(BUCKETS - 1)
    }

    /// Part of a bucket that lies before `time`.
    pub(super) fn part(&self, bucket: usize, time: f64) -> f64 {
        let (low, high) = (self.edges[bucket], self.edges[bucket + 1]);
        ((time - low) / (high - low)).clamp(0.0, 1.0)
    }
}
