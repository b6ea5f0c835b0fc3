//! Datasets with the feedback about them, as pages and rows show them. The last large one stays in memory for a
//! moment: after one window of its rows the next is requested soon, and to read it from the store takes far longer
//! than a window.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

use super::body_memory::MemoryPermit;
use ferry_store::Payload;
use ferry_types::domain::dataset::{Bookmarks, Table};
use ferry_types::domain::feedback::FeedbackItem;
use ferry_types::domain::submission::Submission;
use ferry_types::domain::{SubmissionId, Timestamp};

/// Smaller datasets are read again as fast.
const LARGE: u64 = 1 << 20;

/// Time for which a dataset stays after it was read or looked at.
const KEPT: Duration = Duration::from_secs(30);

/// A dataset with the feedback about it. Its memory counts as that of a response.
#[derive(Debug)]
pub(super) struct Loaded {
    key: Key,
    pub(super) payload: Payload,
    pub(super) items: Vec<FeedbackItem>,
    data: Mutex<Bookmarks>,
    events: Mutex<Bookmarks>,
    _memory: MemoryPermit,
}

/// A dataset never changes; its feedback does when it is fetched again, which updates the submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key(SubmissionId, Timestamp);

impl Key {
    fn of(submission: &Submission) -> Self {
        Self(submission.id, submission.updated_at)
    }
}

impl Loaded {
    pub(super) fn new(
        submission: &Submission,
        payload: Payload,
        items: Vec<FeedbackItem>,
        memory: MemoryPermit,
    ) -> Self {
        let (data, events) = Default::default();
        Self { key: Key::of(submission), payload, items, data, events, _memory: memory }
    }

    /// The bookmarks of a text.
    pub(super) fn bookmarks(&self, table: Table) -> &Mutex<Bookmarks> {
        match table {
            Table::Data => &self.data,
            Table::Events => &self.events,
        }
    }
}

/// The last large dataset, with the number of times that one was looked at.
#[derive(Debug, Default, Clone)]
pub(super) struct LastLoaded(Arc<Mutex<(u64, Option<Arc<Loaded>>)>>);

impl LastLoaded {
    /// The dataset of this submission, if it is the last one.
    pub(super) fn get(&self, submission: &Submission) -> Option<Arc<Loaded>> {
        let last = self.0.lock().1.clone();
        let found = last.filter(|loaded| loaded.key == Key::of(submission))?;
        self.put(&found);
        Some(found)
    }

    /// Keeps it for a moment, if it is large.
    pub(super) fn put(&self, loaded: &Arc<Loaded>) {
        if loaded.payload.bytes() < LARGE {
            return;
        }
        let number = {
            let mut last = self.0.lock();
            *last = (last.0 + 1, Some(loaded.clone()));
            last.0
        };
        let last = self.clone();
        tokio::spawn(async move {
            sleep(KEPT).await;
            let mut last = last.0.lock();
            if last.0 == number {
                last.1 = None;
            }
        });
    }

    /// Gives its memory back. Returns false if there was none.
    pub(super) fn forget(&self) -> bool {
        self.0.lock().1.take().is_some()
    }
}
