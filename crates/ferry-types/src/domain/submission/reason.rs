//! Reasons of states.

use serde::{Deserialize, Serialize};

use crate::closed_set;

closed_set! {
    /// Cause of a state: the closed set that metrics and programs use.
    pub enum ReasonCode: "reason" in json {
        /// The Platform, or the network on the way, failed for a while.
        Transient = "transient",
        /// Nothing is at the address of the uploads, or a status speaks of something else than the dataset.
        WrongAddress = "wrong_address",
        /// An upload may or may not have arrived.
        Ambiguous = "ambiguous",
        /// The Platform throttles the account.
        Throttled = "throttled",
        /// The credentials of the account were denied.
        Credentials = "credentials",
        /// The Platform rejected the upload itself.
        UploadRejected = "upload_rejected",
        /// The Platform rejects an upload, and an earlier one of the dataset name may have arrived.
        AlreadyExists = "already_exists",
        /// The Platform processed the dataset and rejected it; see the feedback.
        DataRejected = "data_rejected",
        /// The Platform does not know the processing token.
        UnknownToken = "unknown_token",
        /// The Platform has decided, and results or feedback are not there or cannot be read.
        ResultMissing = "result_missing",
        /// The deadline passed.
        Deadline = "deadline",
        /// A response was larger than the configured limit.
        ResponseTooLarge = "response_too_large",
        /// The step crashed its worker too often.
        Poison = "poison",
        /// An operator cancelled, retried or resolved it.
        Operator = "operator",
        /// The account is not configured in the worker that claimed the step.
        UnknownAccount = "unknown_account",
        /// The store does not have the dataset, or it is damaged.
        PayloadMissing = "payload_missing",
    }
}

/// Cause of a state, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For people; no secret and no row of the dataset.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}
