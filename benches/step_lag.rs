//! Lag of the claims of a process, from its metrics.

use ferry::app::App;

/// Claims that were at most so many seconds late, for all kinds of steps together.
#[derive(Debug)]
pub(crate) struct StepLag(Vec<(f64, f64)>);

impl StepLag {
    /// So far.
    pub(crate) fn of(app: &App) -> Self {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        let metrics = app.metrics.render();
        let lines = metrics.lines().filter(|l| l.starts_with("ferry_step_lag_seconds_bucket"));
        for line in lines {
            let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
            let bound: f64 = bound.and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY);
            let count = line.rsplit(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
            match buckets.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, sum)) => *sum += count,
                None => buckets.push((bound, count)),
            }
        }
        Self(buckets)
    }

    fn since(&self, before: &Self) -> Vec<(f64, f64)> {
        let pairs = self.0.iter().zip(&before.0);
        pairs.map(|((bound, after), (_, before))| (*bound, after - before)).collect()
    }

    /// Number of claims after `before`.
    #[allow(dead_code, reason = "not every benchmark asks")]
    pub(crate) fn count(&self, before: &Self) -> f64 {
        self.since(before).last().map_or(0.0, |(_, count)| *count)
    }

    /// The upper bound, in milliseconds, of the bucket that holds the 99th percentile of the claims
    /// after `before`.
    pub(crate) fn p99_ms(&self, before: &Self) -> f64 {
        let counts = self.since(before);
        let total = counts.last().map_or(0.0, |(_, count)| *count);
        let found = counts.iter().find(|(_, count)| *count >= total * 0.99);
        found.map_or(f64::INFINITY, |(bound, _)| bound * 1000.0)
    }
}
