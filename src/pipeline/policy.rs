//! Settings of the pipeline: every duration and limit that decisions and schedules depend on.

use std::time::Duration;

use ferry_types::closed_set;
use ferry_types::domain::pacing::PollBackoff;

closed_set! {
    /// Action after an upload without overwrite that may have arrived.
    #[derive(Default)]
    pub enum AmbiguousUpload: "word" {
        /// Upload once more unchanged, and hold the submission if the Platform rejects that.
        #[default]
        Hold = "hold",
        /// The same, and after a rejection one more attempt that overwrites what is there.
        Overwrite = "overwrite",
    }
}

closed_set! {
    /// Schedule of polls.
    #[derive(Default)]
    pub enum PollScheduling: "word" {
        /// By the estimated processing time of the Platform, and exponential backoff while it is not known.
        #[default]
        Adaptive = "adaptive",
        /// Exponential backoff.
        Backoff = "backoff",
    }
}

/// Settings of the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Schedule of polls.
    pub poll_schedule: PollScheduling,
    /// Delay from an accepted upload to the first poll.
    pub poll_initial: Duration,
    /// Backoff multiplier between polls.
    pub poll_factor: f32,
    /// Maximum delay between polls.
    pub poll_max: Duration,
    /// First delay after a failure; it doubles with each failure in a row.
    pub retry_initial: Duration,
    /// Maximum delay after a failure.
    pub retry_max: Duration,
    /// Duration of throttling without `Retry-After`.
    pub default_retry_after: Duration,
    /// Maximum `Retry-After` that is trusted; after it the Platform is asked again.
    pub retry_after_max: Duration,
    /// Duration for which the Platform may not know a processing token.
    pub unknown_token_timeout: Duration,
    /// First delay after a failed delivery; each is four times as long as the last.
    pub webhook_backoff_initial: Duration,
    /// Maximum delay after a failed delivery.
    pub webhook_backoff_max: Duration,
    /// Number of delivery attempts before giving up.
    pub webhook_max_attempts: u32,
    /// Time from acceptance to giving up.
    pub deadline: Duration,
    /// For ambiguous uploads without overwrite.
    pub ambiguous_upload: AmbiguousUpload,
    /// Steps of one kind that a worker process runs at once.
    pub concurrency: usize,
    /// Memory for datasets that are being uploaded at once, in bytes.
    pub upload_memory: u64,
    /// Duration of a lease that is not renewed.
    pub lease: Duration,
    /// Time that running steps have to finish at a graceful shutdown.
    pub shutdown_timeout: Duration,
    /// Duration for which final submissions are stored.
    pub retention: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            poll_schedule: PollScheduling::default(),
            poll_initial: Duration::from_secs(2),
            poll_factor: 2.0,
            poll_max: Duration::from_mins(1),
            retry_initial: Duration::from_secs(1),
            retry_max: Duration::from_mins(1),
            default_retry_after: Duration::from_secs(5),
            retry_after_max: Duration::from_hours(1),
            unknown_token_timeout: Duration::from_mins(2),
            webhook_backoff_initial: Duration::from_secs(5),
            webhook_backoff_max: Duration::from_hours(12),
            webhook_max_attempts: 12,
            deadline: Duration::from_hours(24),
            ambiguous_upload: AmbiguousUpload::Hold,
            concurrency: 64,
            upload_memory: 256 << 20,
            lease: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(10),
            retention: Duration::from_hours(30 * 24),
        }
    }
}

impl Policy {
    /// Delays between polls while the processing time is not known.
    pub(super) fn poll_backoff(&self) -> PollBackoff {
        PollBackoff { initial: self.poll_initial, factor: self.poll_factor, max: self.poll_max }
    }
}
