//! Reads a dataset from the store, in the form in which it is uploaded.

use tracing::debug;

use ferry_store::{Payload, Store, StoreError, store_backoff};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{Table, canonical};

/// Datasets from this size on are brought into the canonical form beside the asynchronous threads.
const LARGE: u64 = 256 << 10;

/// The store does not have the dataset of a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MissingPayloadError {
    /// It is gone.
    #[error("the dataset is missing in the store")]
    Missing,
    /// It cannot be read.
    #[error("the dataset in the store is damaged: {0}")]
    Damaged(String),
}

/// Reads the dataset of a submission. A store that fails is read again until it does not: nothing was
/// sent, and the step keeps its lease.
pub(super) async fn read(
    store: &dyn Store,
    id: SubmissionId,
    monotonic: &dyn MonotonicClock,
) -> Result<Payload, MissingPayloadError> {
    let mut delays = store_backoff();
    let payload = loop {
        match store.payload(id).await {
            Ok(payload) => break payload,
            Err(StoreError::NotFound(_)) => return Err(MissingPayloadError::Missing),
            Err(StoreError::Damaged { cause, .. }) => {
                return Err(MissingPayloadError::Damaged(cause));
            }
            Err(error) => {
                debug!(submission.id = %id, %error, "cannot read a dataset, retrying");
                monotonic.sleep(delays.next().unwrap_or_default()).await;
            }
        }
    };
    if payload.bytes() < LARGE {
        return Ok(uploaded(payload));
    }
    // A large dataset would keep the other steps of this thread waiting, and their leases.
    let written = tokio::task::spawn_blocking(|| uploaded(payload)).await;
    Ok(written.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
}

/// The canonical form of what was submitted.
fn uploaded(Payload { data, event_data }: Payload) -> Payload {
    let data = canonical(Table::Data, &data);
    Payload { data, event_data: event_data.map(|text| canonical(Table::Events, &text)) }
}
