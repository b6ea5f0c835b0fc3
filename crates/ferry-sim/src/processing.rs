//! The time that the simulator takes for a dataset.

use std::time::Duration;

use fastrand::Rng;

/// Time from the upload of a dataset to its verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Processing {
    /// Always the same time.
    Fixed(Duration),
    /// Any time between two, all equally likely.
    Uniform(Duration, Duration),
    /// Mostly around the median, and sometimes much longer.
    LogNormal {
        /// Half of the datasets take less.
        median: Duration,
        /// Standard deviation of the logarithm of the time.
        sigma: f64,
    },
}

/// No dataset takes longer than so many times the median.
const LONGEST: f64 = 1e4;

impl Processing {
    /// The time that the next dataset takes.
    pub(super) fn time(&self, rng: &mut Rng) -> Duration {
        match *self {
            Self::Fixed(time) => time,
            Self::Uniform(from, to) => from + to.saturating_sub(from).mul_f64(rng.f64()),
            Self::LogNormal { median, sigma } => {
                // Box and Muller's normal deviate.
                let (u, v) = (1.0 - rng.f64(), rng.f64());
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                median.mul_f64((sigma * normal).exp().min(LONGEST))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn times(processing: Processing, seed: u64) -> Vec<Duration> {
        let mut rng = Rng::with_seed(seed);
        (0..2000).map(|_| processing.time(&mut rng)).collect()
    }

    fn share(times: &[Duration], is_such: impl Fn(&Duration) -> bool) -> f64 {
        times.iter().filter(|time| is_such(time)).count() as f64 / times.len() as f64
    }

    #[test]
    fn the_same_seed_gives_the_same_times() {
        for processing in [
            Processing::Uniform(SECOND, 3 * SECOND),
            Processing::LogNormal { median: SECOND, sigma: 1.0 },
        ] {
            assert_eq!(times(processing, 1), times(processing, 1));
            assert_ne!(times(processing, 1), times(processing, 2));
        }
        assert_eq!(times(Processing::Fixed(SECOND), 1), vec![SECOND; 2000]);
    }

    #[test]
    fn uniform_times_fill_their_range_evenly() {
        let times = times(Processing::Uniform(SECOND, 3 * SECOND), 1);
        assert!(times.iter().all(|time| (SECOND..3 * SECOND).contains(time)));
        let lower = share(&times, |time| *time < 2 * SECOND);
        assert!((0.45..0.55).contains(&lower), "{lower}");
        let reversed = Processing::Uniform(3 * SECOND, SECOND);
        assert_eq!(reversed.time(&mut Rng::with_seed(1)), 3 * SECOND);
    }

    #[test]
    fn lognormal_times_lie_around_the_median_with_a_long_tail() {
        let times = times(Processing::LogNormal { median: SECOND, sigma: 1.0 }, 1);
        let lower = share(&times, |time| *time < SECOND);
        assert!((0.45..0.55).contains(&lower), "{lower}");
        // 68 % lie within one sigma, and 2.3 % beyond two above.
        let within = share(&times, |time| time.as_secs_f64().ln().abs() < 1.0);
        assert!((0.64..0.72).contains(&within), "{within}");
        let tail = share(&times, |time| time.as_secs_f64().ln() > 2.0);
        assert!((0.01..0.04).contains(&tail), "{tail}");
        let wild = Processing::LogNormal { median: SECOND, sigma: 1e6 };
        let mut rng = Rng::with_seed(1);
        assert!((0..100).all(|_| wild.time(&mut rng) <= SECOND.mul_f64(LONGEST)));
    }
}
