//! Reads a dataset from the store, in the form in which it is uploaded.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use ferry_store::{Payload, Store, StoreError};
use ferry_types::clock::MonotonicClock;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::dataset::{Table, canonical};

/// Datasets from this size on are brought into the canonical form beside the asynchronous threads.
const LARGE: u64 = 256 << 10;

/// Longest delay before a store that is unavailable is read again.
const LONGEST: Duration = Duration::from_secs(2);

/// Reads the dataset of a submission. A store that is unavailable is read again until it is not: nothing
/// was sent, and the step keeps its lease.
pub(super) async fn read(
    store: &dyn Store,
    id: SubmissionId,
    monotonic: &dyn MonotonicClock,
) -> Result<Payload, StoreError> {
    let mut delays = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST)
        .without_max_times()
        .build();
    let payload = loop {
        match store.payload(id).await {
            Err(error) if error.is_temporary() => {
                monotonic.sleep(delays.next().unwrap_or(LONGEST)).await;
            }
            read => break read?,
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
