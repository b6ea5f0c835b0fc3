//! The end of the history: all streams of a process poll for it together.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use ferry_store::{Events, Store, StoreError};
use ferry_types::contract::EventId;

/// Time for which what was read counts as new.
pub(super) const FRESH: Duration = Duration::from_millis(50);

/// The newest event of the store.
#[derive(Debug, Default)]
pub(super) struct EventPoller(Mutex<Option<(Instant, EventId)>>);

impl EventPoller {
    /// Returns the newest event, as it was [`FRESH`] ago at most.
    pub(super) async fn newest(&self, store: &dyn Store) -> Result<EventId, StoreError> {
        let mut polled = self.0.lock().await;
        if let Some((at, newest)) = polled.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(newest.clone());
        }
        let newest = newest_of(&store.events(u64::MAX, 0).await?);
        *polled = Some((Instant::now(), newest.clone()));
        Ok(newest)
    }
}

/// Id of the newest event; the start if there never was one.
pub(super) fn newest_of(history: &Events) -> EventId {
    EventId { epoch: history.epoch.clone(), number: history.newest }
}
