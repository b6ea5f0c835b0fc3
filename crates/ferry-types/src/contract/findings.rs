//! Findings: what is wrong with the queue, in one sentence each. The HTTP API, the console and the command
//! line have the same ones.

use serde::{Deserialize, Serialize};

use crate::closed_set;
use crate::domain::Timestamp;

closed_set! {
    /// The kind of a finding.
    pub enum FindingKind: "kind of finding" in json {
        /// The server cannot do its work: its store is away, lost data or cannot be written.
        NotReady = "not_ready",
        /// Steps are ready, and no worker runs any.
        NoWorker = "no_worker",
        /// The account is paused.
        Paused = "paused",
        /// The circuit breaker of the account is open, or one probe at a time is let through.
        BreakerOpen = "breaker_open",
        /// Requests of the account fail, and its circuit breaker is closed.
        Failing = "failing",
        /// A check of the store failed: it may lose data.
        StoreCheck = "store_check",
        /// The Platform throttles the account.
        Throttled = "throttled",
        /// The account is at its limit.
        LimitReached = "limit_reached",
        /// Submissions are held for a decision.
        Held = "held",
        /// Webhooks were abandoned.
        WebhooksAbandoned = "webhooks_abandoned",
        /// More steps are ready than workers run.
        Backlog = "backlog",
    }
}

closed_set! {
    /// The severity of a finding.
    pub enum Severity: "severity" in json {
        /// Stops everything, or all of an account.
        Bad = "bad",
        /// Stops a part, or endangers the data.
        Warn = "warn",
        /// Ends by itself.
        Note = "note",
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FindingView {
    /// Its kind.
    pub kind: FindingKind,
    /// Its severity.
    pub severity: Severity,
    /// The account; null if it is about the server or its store.
    pub account: Option<String>,
    /// All of it in one sentence: what is wrong, since when, until when, and what happens then.
    pub sentence: String,
    /// Time of its begin; null if it is not known.
    pub since: Option<Timestamp>,
    /// Time of its end; null if it is not known.
    pub until: Option<Timestamp>,
    /// Effect until then, in a sentence.
    pub effect: String,
    /// The end of `sentence`: what happens then, or what ends it.
    pub then: String,
    /// Command of an operator that ends it or shows more; null if there is none.
    pub act: Option<String>,
}
