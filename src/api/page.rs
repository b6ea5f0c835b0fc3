//! Reads a page of submissions in parts. One may have a hundred kilobytes of labels and keys, and a page
//! hundreds of them.

use std::sync::Arc;

use super::body_memory::MemoryPermit;
use super::caller::Caller;
use super::error::ApiError;
use super::shared::Shared;
use ferry_store::selection::Selection;
use ferry_store::{Cursor, SubmissionDetail, most_looked_at};
use ferry_types::contract::{DamagedSubmission, SubmissionPage, SubmissionView};

/// Submissions that are read at once.
const PART: usize = 32;

/// Length of a page, in bytes, from which on no further part is read.
const PAGE_BYTES: usize = 2 << 20;

/// Memory for the largest submission, in bytes: as it is stored, read and written.
const SUBMISSION_BYTES: u64 = 256 << 10;

/// Reads at most `limit` submissions that match, newest first, and fewer where they are large. Memory for one part
/// is there before anything is read, so that a key cannot have any number of lists at once.
pub(super) async fn read(
    shared: &Shared,
    caller: &Caller,
    selection: &Selection,
    mut after: Option<Cursor>,
    limit: usize,
) -> Result<(SubmissionPage, Arc<MemoryPermit>), ApiError> {
    let memory = reserve(shared, caller, limit.min(PART))?;
    let (mut page, mut left, mut bytes) = (SubmissionPage::default(), limit, 0);
    let mut looked_at = 0;
    loop {
        let wanted = left.min(PART);
        let part = selection.page(shared.store(), after, wanted).await?;
        let count = part.found.len() + part.damaged.len();
        (after, left) = (part.next, left.saturating_sub(count));
        looked_at += part.looked_at;
        let views: Vec<SubmissionView> = part.found.into_iter().map(view).collect();
        bytes += views.iter().map(length).sum::<usize>();
        page.submissions.extend(views);
        let damaged = part.damaged.into_iter();
        page.damaged
            .extend(damaged.map(|record| DamagedSubmission { id: record.id, cause: record.cause }));
        // A store that looked at many without a match returns fewer, and where it stopped.
        let is_whole = left == 0 || bytes >= PAGE_BYTES;
        if after.is_none() || is_whole || looked_at >= most_looked_at(limit) {
            page.next_cursor = after.map(|next| caller.positions.of_page(next)).transpose()?;
            return Ok((page, Arc::new(memory)));
        }
    }
}

/// Memory for reading so many submissions at once.
pub(super) fn reserve(
    shared: &Shared,
    caller: &Caller,
    submissions: usize,
) -> Result<MemoryPermit, ApiError> {
    shared.response_permit(caller, SUBMISSION_BYTES * submissions as u64)
}

pub(super) fn view(found: SubmissionDetail) -> SubmissionView {
    SubmissionView::new(found.submission, found.waiting_for)
}

fn length(view: &SubmissionView) -> usize {
    serde_json::to_vec(view).map_or(0, |json| json.len())
}
