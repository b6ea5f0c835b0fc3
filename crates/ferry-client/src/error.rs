//! Errors of the client.

use ferry_types::contract::Problem;

/// A request without a usable response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL or the key cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The server responded with a problem.
    #[error("{} ({}): {}", .0.title, .0.status, .0.detail)]
    Problem(Box<Problem>),
    /// The server could not be reached in any attempt. The request may have been done, and can be sent
    /// again.
    #[error("the server was not reached: {0}")]
    Unreachable(String),
    /// The response is none of this API.
    #[error("a response that is not Ferry's ({status}): {what}")]
    Foreign {
        /// The HTTP status.
        status: u16,
        /// The error in it.
        what: String,
    },
}
