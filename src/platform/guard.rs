//! Permission to send, asked for directly before each request.

use std::time::Duration;

use ferry_types::domain::outcome::PlatformError;

/// Decides for one step whether its requests may leave.
pub trait RequestGuard: Send + Sync {
    /// Called last before each request, whatever the step waited for until then.
    fn permit(&self) -> Result<(), Withheld>;

    /// A request to the Upload API begins, or its response has arrived. Dropped in between, it may
    /// have arrived.
    fn set_in_flight(&self, in_flight: bool);
}

/// Reason to send no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The Platform throttles the account for so long.
    Throttled(Duration),
    /// The lease of the step is over, so that another worker may run it.
    LeaseExpired,
    /// The deadline of an upload has passed.
    PastDeadline,
    /// The process ends.
    Aborted,
}

/// Lets each request leave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unguarded;

impl RequestGuard for Unguarded {
    fn permit(&self) -> Result<(), Withheld> {
        Ok(())
    }

    fn set_in_flight(&self, _: bool) {}
}

/// Reason for a request without a usable response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// It did not leave.
    Withheld(Withheld),
    /// The Platform, or the way to it, failed.
    Platform(PlatformError),
}

impl From<Withheld> for RequestError {
    fn from(withheld: Withheld) -> Self {
        Self::Withheld(withheld)
    }
}

impl From<PlatformError> for RequestError {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

/// For callers that guard nothing, and those to which a withheld request is one that was not sent.
impl From<RequestError> for PlatformError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Withheld(_) => Self::Unsent("the request was withheld".to_owned()),
            RequestError::Platform(error) => error,
        }
    }
}
