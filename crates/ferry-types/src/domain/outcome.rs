//! Responses of the Platform, by what follows from them.
//!
//! "Not yet" and "no" are values. [`PlatformError`] means that a request has no usable response; each of
//! its variants says one thing to do about it.

use std::fmt;
use std::time::Duration;

/// The response to an upload that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedUpload {
    /// Names the dataset in later requests.
    pub processing_token: String,
    /// Minimum delay before the first poll, if the Platform named one.
    pub retry_after: Option<Duration>,
}

/// The response to a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// `completedsuccessfully`: the results can be fetched.
    Done,
    /// The Platform has not decided.
    Pending {
        /// The status word in lower case, at most 64 characters of it.
        status: String,
        /// True if the configuration lists it as pending.
        known: bool,
        /// Minimum delay before the next poll, if the Platform named one.
        retry_after: Option<Duration>,
    },
    /// The Platform decided against the dataset: the feedback says why.
    Failed {
        /// The status word in lower case, at most 64 characters of it.
        status: String,
    },
}

impl fmt::Display for Status {
    /// The status word, or that of Ferry: which words mean success is configured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("completed"),
            Self::Pending { status, .. } | Self::Failed { status } => f.write_str(status),
        }
    }
}

/// Opaque bytes of the Platform, with their content type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Content {
    /// The `Content-Type` header as it was sent, if it was.
    pub content_type: Option<String>,
    /// The body, untouched.
    pub bytes: Vec<u8>,
}

/// Reason why a request to the Platform got no usable response, by what is to be done about it.
///
/// The texts name the endpoint and the cause, and never hold a URL, a header, a body that was sent,
/// or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Nothing was changed there, and a later try may succeed. Try again with backoff.
    #[error("{0}")]
    Transient(String),
    /// The Platform, or a server on the way, does not look at the dataset: nothing is at the address of the
    /// upload, or the status speaks of something else. Try again with backoff.
    #[error("{what}")]
    WrongAddress {
        /// The HTTP status.
        status: u16,
        /// The response, as text.
        what: String,
    },
    /// Nothing was sent, for want of a connection or a token. Try again with backoff.
    #[error("{0}")]
    Unsent(String),
    /// There is no result yet: 202, 204, 206, an empty body, or a web page. Ask again later.
    #[error("{what}")]
    NotYet {
        /// Minimum delay, if the Platform named one.
        retry_after: Option<Duration>,
        /// The response, as text.
        what: String,
    },
    /// The Platform did what was requested, and its response cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The upload may have arrived, or not. Only an upload is ever ambiguous.
    #[error("{0}")]
    Ambiguous(String),
    /// The upload was sent, and no response came in time: it may have arrived, and another one may take as
    /// long.
    #[error("{0}")]
    TimedOut(String),
    /// The Platform throttles the whole account.
    #[error("{what}")]
    Throttled {
        /// Minimum delay, if the Platform named one.
        retry_after: Option<Duration>,
        /// True if the upload may have arrived all the same: a gateway responds 503 to one that it
        /// passed on. A 429 says that the request was not processed.
        ambiguous: bool,
        /// True for a 429 to other requests than those for tokens: they come too fast.
        is_rate: bool,
        /// The response, as text.
        what: String,
    },
    /// The credentials do not work: a person has to look at the account.
    #[error("{0}")]
    Credentials(String),
    /// The Platform understood the upload and does not take it.
    #[error("the Platform rejected the upload ({status}): {words}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The Platform's own words, shortened.
        words: String,
    },
    /// The Platform was reached, and the result or feedback that was requested does not arrive.
    #[error("{what}")]
    Declined {
        /// True of 5xx and of a connection that breaks without a response: the next request may fare the same,
        /// whatever it asks for.
        may_be_outage: bool,
        /// The response, as text.
        what: String,
    },
    /// The Platform does not know the processing token.
    #[error("the Platform does not know the processing token (404)")]
    UnknownToken,
    /// The response is larger than the configured limit, and would be so again.
    #[error("the response to {endpoint} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The endpoint.
        endpoint: &'static str,
        /// The configured limit.
        limit: u64,
    },
}

impl PlatformError {
    /// True of the rejection of an upload, which may be about one that arrived before.
    pub fn may_be_about_another(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::WrongAddress { .. })
    }
}
