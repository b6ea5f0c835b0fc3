//! The processing of a dataset by the Platform, as its polls show it.

use std::time::Duration;

use super::{StepKind, Submission};
use crate::domain::{Timestamp, later, until};

impl Submission {
    /// Time for which the Platform has been processing the dataset at `now`; none if that is not known.
    pub fn processing_time(&self, now: Timestamp) -> Option<Duration> {
        let uploaded = Duration::from_millis(self.processing.uploaded_ms?);
        Some(until(later(self.created_at, uploaded), now))
    }

    /// Bounds of the processing time of a dataset whose verdict a poll returned at `now`. None of one that
    /// is fetched again: its verdict may be old.
    pub fn decided_between(&self, now: Timestamp) -> Option<(Duration, Duration)> {
        let pending = Duration::from_millis(self.processing.pending_ms.unwrap_or_default());
        let decided = self.processing_time(now).filter(|_| !self.is_refetching())?;
        Some((pending.min(decided), decided))
    }

    /// Reason for the due time of the next poll; none if that is not due, or not by an estimate.
    pub fn poll_reason(&self) -> Option<String> {
        let is_scheduled = self.step == Some(StepKind::Poll) && self.due_at.is_some();
        // After an error, the time is that of the retry.
        let usual = self.processing.usual_ms.filter(|_| is_scheduled && self.reason.is_none())?;
        let is_late = self.processing.pending_ms.is_some_and(|pending| pending > usual);
        let late = if is_late { "; this one takes longer" } else { "" };
        Some(format!("usually ready after {}{late}", rounded(usual)))
    }
}

/// A time as exact as an estimate is.
fn rounded(millis: u64) -> String {
    const MINUTE: u64 = 60_000;
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..90_000 => format!("{} s", (millis + 500) / 1000),
        90_000..5_400_000 => format!("{} min", (millis + MINUTE / 2) / MINUTE),
        _ => format!("{} h", (millis + 30 * MINUTE) / (60 * MINUTE)),
    }
}
