//! Simulates the polls of many submissions, beside those of backoff for the same processing times.

mod worlds;

use std::ops::{AddAssign, Range};
use std::time::Duration;

use fastrand::Rng;

use ferry_types::domain::pacing::{PollBackoff, PollPlanner};
use ferry_types::domain::{later, timestamp};
use worlds::{CHANGES, GOALS, OTHERS, World};

/// Submissions of a run, of which the first are to learn from.
const RUN: usize = 150;
const LEARNED: usize = 50;

/// The defaults of the settings.
const BACKOFF: PollBackoff =
    PollBackoff { initial: Duration::from_secs(2), factor: 2.0, max: Duration::from_mins(1) };

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    polls: f64,
    lag: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.polls += other.polls;
        self.lag += other.lag;
    }
}

/// Costs of each submission of a run, summed over several runs.
struct Simulated {
    backoff: Vec<Cost>,
    planned: Vec<Cost>,
}

impl Simulated {
    fn new(world: &World, runs: u64) -> Self {
        let mut simulated =
            Self { backoff: vec![Cost::default(); RUN], planned: vec![Cost::default(); RUN] };
        for run in 0..runs {
            simulated.run(world, run);
        }
        simulated
    }

    fn run(&mut self, world: &World, run: u64) {
        let (mut rng, mut now) = (Rng::with_seed(run), timestamp(0));
        let mut planner = PollPlanner::new(BACKOFF);
        for number in 0..RUN {
            let time = (world.time)(&mut rng, number);
            let (mut jitters, mut others) = (rng.fork(), rng.fork());
            let (.., cost) = polled(time, |_, polls| BACKOFF.delay(polls, others.f64()));
            self.backoff[number] += cost;
            let schedule = planner.schedule(now);
            let (from, to, cost) = polled(time, |age, polls| {
                let jitter = jitters.f64();
                let planned = schedule.as_ref().and_then(|schedule| schedule.delay(age, jitter));
                planned.unwrap_or_else(|| BACKOFF.delay(polls, jitter))
            });
            self.planned[number] += cost;
            planner.observe(from, to);
            now = later(now, to);
        }
    }

    /// Polls and lag of these submissions, relative to backoff.
    fn relative(&self, submissions: Range<usize>) -> (f64, f64) {
        let total = |costs: &[Cost]| {
            let mut total = Cost::default();
            costs[submissions.clone()].iter().for_each(|cost| total += *cost);
            total
        };
        let (backoff, planned) = (total(&self.backoff), total(&self.planned));
        (planned.polls / backoff.polls, planned.lag / backoff.lag)
    }

    /// A line of the table: both parts of the run.
    #[expect(clippy::print_stdout, reason = "the documents name the command that shows the table")]
    fn printed(&self, name: &str) -> [(f64, f64); 2] {
        let [first, later] = [0..LEARNED, LEARNED..RUN].map(|range| self.relative(range));
        println!("{name:30} | {:.2} / {:.2} | {:.2} / {:.2}", first.0, first.1, later.0, later.1);
        [first, later]
    }
}

/// Polls until `time` has passed: the last pending poll, the one after it, and what they cost.
fn polled(
    time: f64,
    mut delay: impl FnMut(Duration, u32) -> Duration,
) -> (Duration, Duration, Cost) {
    let (mut before, mut age, mut polls) = (Duration::ZERO, Duration::ZERO, 0);
    while age.as_secs_f64() < time {
        before = age;
        age += delay(age, polls);
        polls += 1;
    }
    (before, age, Cost { polls: polls.into(), lag: age.as_secs_f64() - time })
}

#[test]
fn after_fifty_submissions_polls_and_lag_are_near_the_optimum() {
    for (world, (polls, lag)) in &GOALS {
        let [_, later] = Simulated::new(world, 40).printed(world.name);
        let is_near = later.0 <= polls * 1.1 && later.1 <= lag * 1.1;
        assert!(is_near, "{}: {later:?}, goal {polls} and {lag}", world.name);
    }
}

#[test]
fn no_platform_costs_more_polls_or_lag_than_with_backoff() {
    for world in OTHERS.iter().chain(&CHANGES) {
        for (polls, lag) in Simulated::new(world, 8).printed(world.name) {
            assert!(polls <= 1.05 && lag <= 1.05, "{}: {polls} and {lag}", world.name);
        }
    }
}

#[test]
fn fifty_submissions_after_a_change_the_schedule_fits_again() {
    // From the 50th on it is another Platform.
    for change in &CHANGES[..2] {
        let unchanged = World { time: change.later, ..*change };
        let [changed, unchanged] =
            [change, &unchanged].map(|world| Simulated::new(world, 20).relative(2 * LEARNED..RUN));
        let is_alike = |(changed, unchanged): (f64, f64)| changed <= unchanged * 1.1 + 0.02;
        let alike = [(changed.0, unchanged.0), (changed.1, unchanged.1)].map(is_alike);
        assert_eq!(alike, [true; 2], "{}: {changed:?}, else {unchanged:?}", change.name);
    }
}
