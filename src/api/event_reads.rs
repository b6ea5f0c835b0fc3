//! Reads of the store by all streams of events: few at once, as many for each key as for the others, and
//! the labels of a submission once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio_util::task::AbortOnDropHandle;

use super::known::Known;
use super::shares::Owner;
use super::turns::Turns;
use ferry_store::{Events, Store, StoreError};
use ferry_types::domain::SubmissionId;

/// Reads at once, and those of one key: the store, and the processors, are for other requests, too.
const AT_ONCE: usize = 8;
const OF_ONE_KEY: usize = 4;

/// Memory for labels, in bytes.
const MEMORY: usize = 8 << 20;

/// The labels of a submission.
pub(super) type SubmissionLabels = Arc<BTreeMap<String, String>>;

/// A submission whose labels are known, or will be soon.
type Cell = Arc<OnceCell<SubmissionLabels>>;

/// The reads of all streams.
#[derive(Debug)]
pub(super) struct EventReads {
    store: Arc<dyn Store>,
    turns: Turns<Owner>,
    labels: Mutex<Known<SubmissionId, Cell>>,
}

impl EventReads {
    pub(super) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        let turns = Turns::new(AT_ONCE, OF_ONE_KEY);
        Arc::new(Self { store, turns, labels: Mutex::new(Known::new(MEMORY)) })
    }

    /// Number of events after this one.
    pub(super) async fn events(
        self: &Arc<Self>,
        owner: &Owner,
        after: u64,
        most: usize,
    ) -> Result<Events, StoreError> {
        let (reads, owner) = (self.clone(), owner.clone());
        self.on_its_own(async move {
            let _turn = reads.turns.take(&owner).await;
            reads.store.events(after, most).await
        })
        .await
    }

    /// The labels of these submissions, which never change.
    pub(super) async fn labels(
        self: &Arc<Self>,
        owner: &Owner,
        ids: BTreeSet<SubmissionId>,
    ) -> Result<BTreeMap<SubmissionId, SubmissionLabels>, StoreError> {
        let (reads, owner) = (self.clone(), owner.clone());
        let each = move |id| {
            let (reads, owner) = (reads.clone(), owner.clone());
            async move { Ok((id, reads.labels_of(&owner, id).await?)) }
        };
        let all = stream::iter(ids).map(each).buffer_unordered(OF_ONE_KEY);
        self.on_its_own(all.try_collect()).await
    }

    async fn labels_of(
        &self,
        owner: &Owner,
        id: SubmissionId,
    ) -> Result<SubmissionLabels, StoreError> {
        let cell = self.labels.lock().entry(id);
        if let Some(labels) = cell.get() {
            return Ok(labels.clone());
        }
        // First its turn: a read that is awaited here has begun, and waits for no other.
        let _turn = self.turns.take(owner).await;
        let labels = cell.get_or_try_init(async || {
            let found = self.store.get(id).await?;
            // One that is no longer retained has none.
            let labels = found.map(|found| found.submission.labels.clone()).unwrap_or_default();
            let bytes = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
            self.labels.lock().grows(bytes);
            Ok(Arc::new(labels))
        });
        match labels.await {
            Ok(labels) => Ok(labels.clone()),
            // A record that cannot be read has no labels, and stops no stream.
            Err(StoreError::Damaged { .. }) => Ok(SubmissionLabels::default()),
            Err(error) => Err(error),
        }
    }

    /// The result of a read. The body of a response advances only when its client reads; who waits for the
    /// turn after it must not wait for that.
    async fn on_its_own<T: Send + 'static>(
        &self,
        read: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let read = AbortOnDropHandle::new(tokio::spawn(read));
        read.await.unwrap_or_else(|error| {
            let (location, cause) = (self.store.location(), error.to_string());
            Err(StoreError::Unavailable { location, cause })
        })
    }
}
