//! Counts webhooks that were abandoned, among the newest submissions: no more is read for a longer backlog.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use ferry_store::selection::{PAGE, Selection};
use ferry_store::{Filter, LOOKED_AT, Store, StoreError};
use ferry_types::contract::CountView;
use ferry_types::domain::submission::{StepKind, WebhookState};

/// Time for which a count holds.
const FRESH: Duration = Duration::from_secs(5);

/// Abandoned webhooks by account.
pub(crate) type Counts = BTreeMap<String, CountView>;

/// The last counts, of all accounts together and of single ones. Requests that come at once share them.
#[derive(Debug, Default)]
pub(crate) struct AbandonedWebhooks(Mutex<BTreeMap<Option<String>, (Instant, Counts)>>);

impl AbandonedWebhooks {
    /// The counts of these accounts, or of all. Those of others are not read.
    pub(crate) async fn of(
        &self,
        store: &dyn Store,
        accounts: Option<&BTreeSet<String>>,
    ) -> Result<Counts, StoreError> {
        let Some(accounts) = accounts else { return self.counted(store, None).await };
        let mut counts = Counts::new();
        for account in accounts {
            counts.extend(self.counted(store, Some(account.clone())).await?);
        }
        Ok(counts)
    }

    async fn counted(
        &self,
        store: &dyn Store,
        account: Option<String>,
    ) -> Result<Counts, StoreError> {
        let mut last = self.0.lock().await;
        if let Some((at, counts)) = last.get(&account)
            && at.elapsed() < FRESH
        {
            return Ok(counts.clone());
        }
        let counts = count(store, account.clone()).await?;
        last.insert(account, (Instant::now(), counts.clone()));
        Ok(counts)
    }
}

async fn count(store: &dyn Store, account: Option<String>) -> Result<Counts, StoreError> {
    let filter = Filter { accounts: account.into_iter().collect(), ..Filter::default() };
    let selection = Selection { webhook: Some(WebhookState::Failed), ..Selection::from(filter) };
    let (mut counts, mut cursor, mut looked_at) = (Counts::new(), None, 0);
    loop {
        let page = selection.page(store, cursor, PAGE).await?;
        for found in page.found.iter().map(|found| &found.submission) {
            let is_given_up = found.step != Some(StepKind::Deliver);
            counts.entry(found.account.clone()).or_default().count += u64::from(is_given_up);
        }
        (cursor, looked_at) = (page.next, looked_at + page.looked_at);
        if cursor.is_none() || looked_at >= LOOKED_AT {
            break;
        }
    }
    for one in counts.values_mut() {
        one.has_more = cursor.is_some();
    }
    Ok(counts)
}
