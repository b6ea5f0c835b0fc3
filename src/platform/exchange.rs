//! One request and its response, counted and traced; what failed is described without secrets.

use std::sync::Arc;

use super::observed::Observer;
use super::response::PlatformResponse;
use super::scrub::Scrubber;
use super::wire::{TransportError, Wire, WireRequest};

/// Maximum length of the description of a failure, in characters.
const DESCRIBED: usize = 300;

/// The requests to one server.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) wire: Arc<dyn Wire>,
    pub(super) scrubber: Scrubber,
    pub(super) observer: Observer,
}

impl Exchange {
    pub(super) async fn send(
        &self,
        endpoint: &'static str,
        request: WireRequest,
    ) -> Result<PlatformResponse, TransportError> {
        let sent = async {
            match self.wire.send(request).await {
                Ok(response) => Ok(PlatformResponse::new(endpoint, response)),
                Err(error) => Err(self.described(endpoint, error)),
            }
        };
        self.observer.observe(endpoint, sent).await
    }

    fn described(&self, endpoint: &str, error: TransportError) -> TransportError {
        let clean =
            |what: String| self.scrubber.clean(&format!("{endpoint}: {what}"), &[], DESCRIBED);
        match error {
            TransportError::NotSent(what) => TransportError::NotSent(clean(what)),
            TransportError::NoResponse(what) => TransportError::NoResponse(clean(what)),
            TransportError::TimedOut(what) => TransportError::TimedOut(clean(what)),
            TransportError::CutShort(what) => TransportError::CutShort(clean(what)),
            TransportError::Unreadable(what) => TransportError::Unreadable(clean(what)),
            TransportError::TooLarge => TransportError::TooLarge,
        }
    }
}
