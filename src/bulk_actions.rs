//! Acts on many submissions: one planner says what would be done and does it, and what is accepted after
//! the plan stays as it is. It reads pages of the store, and knows nothing of who asks.

use std::collections::BTreeMap;
use std::time::Duration;

use ferry_store::selection::Selection;
use ferry_store::{Cursor, DamagedRecord, Filter, Page, Store, StoreError, SubmissionDetail};
use ferry_types::contract::BulkUnchanged;
use ferry_types::domain::submission::{OperatorAction, SameName, State, Submission};
use ferry_types::domain::{SubmissionId, Timestamp};

/// Submissions of a batch, which is the most that is done before anyone can stop it.
pub const BATCH: usize = 100;

/// The most submissions that are looked at for a plan.
const LOOKED_AT: usize = 200 * BATCH;

/// Submissions named as examples.
const EXAMPLES: usize = 3;

/// Submissions of a name that are looked at before a retry, newest first.
const OF_A_NAME: usize = 100;

/// An action on all submissions of a selection.
#[derive(Debug, Clone)]
pub struct Bulk {
    action: OperatorAction,
    selection: Selection,
    /// These instead of those that the selection finds.
    chosen: Vec<SubmissionId>,
    deadline: Duration,
}

/// The plan of a bulk action, or what a batch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkReport {
    /// Number of submissions that were changed, or would be.
    pub changed: u64,
    /// Some of them.
    pub examples: Vec<SubmissionId>,
    /// True if the plan does not count all that match.
    pub has_more: bool,
    /// Position of the next batch; none if nothing is left.
    pub next: Option<Cursor>,
    unchanged: BTreeMap<&'static str, BulkUnchanged>,
}

impl Bulk {
    /// An action; one that resumes submissions gives them another `deadline`. Without states, the
    /// selection is of those that the action concerns.
    pub fn new(action: OperatorAction, mut selection: Selection, deadline: Duration) -> Self {
        if selection.filter.states.is_empty() {
            let concerned = State::ALL.into_iter().filter(|state| action.concerns(*state));
            selection.filter.states = concerned.collect();
        }
        Self { action, selection, chosen: Vec::new(), deadline }
    }

    /// The same for these submissions alone, at most a batch; those of another account are not found.
    #[must_use]
    pub fn of(self, chosen: Vec<SubmissionId>) -> Self {
        Self { chosen, ..self }
    }

    /// Plans the action for at most `most` submissions, and changes nothing. The position in the plan pins
    /// it to what is stored at this moment.
    pub async fn plan(
        &self,
        store: &dyn Store,
        most: u64,
        now: Timestamp,
    ) -> Result<BulkReport, StoreError> {
        let (mut plan, mut pinned, mut cursor) = (BulkReport::default(), None, None);
        let (mut seen, mut looked_at) = (0, 0);
        loop {
            let page = self.page(store, cursor, &mut plan).await?;
            pinned = pinned.or(page.start);
            looked_at += page.looked_at;
            seen += (page.found.len() + page.damaged.len()) as u64;
            for found in page.found {
                let id = found.submission.id;
                match self.obstacle(store, &found.submission, now).await? {
                    None => plan.change(id),
                    Some((code, message)) => plan.leave(Some(id), code, message),
                }
            }
            cursor = page.next;
            if cursor.is_none() || seen >= most || looked_at >= LOOKED_AT {
                break;
            }
        }
        // Where nothing matched so far, the batches begin where the plan ended.
        (plan.has_more, plan.next) = (cursor.is_some(), pinned.or(cursor));
        Ok(plan)
    }

    /// Returns the next batch: the submissions that the planner allows, each of which is to be performed
    /// and recorded, and a report with those that stay unchanged.
    pub async fn batch(
        &self,
        store: &dyn Store,
        pinned: Cursor,
        now: Timestamp,
    ) -> Result<(Vec<SubmissionId>, BulkReport), StoreError> {
        let mut report = BulkReport::default();
        let page = self.page(store, Some(pinned), &mut report).await?;
        report.next = page.next;
        let mut allowed = Vec::new();
        for found in page.found {
            let id = found.submission.id;
            match self.obstacle(store, &found.submission, now).await? {
                None => allowed.push(id),
                Some((code, message)) => report.leave(Some(id), code, message),
            }
        }
        Ok((allowed, report))
    }

