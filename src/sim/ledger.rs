//! What the simulator saw, for tests and for people: counted here, judged elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the simulator saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// By `Name` of a dataset.
    pub names: BTreeMap<String, NameLedger>,
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

impl Ledger {
    /// Uploads that were stored, of all Names.
    pub fn accepted(&self) -> u64 {
        self.names.values().map(|name| name.accepted.len() as u64).sum()
    }

    /// Status checks answered, of all Names.
    pub fn polls(&self) -> u64 {
        self.names.values().map(|name| name.polls_before_ready + name.polls_after_ready).sum()
    }

    /// Names that were stored more than once although the client had been told of the first time.
    pub fn doubled(&self) -> Vec<&str> {
        let doubled = |name: &NameLedger| {
            name.accepted.iter().rev().skip(1).any(|upload| !upload.answer_lost)
        };
        self.names.iter().filter(|(_, name)| doubled(name)).map(|(name, _)| name.as_str()).collect()
    }
}
