//! Compresses all that a batch brings.

use crate::compression::{Compressed, CompressedPayload, compute};
use crate::{Commit, NewSubmission};

/// Compresses the datasets of a batch.
pub(super) async fn compress_all(
    batch: Vec<NewSubmission>,
) -> Vec<(NewSubmission, CompressedPayload)> {
    let pack = |new: NewSubmission| {
        let packed = CompressedPayload::new(&new.payload);
        (new, packed)
    };
    let bytes = batch.iter().map(|new| new.payload.bytes()).sum();
    compute(bytes, move || batch.into_iter().map(pack).collect()).await
}

/// Compresses the contents that the steps of a batch fetched.
pub(super) async fn compress_contents(batch: Vec<Commit>) -> Vec<(Commit, Vec<Compressed>)> {
    let pack = |commit: Commit| {
        let contents = &commit.transition.contents;
        let packed = contents.iter().map(|(_, content)| Compressed::new(&content.bytes)).collect();
        (commit, packed)
    };
    let contents = batch.iter().flat_map(|commit| &commit.transition.contents);
    let bytes = contents.map(|(_, content)| content.bytes.len() as u64).sum();
    compute(bytes, move || batch.into_iter().map(pack).collect()).await
}