    /// The next page of those that match; those of it that cannot be read stay unchanged.
    async fn page(
        &self,
        store: &dyn Store,
        after: Option<Cursor>,
        report: &mut BulkReport,
    ) -> Result<Page, StoreError> {
        if self.chosen.is_empty() {
            let page = self.selection.page(store, after, BATCH).await?;
            report.damaged(&page.damaged);
            return Ok(page);
        }
        let mut page = Page::default();
        for id in self.chosen.iter().take(BATCH) {
            let is_own = |found: &SubmissionDetail| {
                let accounts = &self.selection.filter.accounts;
                accounts.is_empty() || accounts.contains(&found.submission.account)
            };
            match store.get(*id).await.map(|found| found.filter(is_own)) {
                Ok(Some(found)) => page.found.push(found),
                Ok(None) => {
                    let missing = StoreError::NotFound(*id).to_string();
                    report.leave(Some(*id), NOT_FOUND, missing);
                }
                Err(error @ StoreError::Damaged { .. }) => {
                    report.leave(Some(*id), DAMAGED, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        // They are pinned by their ids: the position means nothing.
        page.start = (!page.found.is_empty()).then_some(Cursor(0));
        Ok(page)
    }

    /// Does the action to one submission.
    pub async fn perform(
        &self,
        store: &dyn Store,
        id: SubmissionId,
    ) -> Result<SubmissionDetail, StoreError> {
        store.operate(id, self.action, self.deadline).await
    }

    /// Reason why the action would leave the submission unchanged, as a word and a message.
    async fn obstacle(
        &self,
        store: &dyn Store,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<Option<(&'static str, String)>, StoreError> {
        let same_name = if self.action == OperatorAction::Retry && submission.state == State::Failed
        {
            newer_of_name(store, submission).await?
        } else {
            SameName::default()
        };
        let planned = self.action.plan(submission, &same_name, self.deadline, now);
        Ok(planned.err().map(|error| (error.code(), error.to_string())))
    }
}

/// The newer submissions of the account and name, as far as a retry depends on them.
async fn newer_of_name(store: &dyn Store, submission: &Submission) -> Result<SameName, StoreError> {
    let (accounts, name) = (vec![submission.account.clone()], Some(submission.name.clone()));
    let filter = Filter { accounts, name, ..Filter::default() };
    let page = store.list(&filter, None, OF_A_NAME).await?;
    let newer = page.found.iter().map(|found| &found.submission);
    let newer: Vec<&Submission> = newer.take_while(|other| other.id != submission.id).collect();
    let first = |picks: fn(&Submission) -> bool| {
        newer.iter().find(|other| picks(other)).map(|other| other.id)
    };
    Ok(SameName {
        predecessor: None,
        newer_unfinished: first(|other| !other.state.is_final()),
        newer_uploaded: first(Submission::is_maybe_at_platform),
    })
}

const DAMAGED: &str = "damaged";
const NOT_FOUND: &str = "not_found";

impl BulkReport {
    /// Those that were left unchanged, or would be, by reason.
    pub fn unchanged(&self) -> Vec<BulkUnchanged> {
        self.unchanged.values().cloned().collect()
    }

    /// Records the end of the action on one submission; an error if the store failed.
    pub fn record(
        &mut self,
        id: SubmissionId,
        performed: Result<SubmissionDetail, StoreError>,
    ) -> Result<(), StoreError> {
        match performed {
            Ok(_) => self.change(id),
            // It changed since the page was read.
            Err(StoreError::NotAllowed(error)) => {
                self.leave(Some(id), error.code(), error.to_string());
            }
            Err(error @ StoreError::NotFound(_)) => {
                self.leave(Some(id), NOT_FOUND, error.to_string());
            }
            Err(error @ StoreError::Damaged { .. }) => {
                self.leave(Some(id), DAMAGED, error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Adds what the next batch did.
    pub fn add(&mut self, batch: Self) {
        self.changed += batch.changed;
        self.examples.extend(batch.examples);
        self.examples.truncate(EXAMPLES);
        self.next = batch.next;
        for (code, more) in batch.unchanged {
            match self.unchanged.get_mut(code) {
                Some(known) => {
                    known.count += more.count;
                    known.examples.extend(more.examples);
                    known.examples.truncate(EXAMPLES);
                }
                None => _ = self.unchanged.insert(code, more),
            }
        }
    }

    fn change(&mut self, id: SubmissionId) {
        self.changed += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(id);
        }
    }

    fn leave(&mut self, id: Option<SubmissionId>, code: &'static str, message: String) {
        let none =
            || BulkUnchanged { code: code.to_owned(), message, count: 0, examples: Vec::new() };
        let group = self.unchanged.entry(code).or_insert_with(none);
        group.count += 1;
        if group.examples.len() < EXAMPLES {
            group.examples.extend(id);
        }
    }

    fn damaged(&mut self, records: &[DamagedRecord]) {
        for record in records {
            self.leave(record.id.parse().ok(), DAMAGED, record.to_string());
        }
    }
}
