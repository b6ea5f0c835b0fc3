//! Estimates of the Platform's processing times, by account and size of dataset, in the memory of this
//! process: after its start, backoff applies until it has seen a few datasets of a size.

use std::sync::Arc;

use parking_lot::Mutex;

use super::policy::{Policy, PollScheduling};
use ferry_types::domain::Timestamp;
use ferry_types::domain::outcome::{PlatformError, Status};
use ferry_types::domain::pacing::{PollPlanner, PollSchedule};
use ferry_types::domain::submission::Submission;

/// Largest datasets of all classes but the last, in bytes.
const SIZES: [u64; 3] = [64 << 10, 1 << 20, 16 << 20];

/// The estimates of one account.
#[derive(Debug)]
pub(super) struct Pacing {
    /// One for each class of sizes; none if backoff is configured.
    planners: Vec<Mutex<PollPlanner>>,
}

impl Pacing {
    /// Knows nothing.
    pub(super) fn new(policy: &Policy) -> Self {
        let planner = || Mutex::new(PollPlanner::new(policy.poll_backoff()));
        let classes = match policy.poll_schedule {
            PollScheduling::Adaptive => SIZES.len() + 1,
            PollScheduling::Backoff => 0,
        };
        Self { planners: std::iter::repeat_with(planner).take(classes).collect() }
    }

    /// Schedule for the polls of a submission; none if backoff applies.
    pub(super) fn schedule(
        &self,
        submission: &Submission,
        now: Timestamp,
    ) -> Option<Arc<PollSchedule>> {
        self.planner(submission)?.lock().schedule(now)
    }

    /// Learns from the response to a poll.
    pub(super) fn observe(
        &self,
        submission: &Submission,
        response: &Result<Status, PlatformError>,
        now: Timestamp,
    ) {
        let is_verdict = matches!(response, Ok(Status::Done | Status::Failed { .. }));
        let between = submission.decided_between(now).filter(|_| is_verdict);
        if let Some((planner, (from, to))) = self.planner(submission).zip(between) {
            planner.lock().observe(from, to);
        }
    }

    fn planner(&self, submission: &Submission) -> Option<&Mutex<PollPlanner>> {
        let class = SIZES.iter().filter(|size| submission.payload_bytes > **size).count();
        self.planners.get(class)
    }
}
