//! Counts of what the simulator did, for tests and for people: counted here, judged elsewhere.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Counts of what the simulator did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// By `Name` of a dataset.
    pub names: BTreeMap<String, NameLedger>,
    /// Sums over the names that are no longer listed: they were too many, or too old.
    pub forgotten: UnlistedTotals,
    /// Requests of any kind.
    pub requests: u64,
    /// Access tokens issued.
    pub tokens_issued: u64,
    /// Requests without a valid access token, or with wrong credentials.
    pub unauthorized: u64,
    /// Uploads rejected for their content.
    pub uploads_rejected: u64,
    /// Requests that came sooner than a 429 to any request of the account allowed.
    pub early_requests: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// Sums over the names that are no longer listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UnlistedTotals {
    /// Number of names.
    pub names: u64,
    /// Uploads that were stored.
    pub accepted: u64,
    /// Status requests that got a response.
    pub polls: u64,
}

/// Counts of one `Name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NameLedger {
    /// Uploads that were stored.
    pub accepted: Vec<AcceptedUpload>,
    /// Uploads rejected because the name was there and `Overwrite` was not true.
    pub rejected_exists: u64,
    /// Uploads that replaced a dataset of others.
    pub foreign_replaced: u64,
    /// Status requests with a response before the dataset was ready.
    pub polls_before_ready: u64,
    /// Status requests with a response when it was.
    pub polls_after_ready: u64,
    /// Results and feedback fetched.
    pub results_fetched: u64,
}

/// An upload that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedUpload {
    /// Time of the upload.
    pub at: DateTime<Utc>,
    /// Its `Overwrite`.
    pub overwrite: bool,
    /// Its processing token.
    pub processing_token: String,
    /// True if no response reported the token to the client.
    pub answer_lost: bool,
    /// True if the data is valid, so that the verdict is success.
    pub valid: bool,
    /// Size of `Data`.
    pub data_bytes: u64,
}

impl NameLedger {
    fn polls(&self) -> u64 {
        self.polls_before_ready + self.polls_after_ready
    }

    /// True if it was stored again although a response had reported the time before.
    fn is_doubled(&self) -> bool {
        self.accepted.iter().rev().skip(1).any(|upload| !upload.answer_lost)
    }
}

impl Ledger {
    /// Uploads that were stored, of all names.
    pub fn accepted(&self) -> u64 {
        let listed: u64 = self.names.values().map(|name| name.accepted.len() as u64).sum();
        self.forgotten.accepted + listed
    }

    /// Status requests with a response, of all names.
    pub fn polls(&self) -> u64 {
        self.forgotten.polls + self.names.values().map(NameLedger::polls).sum::<u64>()
    }

    /// Names that were stored more than once although a response had reported the first time.
    pub fn doubled(&self) -> Vec<&str> {
        let doubled = self.names.iter().filter(|(_, name)| name.is_doubled());
        doubled.map(|(name, _)| name.as_str()).collect()
    }

    /// A response has reported that `name` was stored as `processing_token`.
    pub(super) fn reported(&mut self, name: &str, processing_token: &str) {
        let uploads = self.names.get_mut(name).map(|name| name.accepted.iter_mut());
        for upload in uploads.into_iter().flatten() {
            upload.answer_lost &= upload.processing_token != processing_token;
        }
    }

    /// Keeps only the sums of `name`, unless it is worth a look.
    pub(super) fn forget(&mut self, name: &str) {
        let entry = self.names.get(name).filter(|entry| !entry.is_doubled());
        if let Some(entry) = entry {
            self.forgotten.names += 1;
            self.forgotten.accepted += entry.accepted.len() as u64;
            self.forgotten.polls += entry.polls();
            self.names.remove(name);
        }
    }
}
