//! How patient the pipeline is: every span and limit that decisions and schedules depend on.

use std::time::Duration;

/// What to do when an upload without overwrite may have arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AmbiguousUpload {
    /// Try once more unchanged, and hold the submission if a dataset of its Name is there.
    #[default]
    Hold,
    /// Upload again and overwrite whatever is there.
    Overwrite,
}

/// How patient the pipeline is.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// From an accepted upload to the first status check.
    pub poll_initial: Duration,
    /// How much longer each pause between status checks is than the one before.
    pub poll_factor: f32,
    /// The longest pause between status checks.
    pub poll_max: Duration,
    /// The first pause after a trouble; it doubles with each trouble in a row.
    pub retry_initial: Duration,
    /// The longest pause after a trouble.
    pub retry_max: Duration,
    /// How long the Platform is left alone if it asks for that without saying how long.
    pub default_retry_after: Duration,
    /// Maximum `Retry-After` that is trusted; after it the Platform is asked again.
    pub retry_after_max: Duration,
    /// Duration for which the Platform may not know a processing token.
    pub unknown_token_timeout: Duration,
    /// The first pause after a webhook that was not heard, and the longest: each is four times as long
    /// as the last.
    pub webhook_backoff_initial: Duration,
    /// See there.
    pub webhook_backoff_max: Duration,
    /// How often an outcome is told before that is given up.
    pub webhook_max_attempts: u32,
    /// From acceptance to giving up.
    pub deadline: Duration,
    /// For ambiguous uploads without overwrite.
    pub ambiguous_upload: AmbiguousUpload,
    /// Steps of one kind that a worker process runs at once.
    pub concurrency: usize,
    /// Memory for datasets that are being uploaded at once, in bytes.
    pub upload_memory: u64,
    /// How long a step stays with a worker that gives no sign of life.
    pub lease: Duration,
    /// How long a stopping worker lets running steps finish.
    pub shutdown_timeout: Duration,
    /// How long final submissions are kept.
    pub retention: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
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
            lease: Duration::from_secs(15),
            shutdown_timeout: Duration::from_secs(10),
            retention: Duration::from_hours(30 * 24),
        }
    }
}
