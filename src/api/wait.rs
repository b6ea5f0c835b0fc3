//! Holds a response back until a submission is final or held, or the time is over.

use std::time::Duration;

use tokio::time::Instant;

use super::caller::Caller;
use super::error::ApiError;
use super::keys::Keys;
use super::shared::Shared;
use ferry_store::{StoreError, SubmissionDetail};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// Longest time for which a response is held back.
const LONGEST: Duration = Duration::from_mins(5);

/// Delay between two reads, growing from the one to the other.
const DELAYS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// The submission when it is settled, or as it is when `limit` is over, the server stops, or too
/// many others wait already. A key that was revoked meanwhile gets an error.
pub(super) async fn settled(
    shared: &Shared,
    caller: &Caller,
    id: SubmissionId,
    limit: Duration,
) -> Result<SubmissionDetail, ApiError> {
    let until = Instant::now() + limit.min(LONGEST);
    let waiter = shared.slots.waiting(&caller.owner);
    let mut delay = DELAYS.0;
    loop {
        Keys::check(shared.parts.keys.as_ref(), caller)?;
        let found = shared.parts.store.get(id).await?.ok_or(StoreError::NotFound(id))?;
        let submission = &found.submission;
        let is_final = submission.state.is_final() && !submission.is_refetching();
        let is_settled = is_final || submission.state == State::Held;
        let is_over = Instant::now() >= until || shared.parts.shutdown.is_draining();
        if is_settled || is_over || waiter.is_none() {
            return Ok(found);
        }
        tokio::select! {
            () = tokio::time::sleep_until(until.min(Instant::now() + delay)) => {}
            () = shared.parts.shutdown.draining() => {}
        }
        delay = (delay * 3 / 2).min(DELAYS.1);
    }
}
