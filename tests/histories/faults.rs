//! Faults of the Platform and of receivers of webhooks.

use std::time::Duration;

use ferry_sim::{Endpoint, Fault, FaultKind, RetryAfter};

/// A fault of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlatformFault {
    /// One of those that drills have, too.
    Of(FaultKind),
    /// The credentials are denied.
    CredentialsDenied,
}

impl PlatformFault {
    /// The fault for a request to `endpoint`, if it concerns such requests.
    pub(crate) fn of(self, endpoint: Endpoint, retry_after: Duration) -> Option<Fault> {
        let (is_upload, is_login) = (endpoint == Endpoint::Upload, endpoint == Endpoint::Token);
        let (headers, body) = (Vec::new(), String::new());
        let retry_after = RetryAfter::Seconds(retry_after.as_secs_f64());
        let kind = match self {
            Self::Of(kind) => kind,
            Self::CredentialsDenied if is_login => {
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                let body = r#"{"error":"invalid_client"}"#.to_owned();
                return Some(Fault::Respond { status: 401, headers, body });
            }
            Self::CredentialsDenied => return None,
        };
        Some(match kind {
            FaultKind::Error => Fault::Respond { status: 500, headers, body },
            FaultKind::StoredAndError => Fault::RespondAfter { status: 502, headers, body },
            FaultKind::Throttled => Fault::Throttle(retry_after),
            FaultKind::StoredAndThrottled => Fault::ThrottleAfter(retry_after),
            FaultKind::Reset => Fault::ResetBefore,
            FaultKind::StoredAndReset => Fault::ResetAfter,
            FaultKind::TokenDenied if !is_login => Fault::RevokeToken,
            FaultKind::NameRejected if is_upload => Fault::RejectName,
            FaultKind::UnknownToken if is_upload => Fault::UnknownFor(Duration::from_secs(4)),
            FaultKind::OddWord if endpoint == Endpoint::Status => Fault::OddWord,
            FaultKind::NotYet if !is_upload && !is_login => {
                Fault::Respond { status: 202, headers, body }
            }
            _ => return None,
        })
    }
}
