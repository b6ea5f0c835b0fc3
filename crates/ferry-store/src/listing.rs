//! Selects submissions for a list, and makes pages of what was looked at in bounded work.

use std::collections::BTreeMap;

use crate::error::DamagedRecord;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{State, Submission, WaitingFor};

/// The most records that are looked at for a page or a count, unless more are asked for: where no index leads
/// to those alone that match, a page is short, or empty, although more follow.
pub const LOOKED_AT: usize = 2000;

/// Of a small page so many times as many as it may have, and at least so many.
const FOR_EACH: usize = 10;
const AT_LEAST: usize = 500;

/// The most records that are looked at for a page of at most `limit` submissions.
pub fn most_looked_at(limit: usize) -> usize {
    let most = limit.saturating_mul(FOR_EACH).clamp(AT_LEAST, LOOKED_AT);
    most.max(limit.saturating_add(1))
}

/// Selection of submissions for a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; any if empty.
    pub states: Vec<State>,
    /// With exactly this dataset name.
    pub name: Option<String>,
    /// Of one of these accounts; of any if empty. Then the work of a list depends on what these accounts
    /// have, and on no other one.
    pub accounts: Vec<String>,
    /// With all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Accepted at this time or later. A list is in the order of acceptance: where the clock was set
    /// back, what came before by that order is left out.
    pub created_after: Option<Timestamp>,
    /// Accepted before this time.
    pub created_before: Option<Timestamp>,
}

impl Filter {
    /// True if revisions of a submission may match.
    pub(crate) fn may_revise(&self, submission: &Submission) -> bool {
        (self.accounts.is_empty() || self.accounts.contains(&submission.account))
            && self.name.as_ref().is_none_or(|name| *name == submission.name)
    }

    pub(crate) fn matches(&self, submission: &Submission) -> bool {
        let created = submission.created_at.timestamp_millis();
        self.may_revise(submission)
            && self.labels.iter().all(|(key, value)| submission.labels.get(key) == Some(value))
            && (self.states.is_empty() || self.states.contains(&submission.state))
            && self.created_after.is_none_or(|after| created >= first_millisecond(after))
            && self.created_before.is_none_or(|before| created < first_millisecond(before))
    }
}

/// The first millisecond that is not before `time`: stores keep no more of a time.
pub(crate) fn first_millisecond(time: Timestamp) -> i64 {
    time.timestamp_millis() + i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1_000_000))
}

/// A submission with the reason why it makes no progress.
#[derive(Debug, Clone)]
pub struct SubmissionDetail {
    /// The submission.
    pub submission: Submission,
    /// Reason why it makes no progress now.
    pub waiting_for: Option<WaitingFor>,
}

/// A part of a list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The submissions: fewer than requested where none follow, and where many had to be looked at.
    pub found: Vec<SubmissionDetail>,
    /// Records that cannot be read. They are listed where an index has them, although nothing else
    /// of a filter can be compared with them; they count for the limit.
    pub damaged: Vec<DamagedRecord>,
    /// Hand it in again to get what follows; none at the end.
    pub next: Option<Cursor>,
    /// Hand it in to get this page again, without what was accepted since; none if it is empty.
    pub start: Option<Cursor>,
    /// Number of records that were looked at for it.
    pub looked_at: usize,
}

/// Position in a list. Opaque outside the store that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub u64);

/// A submission of a list, or a record that is damaged.
pub(crate) type Listed = Result<SubmissionDetail, DamagedRecord>;

/// A page under construction.
#[derive(Debug)]
pub(crate) struct Listing {
    limit: usize,
    looked_at: usize,
    /// The last that was looked at, by the order of acceptance.
    last: Option<u64>,
    /// One more than the limit shows that more follow.
    listed: Vec<(u64, Listed)>,
}

impl Listing {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, looked_at: 0, last: None, listed: Vec::new() }
    }

    /// The most submissions that are wanted of an index.
    pub(crate) const fn wanted(&self) -> usize {
        self.limit.saturating_add(1)
    }

    /// True if nothing more is to be looked at.
    pub(crate) fn is_full(&self) -> bool {
        self.listed.len() > self.limit || self.looked_at >= most_looked_at(self.limit)
    }

    /// Adds the next one that was looked at, newest first; `None` if it is left out.
    pub(crate) fn look(&mut self, seq: u64, listed: Option<Listed>) {
        self.looked_at += 1;
        self.last = Some(seq);
        self.listed.extend(listed.map(|listed| (seq, listed)));
    }

    /// The page; `is_end` if nothing follows what was looked at.
    pub(crate) fn into_page(mut self, is_end: bool) -> Page {
        let next = if self.listed.len() > self.limit {
            self.listed.truncate(self.limit);
            self.listed.last().map(|(seq, _)| *seq)
        } else {
            self.last.filter(|_| !is_end)
        };
        let start = self.listed.first().map(|(seq, _)| Cursor(seq + 1));
        let next = next.map(Cursor);
        let mut page = Page { next, start, looked_at: self.looked_at, ..Page::default() };
        for (_, listed) in self.listed {
            match listed {
                Ok(found) => page.found.push(found),
                Err(damaged) => page.damaged.push(damaged),
            }
        }
        page
    }
}
