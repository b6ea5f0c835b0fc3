//! Learns the processing time of one kind of dataset, and plans its polls.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::PollBackoff;
use super::curve::{Curve, Surprise};
use super::estimate::Observations;
use super::scale::Scale;
use super::schedule::PollSchedule;
use crate::domain::{Timestamp, later};

/// Number of observations before which backoff applies.
const START: usize = 8;

/// Shortest time between two plans: a plan costs as much as some polls.
const PLANNED: Duration = Duration::from_secs(1);

/// Number of surprises in a row after which all that was observed before them is forgotten.
const SURPRISES: usize = 3;

/// Processing times up to so many nominal first delays, or longest delays, are distinguished.
const SPAN: [f64; 2] = [16_000.0, 300.0];

/// Estimate of the processing time of one kind of dataset.
#[derive(Debug)]
pub struct PollPlanner {
    backoff: PollBackoff,
    scale: Scale,
    seen: Observations,
    planned: Option<Planned>,
    /// Observations in a row that are faster than nearly all before, or slower.
    surprises: (Option<Surprise>, usize),
}

#[derive(Debug)]
struct Planned {
    at: Timestamp,
    curve: Curve,
    /// None where backoff is better.
    schedule: Option<Arc<PollSchedule>>,
    /// Observations since then.
    unseen: usize,
}

impl PollPlanner {
    /// Knows nothing, and respects the bounds of `backoff`.
    pub fn new(backoff: PollBackoff) -> Self {
        // A delay of zero has no logarithm.
        let millis = Duration::from_millis(1);
        let backoff = PollBackoff {
            initial: backoff.initial.max(millis),
            max: backoff.max.max(millis),
            ..backoff
        };
        let (initial, max) =
            (backoff.initial.min(backoff.max).as_secs_f64(), backoff.max.as_secs_f64());
        let scale = Scale::new(initial / 4.0, (initial * SPAN[0]).max(max * SPAN[1]));
        Self { backoff, scale, seen: Observations::default(), planned: None, surprises: (None, 0) }
    }

    /// Adds a dataset that was pending at `from` after its upload, or was not polled before, and decided
    /// at `to`.
    pub fn observe(&mut self, from: Duration, to: Duration) {
        let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
        self.seen.add(&self.scale, from, to);
        let Some(planned) = &mut self.planned else { return };
        planned.unseen += 1;
        let surprise = planned.curve.surprise(from, to);
        let (before, times) = self.surprises;
        let times = if surprise.is_none() || surprise != before { 1 } else { times + 1 };
        self.surprises = (surprise, times);
        if surprise.is_some() && times >= SURPRISES {
            self.seen.forget_before(times);
            self.planned = None;
            self.surprises = (None, 0);
        }
    }

    /// Schedule at `now`; none if too little is known, or backoff is better.
    pub fn schedule(&mut self, now: Timestamp) -> Option<Arc<PollSchedule>> {
        if self.seen.len() < START {
            return None;
        }
        let is_current = |planned: &&Planned| {
            let is_recent = planned.at <= now && now < later(planned.at, PLANNED);
            // Each observation matters while there are few.
            is_recent || planned.unseen <= self.seen.len() / 16
        };
        if let Some(planned) = self.planned.as_ref().filter(is_current) {
            return planned.schedule.clone();
        }
        let curve = Curve::new(&self.scale, &self.seen.distribution());
        let schedule = PollSchedule::new(&curve, &self.backoff).map(Arc::new);
        self.planned = Some(Planned { at: now, curve, schedule: schedule.clone(), unseen: 0 });
        schedule
    }
}
