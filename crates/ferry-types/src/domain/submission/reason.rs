//! Reasons of states.

use serde::{Deserialize, Serialize};

/// Cause of a state: the closed set that metrics and programs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// The Platform, or the network on the way, failed for a while.
    Transient,
    /// An upload may or may not have arrived.
    Ambiguous,
    /// The Platform throttles the account.
    Throttled,
    /// The credentials of the account were denied.
    Credentials,
    /// The Platform rejected the upload itself.
    UploadRejected,
    /// The Platform rejects an upload, and an earlier one of the dataset name may have arrived.
    AlreadyExists,
    /// The Platform processed the dataset and rejected it; see the feedback.
    DataRejected,
    /// The Platform does not know the processing token.
    UnknownToken,
    /// The Platform has decided, and results or feedback are not there or cannot be read.
    ResultMissing,
    /// The deadline passed.
    Deadline,
    /// A response was larger than the configured limit.
    ResponseTooLarge,
    /// The step crashed its worker too often.
    Poison,
    /// An operator cancelled, retried or resolved it.
    Operator,
    /// The account is not configured in the worker that claimed the step.
    UnknownAccount,
    /// The store does not have the dataset, or it is damaged.
    PayloadMissing,
}

impl ReasonCode {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::Transient,
        Self::Ambiguous,
        Self::Throttled,
        Self::Credentials,
        Self::UploadRejected,
        Self::AlreadyExists,
        Self::DataRejected,
        Self::UnknownToken,
        Self::ResultMissing,
        Self::Deadline,
        Self::ResponseTooLarge,
        Self::Poison,
        Self::Operator,
        Self::UnknownAccount,
        Self::PayloadMissing,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Throttled => "throttled",
            Self::Credentials => "credentials",
            Self::UploadRejected => "upload_rejected",
            Self::AlreadyExists => "already_exists",
            Self::DataRejected => "data_rejected",
            Self::UnknownToken => "unknown_token",
            Self::ResultMissing => "result_missing",
            Self::Deadline => "deadline",
            Self::ResponseTooLarge => "response_too_large",
            Self::Poison => "poison",
            Self::Operator => "operator",
            Self::UnknownAccount => "unknown_account",
            Self::PayloadMissing => "payload_missing",
        }
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
