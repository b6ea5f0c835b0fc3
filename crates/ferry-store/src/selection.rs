//! Selects submissions by what stores filter by, and by what is read from the submissions themselves; counts
//! them in bounded time.

use crate::{
    Cursor, Filter, LOOKED_AT, Page, Stats, Store, StoreError, SubmissionDetail, most_looked_at,
};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{State, WaitReason, WaitingFor, Webhook, WebhookState};

/// A selection of submissions.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The filter of the store.
    pub filter: Filter,
    /// With a webhook in this state.
    pub webhook: Option<WebhookState>,
    /// Waiting for this reason.
    pub waiting_for: Option<WaitReason>,
    /// A revision of this submission.
    pub revision_of: Option<SubmissionId>,
}

impl From<Filter> for Selection {
    fn from(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }
}

impl Selection {
    /// Returns the submissions that match, newest first. Where many have to be left out, the page may be
    /// short, or empty, although more follow.
    pub async fn page(
        &self,
        store: &dyn Store,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if !self.is_read() {
            return store.list(&self.filter, after, limit).await;
        }
        let Some(filter) = self.narrowed(store).await? else { return Ok(Page::default()) };
        let mut whole = Page { next: after, ..Page::default() };
        let most = most_looked_at(limit);
        while whole.found.len() < limit && whole.looked_at < most {
            let wanted = (limit - whole.found.len()).min(most - whole.looked_at);
            let page = store.list(&filter, whole.next, wanted).await?;
            whole.looked_at += page.looked_at;
            whole.start = whole.start.or(page.start);
            whole.next = page.next;
            let picked = page.found.into_iter().filter(|found| self.picks(found));
            whole.found.extend(picked);
            if whole.next.is_none() {
                break;
            }
        }
        Ok(whole)
    }

    /// True if submissions have to be read to be selected.
    fn is_read(&self) -> bool {
        self.webhook.is_some() || self.waiting_for.is_some() || self.revision_of.is_some()
    }

    fn picks(&self, found: &SubmissionDetail) -> bool {
        let state = found.submission.webhook.as_ref().map(Webhook::state);
        let reason = found.waiting_for.as_ref().map(WaitingFor::reason);
        self.webhook.is_none_or(|wanted| state == Some(wanted))
            && self.waiting_for.is_none_or(|wanted| reason == Some(wanted))
            && self.revision_of.is_none_or(|of| found.submission.revision_of == Some(of))
    }

    /// Only final submissions have deliveries, but those that were retried since; and only others wait for what
    /// is wanted here. Revisions have the account and the name of what they correct: `None` if nothing has.
    async fn narrowed(&self, store: &dyn Store) -> Result<Option<Filter>, StoreError> {
        let mut filter = self.filter.clone();
        if let Some(id) = self.revision_of {
            let earlier = store.get(id).await?.map(|found| found.submission);
            let Some(earlier) = earlier.filter(|earlier| filter.may_revise(earlier)) else {
                return Ok(None);
            };
            filter.accounts = vec![earlier.account.clone()];
            filter.name = Some(earlier.name.clone());
        }
        let has_delivery = self.webhook.is_some_and(|state| state != WebhookState::Pending);
        let of_state = |state: &State| match self.waiting_for {
            Some(WaitReason::Resolution) => *state == State::Held,
            Some(_) => !state.is_final() && *state != State::Held,
            None => !has_delivery || state.is_final(),
        };
        if filter.states.is_empty() {
            filter.states = State::ALL.into_iter().filter(of_state).collect();
        }
        Ok(Some(filter))
    }
}

/// Submissions read from the store at once, to count them.
pub const PAGE: usize = 100;

/// The number of submissions that match.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of matches.
    pub count: u64,
    /// True if more may match.
    pub has_more: bool,
}

/// Counts the submissions that match. Those of states and an account the store has counted already; of
/// others it reads until `most` match, or [`LOOKED_AT`] were looked at.
pub async fn count(
    store: &dyn Store,
    selection: &Selection,
    most: u64,
) -> Result<Count, StoreError> {
    if let Some(count) = counted(store, selection).await? {
        return Ok(Count { count, has_more: false });
    }
    let (mut count, mut cursor, mut looked_at) = (0, None, 0);
    loop {
        let limit = usize::try_from(most - count).unwrap_or(PAGE).min(PAGE);
        let page = selection.page(store, cursor, limit).await?;
        count += (page.found.len() + page.damaged.len()) as u64;
        (cursor, looked_at) = (page.next, looked_at + page.looked_at as u64);
        let is_sparse = looked_at >= most.max(LOOKED_AT as u64);
        if cursor.is_none() || count >= most || is_sparse {
            return Ok(Count { count, has_more: cursor.is_some() });
        }
    }
}

/// The number that match, if the store counts such: by account and state.
async fn counted(store: &dyn Store, selection: &Selection) -> Result<Option<u64>, StoreError> {
    let Filter { states, name, accounts, labels, created_after, created_before } =
        &selection.filter;
    let is_timed = created_after.is_some() || created_before.is_some();
    if selection.is_read() || name.is_some() || !labels.is_empty() || is_timed {
        return Ok(None);
    }
    let count = |stats: Stats| -> u64 {
        let counts = stats.accounts.iter().flat_map(|known| &known.states);
        let counts = counts.filter(|(state, _)| states.is_empty() || states.contains(state));
        counts.map(|(_, count)| count).sum()
    };
    if accounts.is_empty() {
        return Ok(Some(count(store.stats().await?)));
    }
    let mut sum = 0;
    for account in accounts {
        sum += count(store.stats_of(account).await?);
    }
    Ok(Some(sum))
}
