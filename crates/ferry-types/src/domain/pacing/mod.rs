//! The times at which a submission is polled: an estimate of the Platform's processing time, and the
//! schedule of polls that pays off best by it.
//!
//! Pure: the same observations give the same schedule. Jitter and time are arguments.

mod backoff;
mod curve;
mod estimate;
mod planner;
mod scale;
mod schedule;

pub use backoff::PollBackoff;
pub use planner::PollPlanner;
pub use schedule::PollSchedule;

#[cfg(test)]
mod tests;
