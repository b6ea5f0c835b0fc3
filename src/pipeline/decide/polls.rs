//! The due times of polls, and what polls show of the processing.

use std::time::Duration;

use super::Context;
use crate::pipeline::schedule::{planned_delay, poll_delay};
use ferry_types::domain::outcome::PlatformError;
use ferry_types::domain::submission::{NextStep, Processing, StepKind};
use ferry_types::domain::{Timestamp, later, until};

/// A submission is polled for at least this part of the time between its acceptance and its deadline,
/// counted from the accepted upload.
const POLL_SHARE: u32 = 4;

impl Context<'_> {
    /// The poll that follows `polls` others, not before what the Platform asked for. The deadline gets one
    /// last poll, whatever the schedule says.
    pub(super) fn next_poll(
        &self,
        polls: u32,
        age: Option<Duration>,
        deadline: Timestamp,
        retry_after: Option<Duration>,
    ) -> NextStep {
        let delay = self.poll_delay(polls, age).max(self.least_delay(retry_after));
        let left = until(self.now, deadline);
        let after = if left.is_zero() { delay } else { delay.min(left) };
        NextStep { kind: StepKind::Poll, after }
    }

    /// The part of a `Retry-After` that is trusted.
    pub(super) fn least_delay(&self, retry_after: Option<Duration>) -> Duration {
        retry_after.unwrap_or_default().min(self.policy.retry_after_max)
    }

    /// Delay before the next poll of a dataset that was pending at `age`, if that is known.
    pub(super) fn poll_delay(&self, polls: u32, age: Option<Duration>) -> Duration {
        let planned = self.schedule.zip(age);
        let planned = planned.and_then(|(schedule, age)| planned_delay(schedule, age, self.jitter));
        planned.unwrap_or_else(|| {
            // Polls without a response are counted too, and must not slow down those that follow.
            let backoff = self.policy.poll_backoff();
            let polls = age.map_or(polls, |age| backoff.most_polls(age).min(polls));
            poll_delay(self.policy, polls, self.jitter)
        })
    }

    /// Time since the accepted upload.
    pub(super) fn age(&self) -> Option<Duration> {
        self.submission.processing_time(self.now)
    }

    /// Text about a processing token that the Platform does not know. One that it never knew may be none:
    /// then a person needs to see the response to the upload.
    pub(super) fn unknown_token(&self) -> String {
        let text = PlatformError::UnknownToken.to_string();
        match &self.submission.processing_token {
            Some(token) if self.submission.processing.pending_ms.is_none() => {
                format!("{text}; its response to the upload was `{token}`")
            }
            _ => text,
        }
    }

    /// The processing after an upload that is accepted now.
    pub(super) fn uploaded(&self) -> Processing {
        let uploaded = until(self.submission.created_at, self.now);
        let uploaded_ms = Some(uploaded.as_millis() as u64);
        Processing { uploaded_ms, pending_ms: None, usual_ms: self.usual_ms() }
    }

    /// The processing after a poll that finds the dataset pending now.
    pub(super) fn pending(&self) -> Processing {
        let Processing { uploaded_ms, .. } = self.submission.processing;
        let pending_ms = self.age().map(|age| age.as_millis() as u64);
        let usual_ms = self.usual_ms().filter(|_| pending_ms.is_some());
        Processing { uploaded_ms, pending_ms, usual_ms }
    }

    fn usual_ms(&self) -> Option<u64> {
        self.schedule.map(|schedule| schedule.usual().as_millis() as u64)
    }

    /// Deadline of a submission whose upload was accepted now: late uploads are polled for their share
    /// of the time that the submission was given.
    pub(super) fn deadline_of_polls(&self) -> Timestamp {
        let given = until(self.submission.created_at, self.submission.deadline);
        let least = given.min(self.policy.deadline) / POLL_SHARE;
        self.submission.deadline.max(later(self.now, least))
    }
}
