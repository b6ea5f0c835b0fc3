//! Moves times between the store's own time and the wall clock, which people and producers use.

use crate::{
    AccountStats, Claim, Deadline, Event, Filter, NewSubmission, Page, Stats, StoredProcess,
    StoredProcesses, SubmissionDetail,
};
use ferry_types::domain::account::{BlockReason, Health};
use ferry_types::domain::submission::{Submission, SubmissionParts, TimelineEntry, WaitingFor};
use ferry_types::domain::{Timestamp, timestamp};

/// Has times that can be moved together.
pub(super) trait Shift {
    /// Moves all times by so many milliseconds.
    fn shift(&mut self, by: i64);

    /// The same with its times by the wall clock, which is so far ahead of the store's time.
    fn shown(mut self, offset: i64) -> Self
    where
        Self: Sized,
    {
        // Nearly always.
        if offset != 0 {
            self.shift(offset);
        }
        self
    }
}

impl Shift for Timestamp {
    fn shift(&mut self, by: i64) {
        *self = timestamp(self.timestamp_millis().saturating_add(by));
    }
}

impl<T: Shift> Shift for Option<T> {
    fn shift(&mut self, by: i64) {
        if let Some(item) = self {
            item.shift(by);
        }
    }
}

impl<T: Shift> Shift for Vec<T> {
    fn shift(&mut self, by: i64) {
        for item in self {
            item.shift(by);
        }
    }
}

impl Shift for Submission {
    fn shift(&mut self, by: i64) {
        let mut parts: SubmissionParts = self.clone().into_parts();
        parts.created_at.shift(by);
        parts.updated_at.shift(by);
        parts.finished_at.shift(by);
        parts.deadline.shift(by);
        parts.due_at.shift(by);
        parts.leased_until.shift(by);
        if let Some(request) = &mut parts.last_request {
            request.at.shift(by);
        }
        *self = parts.into();
    }
}

impl Shift for Health {
    fn shift(&mut self, by: i64) {
        self.throttled_until.shift(by);
        self.throttled_since.shift(by);
        self.failing_since.shift(by);
        self.probe_at.shift(by);
        if let Some(rate) = &mut self.learned_rate {
            (rate.since, rate.window) = (rate.since + by, rate.window + by);
        }
    }
}

impl Shift for WaitingFor {
    fn shift(&mut self, by: i64) {
        match self {
            Self::DueTime { at, .. } => at.shift(by),
            Self::Account(
                BlockReason::Throttled { until }
                | BlockReason::LimitReached { until }
                | BlockReason::BreakerOpen { until },
            ) => until.shift(by),
            _ => {}
        }
    }
}

impl Shift for SubmissionDetail {
    fn shift(&mut self, by: i64) {
        self.submission.shift(by);
        self.waiting_for.shift(by);
    }
}

impl Shift for Page {
    fn shift(&mut self, by: i64) {
        self.found.shift(by);
    }
}

impl Claim {
    /// The store's own time at `at`, which is by the wall clock as `now` is. It is the same in each claim.
    pub fn store_time(&self, at: Timestamp) -> Timestamp {
        at.shown(-self.offset)
    }
}

impl Shift for Claim {
    fn shift(&mut self, by: i64) {
        self.submission.shift(by);
        self.now.shift(by);
        self.offset += by;
    }
}

impl Shift for TimelineEntry {
    fn shift(&mut self, by: i64) {
        self.at.shift(by);
    }
}

impl Shift for Event {
    fn shift(&mut self, by: i64) {
        self.at.shift(by);
    }
}

impl Shift for AccountStats {
    fn shift(&mut self, by: i64) {
        self.health.shift(by);
    }
}

impl Shift for Stats {
    fn shift(&mut self, by: i64) {
        self.accounts.shift(by);
    }
}

impl Shift for StoredProcesses {
    fn shift(&mut self, by: i64) {
        self.found.shift(by);
    }
}

impl Shift for StoredProcess {
    fn shift(&mut self, by: i64) {
        self.at.shift(by);
    }
}

impl Shift for Filter {
    fn shift(&mut self, by: i64) {
        self.created_after.shift(by);
        self.created_before.shift(by);
    }
}

impl Shift for NewSubmission {
    fn shift(&mut self, by: i64) {
        self.not_before.shift(by);
        if let Deadline::At(deadline) = &mut self.deadline {
            deadline.shift(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ClaimId, Lease};
    use ferry_types::domain::SubmissionId;
    use ferry_types::domain::submission::StepKind;

    #[test]
    fn a_claim_knows_the_time_of_the_store_whatever_the_wall_clock_says() {
        let (now, kind) = (timestamp(1_770_000_000_000), StepKind::Deliver);
        let id = SubmissionId::new(now, 1);
        let submission = SubmissionParts::accepted(id, "main", "march", now).into();
        let lease = Lease { id, kind, fence: 1, claimed_by: ClaimId::default() };
        let (name_mark, offset, lag) = (None, 0, Duration::ZERO);
        let claim = Claim { lease, kind, submission, name_mark, now, offset, lag };
        for by in [0, 86_400_000, -86_400_000] {
            let shown = claim.clone().shown(by);
            assert_eq!((shown.now - now).num_milliseconds(), by);
            assert_eq!(shown.store_time(shown.submission.created_at), now);
        }
    }
}
