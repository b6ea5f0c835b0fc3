//! Follows submissions until they are final or held, whichever process runs them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use ferry_store::{Store, StoreError, SubmissionDetail};
use ferry_types::contract::{SubmissionView, WaitingFor};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::State;

/// Time between two looks at the store.
const DELAY: Duration = Duration::from_millis(100);

/// Submissions that are read in one round.
const ROUND: usize = 200;

/// True if there is nothing to wait for.
pub(super) fn is_settled(state: State) -> bool {
    state.is_final() || state == State::Held
}

/// The view of what the store found.
pub(super) fn view(found: SubmissionDetail) -> SubmissionView {
    SubmissionView::new(found.submission, found.waiting_for)
}

/// A submission as it is now.
pub(super) async fn fetch(
    store: &dyn Store,
    id: SubmissionId,
) -> Result<SubmissionView, StoreError> {
    store.get(id).await?.map(view).ok_or(StoreError::NotFound(id))
}

/// True if none of these continues before an operator has acted.
pub(super) async fn all_need_operator(
    store: &dyn Store,
    views: Vec<SubmissionView>,
) -> Result<bool, StoreError> {
    for mut view in views {
        loop {
            view = match view.waiting_for {
                Some(WaitingFor::Account(BlockReason::Paused { .. }) | WaitingFor::Resolution) => {
                    break;
                }
                // As stuck as the one before it.
                Some(WaitingFor::Predecessor { submission }) => fetch(store, submission).await?,
                _ => return Ok(false),
            };
        }
    }
    Ok(true)
}

/// Looks at `ids` in turn until all are settled or `stop` ends; `seen` gets every view. The result
/// has the last view of each, in the order of `ids`.
pub(super) async fn follow(
    store: &dyn Store,
    ids: &[SubmissionId],
    mut seen: impl FnMut(&SubmissionView),
    stop: impl Future<Output = ()>,
) -> Result<Vec<SubmissionView>, StoreError> {
    let mut last: HashMap<SubmissionId, SubmissionView> = HashMap::with_capacity(ids.len());
    let mut open: VecDeque<SubmissionId> = ids.iter().copied().collect();
    tokio::pin!(stop);
    loop {
        for _ in 0..open.len().min(ROUND) {
            let Some(id) = open.pop_front() else { break };
            let view = fetch(store, id).await?;
            seen(&view);
            if !is_settled(view.state) {
                open.push_back(id);
            }
            last.insert(id, view);
        }
        if open.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = tokio::time::sleep(DELAY) => {}
        }
    }
    for id in open {
        // One that was not looked at yet, or may have moved since.
        last.insert(id, fetch(store, id).await?);
    }
    Ok(ids.iter().filter_map(|id| last.remove(id)).collect())
}
