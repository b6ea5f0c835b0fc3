//! Platforms, by the time that they take to process a dataset.

use std::f64::consts::TAU;

use fastrand::Rng;

/// Processing time in seconds of the dataset with this number.
type Time = fn(&mut Rng, usize) -> f64;

/// A Platform.
pub(super) struct World {
    pub(super) name: &'static str,
    pub(super) time: Time,
    /// The same as it is from the fiftieth on, if that differs.
    pub(super) later: Time,
}

const fn world(name: &'static str, time: Time) -> World {
    World { name, time, later: time }
}

/// Polls and lag of the optimum that has seen 200 processing times, relative to backoff. Of the fourth one
/// that optimum has fewer polls, for three times the lag.
pub(super) const GOALS: [(World, (f64, f64)); 5] = [
    (world("log-normal, 60 s, 0.5", |rng, _| log_normal(rng, 60.0, 0.5)), (0.64, 0.34)),
    (world("log-normal, 60 s, 1", |rng, _| log_normal(rng, 60.0, 1.0)), (0.75, 0.64)),
    (world("log-normal, 5 s, 0.5", |rng, _| log_normal(rng, 5.0, 0.5)), (0.56, 0.63)),
    (world("70 % 10 s, 30 % 300 s", |rng, _| mixed(rng)), (0.55, 0.25)),
    (world("Pareto from 20 s, 1.5", |rng, _| 20.0 / unit(rng).powf(1.0 / 1.5)), (0.68, 0.60)),
];

/// Others, for which there is no goal but to be no worse.
pub(super) const OTHERS: [World; 9] = [
    world("log-normal, 60 s, 0.05", |rng, _| log_normal(rng, 60.0, 0.05)),
    world("always 60 s", |_, _| 60.0),
    world("always 1.5 s", |_, _| 1.5),
    world("always 3 s", |_, _| 3.0),
    world("always 10 ms", |_, _| 0.01),
    world("log-normal, 0.5 s, 0.5", |rng, _| log_normal(rng, 0.5, 0.5)),
    world("log-normal, 1 h, 0.5", |rng, _| log_normal(rng, 3600.0, 0.5)),
    world("0 s to 120 s", |rng, _| rng.f64() * 120.0),
    world("95 % 5 s, 5 % 10 min", |rng, _| if rng.f64() < 0.95 { 5.0 } else { 600.0 }),
];

/// Platforms that change.
pub(super) const CHANGES: [World; 4] =
    [
        World {
            name: "5 s, then 300 s",
            time: |rng, number| if number < 50 { fast(rng) } else { slow(rng) },
            later: |rng, _| slow(rng),
        },
        World {
            name: "300 s, then 5 s",
            time: |rng, number| if number < 50 { slow(rng) } else { fast(rng) },
            later: |rng, _| fast(rng),
        },
        world("5 s, in turn with 300 s, 25", |rng, number| {
            if number / 25 % 2 == 0 { fast(rng) } else { slow(rng) }
        }),
        world("300 s between 60 and 80", |rng, number| {
            if (60..80).contains(&number) { slow(rng) } else { fast(rng) }
        }),
    ];

fn fast(rng: &mut Rng) -> f64 {
    log_normal(rng, 5.0, 0.3)
}

fn slow(rng: &mut Rng) -> f64 {
    log_normal(rng, 300.0, 0.3)
}

fn mixed(rng: &mut Rng) -> f64 {
    if rng.f64() < 0.7 { 10.0 } else { 300.0 }
}

fn log_normal(rng: &mut Rng, median: f64, sigma: f64) -> f64 {
    let (radius, angle) = ((-2.0 * unit(rng).ln()).sqrt(), TAU * rng.f64());
    median * (sigma * radius * angle.cos()).exp()
}

/// A number above 0, and at most 1.
fn unit(rng: &mut Rng) -> f64 {
    1.0 - rng.f64()
}
