//! Properties of all schedules.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::timestamp;

/// The defaults of the settings.
const BACKOFF: PollBackoff =
    PollBackoff { initial: Duration::from_secs(2), factor: 2.0, max: Duration::from_mins(1) };

fn observed(planner: &mut PollPlanner, number: usize, from: u64, to: u64) {
    for _ in 0..number {
        planner.observe(Duration::from_millis(from), Duration::from_millis(to));
    }
}

#[test]
fn little_knowledge_plans_nothing() {
    let mut planner = PollPlanner::new(BACKOFF);
    observed(&mut planner, 7, 40_000, 50_000);
    assert!(planner.schedule(timestamp(0)).is_none());
    observed(&mut planner, 1, 40_000, 50_000);
    assert!(planner.schedule(timestamp(0)).is_some());
}

#[test]
fn a_schedule_names_the_usual_time_and_ends_behind_the_observed_ones() {
    let mut planner = PollPlanner::new(BACKOFF);
    observed(&mut planner, 40, 230_000, 240_000);
    let schedule = planner.schedule(timestamp(0)).unwrap();
    let usual = schedule.usual().as_secs();
    assert!((225..290).contains(&usual), "{usual}");
    assert!(schedule.delay(Duration::from_mins(3), 0.5).is_some());
    assert_eq!(schedule.delay(Duration::from_mins(10), 0.5), None, "backoff applies");
}

#[test]
fn three_surprises_in_a_row_forget_what_was_before() {
    let mut planner = PollPlanner::new(BACKOFF);
    observed(&mut planner, 40, 230_000, 240_000);
    assert!(planner.schedule(timestamp(0)).is_some());
    observed(&mut planner, 2, 0, 1000);
    assert!(planner.schedule(timestamp(0)).is_some());
    observed(&mut planner, 1, 0, 1000);
    assert!(planner.schedule(timestamp(0)).is_none());
}

#[test]
fn a_plan_lasts_for_a_second() {
    let mut planner = PollPlanner::new(BACKOFF);
    observed(&mut planner, 8, 40_000, 50_000);
    let usual = |planner: &mut PollPlanner, now| planner.schedule(timestamp(now)).unwrap().usual();
    let before = usual(&mut planner, 5000);
    observed(&mut planner, 8, 44_000, 45_000);
    assert_eq!(usual(&mut planner, 5999), before);
    assert_ne!(usual(&mut planner, 6000), before);
}

/// A backoff with any settings.
fn any_backoff() -> impl Strategy<Value = PollBackoff> {
    let millis = || (0_u64..10_000_000).prop_map(Duration::from_millis);
    (millis(), 1.0_f32..100.0, millis()).prop_map(|(initial, factor, max)| PollBackoff {
        initial,
        factor,
        max,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_delay_is_within_the_bounds_of_backoff(
        backoff in any_backoff(),
        times in proptest::collection::vec((0_u64..100_000_000, 0_u64..1_000_000), 8..40),
        age in 0_u64..200_000_000,
        jitter in 0.0..1.0_f64,
    ) {
        let mut planner = PollPlanner::new(backoff);
        for (from, width) in times {
            observed(&mut planner, 1, from, from + width);
        }
        let schedule = planner.schedule(timestamp(0));
        let delay = schedule.and_then(|found| found.delay(Duration::from_millis(age), jitter));
        if let Some(delay) = delay {
            let millis = Duration::from_millis(1);
            let max = backoff.max.max(millis);
            let least = backoff.initial.max(millis).min(max) / 2;
            // Floating point rounds to nanoseconds.
            let near = Duration::from_micros(1);
            prop_assert!(delay + near >= least && delay <= max + near, "{delay:?}");
        }
    }

    #[test]
    fn backoff_is_between_half_and_the_whole_of_the_nominal_delay(
        backoff in any_backoff(),
        polls in 0_u32..,
        jitter in 0.0..1.0_f64,
    ) {
        let delay = backoff.delay(polls, jitter);
        prop_assert!(delay <= backoff.max);
        prop_assert!(delay >= backoff.initial.min(backoff.max) / 2 || polls > 0);
    }
}
