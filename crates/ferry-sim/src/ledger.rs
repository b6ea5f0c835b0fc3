//! What the simulator saw, for tests and for people: counted here, judged elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the simulator saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// By `Name` of a dataset.
    pub names: BTreeMap<String, NameLedger>,
    /// What was counted of Names that are no longer listed: they were too many, or too old.
    pub forgotten: UnlistedTotals,
    /// Requests of any kind.
    pub requests: u64,
    /// Access tokens handed out.
    pub tokens_issued: u64,
    /// Requests answered 401.
    pub unauthorized: u64,
    /// Uploads answered with a 4xx other than 401 and 429.
    pub uploads_refused: u64,
    /// Requests about a dataset that came sooner than the 429 before them allowed.
    pub early_requests: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What is left of Names that are no longer listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UnlistedTotals {
    /// How many there were.
    pub names: u64,
    /// Their uploads that were stored.
    pub accepted: u64,
    /// Their status checks that were answered.
    pub polls: u64,
}

/// What the simulator saw of one `Name`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NameLedger {
    /// Uploads that were stored.
    pub accepted: Vec<AcceptedUpload>,
    /// Uploads refused because the Name was there and `Overwrite` was not true.
    pub refused_exists: u64,
    /// Status checks answered before the dataset was ready.
    pub polls_before_ready: u64,
    /// Status checks answered when it was.
    pub polls_after_ready: u64,
    /// Results and feedback fetched.
    pub results_fetched: u64,
}

/// An upload that was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptedUpload {
    /// Its `Overwrite`.
    pub overwrite: bool,
    /// What it is known by.
    pub processing_token: String,
    /// Whether the client was not told.
    pub answer_lost: bool,
    /// The size of `Data`.
    pub data_bytes: u64,
}

impl NameLedger {
    fn polls(&self) -> u64 {
        self.polls_before_ready + self.polls_after_ready
    }

    /// Whether it was stored again although the client had been told of the time before.
    fn is_doubled(&self) -> bool {
        self.accepted.iter().rev().skip(1).any(|upload| !upload.answer_lost)
    }
}

impl Ledger {
    /// Uploads that were stored, of all Names.
    pub fn accepted(&self) -> u64 {
        let listed: u64 = self.names.values().map(|name| name.accepted.len() as u64).sum();
        self.forgotten.accepted + listed
    }

    /// Status checks answered, of all Names.
    pub fn polls(&self) -> u64 {
        self.forgotten.polls + self.names.values().map(NameLedger::polls).sum::<u64>()
    }

    /// Names that were stored more than once although the client had been told of the first time.
    pub fn doubled(&self) -> Vec<&str> {
        let doubled = self.names.iter().filter(|(_, name)| name.is_doubled());
        doubled.map(|(name, _)| name.as_str()).collect()
    }

    /// The client has been told that `name` was stored as `processing_token`.
    pub(super) fn sent(&mut self, name: &str, processing_token: &str) {
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
