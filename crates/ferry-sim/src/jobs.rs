//! The datasets that the simulator has, in bounded memory, so that a demonstration can run without end.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::dataset::ValidationResult;
use super::time::later;

/// No more datasets are remembered, nor more bytes of their results and feedback.
const MAX_JOBS: usize = 1_000_000;
const MAX_BYTES: usize = 256 << 20;

/// A dataset and its verdict.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    /// From when its processing token is known.
    pub(super) known_at: DateTime<Utc>,
    /// From when its verdict is known.
    pub(super) ready_at: DateTime<Utc>,
    pub(super) verdict: ValidationResult,
}

/// The latest dataset of each name.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_token: HashMap<String, Job>,
    /// The processing token of each name.
    tokens: HashMap<String, String>,
    /// The processing tokens in the order of the uploads.
    oldest: VecDeque<String>,
    /// The bytes of all verdicts.
    bytes: usize,
}

impl Jobs {
    pub(super) fn get(&self, token: &str) -> Option<&Job> {
        self.by_token.get(token)
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.tokens.contains_key(name)
    }

    /// Replaces the dataset name's job before, whose processing token is unknown from then on.
    pub(super) fn insert(&mut self, token: String, job: Job) {
        if let Some(replaced) = self.tokens.insert(job.name.clone(), token.clone()) {
            self.remove(&replaced);
        }
        self.bytes += job.verdict.bytes();
        self.oldest.push_back(token.clone());
        self.by_token.insert(token, job);
    }

    /// Forgets what has been ready for longer than `memory`, and the oldest if they are too many;
    /// returns the names.
    pub(super) fn forget(&mut self, now: DateTime<Utc>, memory: Duration) -> Vec<String> {
        let mut forgotten = Vec::new();
        while let Some(token) = self.oldest.front() {
            let is_full = self.by_token.len() >= MAX_JOBS || self.bytes > MAX_BYTES;
            let is_recent = |job: &Job| now < later(job.ready_at, memory);
            if !is_full && self.get(token).is_some_and(is_recent) {
                break;
            }
            let token = self.oldest.pop_front().unwrap_or_default();
            if let Some(job) = self.remove(&token) {
                self.tokens.remove(&job.name);
                forgotten.push(job.name);
            }
        }
        forgotten
    }

    fn remove(&mut self, token: &str) -> Option<Job> {
        let job = self.by_token.remove(token)?;
        self.bytes -= job.verdict.bytes();
        Some(job)
    }
}
