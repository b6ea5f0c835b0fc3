//! Positions in lists and in the stream of events, in the form that a caller sees: a plain one is a number
//! of the whole store, which shows a caller that is bound to accounts how much the others do.

use std::sync::Arc;

use ring::error::Unspecified;

use super::error::ApiError;
use super::seal::Seal;
use ferry_store::Cursor;
use ferry_types::contract::{EventId, ProblemKind};

/// Bytes of an epoch.
const EPOCH: usize = 16;

/// Bytes of a number.
const NUMBER: usize = size_of::<u64>();

/// Advice to a client whose events are lost.
pub(super) const WAY_OUT: &str =
    "list the submissions, then open the stream without `Last-Event-ID`";

/// The form of positions.
#[derive(Debug, Clone)]
pub(super) enum Positions {
    /// As the store counts.
    Plain,
    /// Sealed with the secret of the caller's key.
    Sealed(Arc<Seal>),
}

impl Positions {
    /// Writes a position in a list.
    pub(super) fn of_page(&self, cursor: Cursor) -> Result<String, ApiError> {
        match self {
            Self::Plain => Ok(cursor.0.to_string()),
            Self::Sealed(seal) => seal.seal("page", &cursor.0.to_be_bytes()).map_err(no_randomness),
        }
    }

    /// Reads a position in a list that the same key was given.
    pub(super) fn page(&self, text: &str) -> Result<Cursor, ApiError> {
        let number = match self {
            Self::Plain => text.parse().ok(),
            Self::Sealed(seal) => seal.open("page", text).map(u64::from_be_bytes),
        };
        let expected = "the parameter `cursor`: expected the `next_cursor` of an earlier response";
        let of_key = match self {
            Self::Plain => "",
            Self::Sealed(_) => " to this API key; without `cursor` the list begins again",
        };
        number.map(Cursor).ok_or_else(|| ApiError::invalid(format!("{expected}{of_key}")))
    }

    /// Writes a position in the stream.
    pub(super) fn of_event(&self, id: &EventId) -> Result<String, ApiError> {
        let Self::Sealed(seal) = self else { return Ok(id.to_string()) };
        let mut bytes = [0; EPOCH + NUMBER];
        // Before the first event of a store there is no epoch, and a damaged store may have any.
        for (place, byte) in bytes[..EPOCH].iter_mut().zip(id.epoch.bytes()) {
            *place = byte;
        }
        bytes[EPOCH..].copy_from_slice(&id.number.to_be_bytes());
        seal.seal("event", &bytes).map_err(no_randomness)
    }

    /// Reads a position in the stream that the same key was given, or the start.
    pub(super) fn event(&self, text: &str) -> Result<EventId, ApiError> {
        let plain = text.parse::<EventId>().ok();
        let opened = match self {
            _ if plain == Some(EventId::START) => plain,
            Self::Plain => plain,
            Self::Sealed(seal) => seal.open("event", text).and_then(|bytes| unpacked(&bytes)),
        };
        let what = "the position was given to another API key, or its key changed";
        let foreign = || ApiError::new(ProblemKind::Gone, format!("{what}: {WAY_OUT}"));
        opened.ok_or_else(foreign)
    }

    /// The reason for which a stream cannot continue, as the caller may know it.
    pub(super) fn shown_loss(&self, reason: String) -> String {
        match self {
            Self::Plain => reason,
            Self::Sealed(_) => {
                format!("events after this position are not retained, or were lost: {WAY_OUT}")
            }
        }
    }
}

fn unpacked(bytes: &[u8; EPOCH + NUMBER]) -> Option<EventId> {
    let (epoch, number) = bytes.split_at(EPOCH);
    let epoch = std::str::from_utf8(epoch).ok()?.trim_end_matches('\0').to_owned();
    Some(EventId { epoch, number: u64::from_be_bytes(number.try_into().ok()?) })
}

fn no_randomness(_: Unspecified) -> ApiError {
    ApiError::internal("the operating system gave no random bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::seal::CursorSecret;

    fn sealed() -> Positions {
        Positions::Sealed(Arc::new(Seal::new(&CursorSecret::random().unwrap())))
    }

    #[test]
    fn a_sealed_position_is_read_by_its_key_and_by_no_other() {
        let (own, other) = (sealed(), sealed());
        let id = EventId { epoch: "00ff00ff00ff00ff".to_owned(), number: 17 };
        let (page, event) = (own.of_page(Cursor(7)).unwrap(), own.of_event(&id).unwrap());
        assert_eq!(own.page(&page).unwrap(), Cursor(7));
        assert_eq!(own.event(&event).unwrap(), id);
        let start = own.of_event(&EventId::START).unwrap();
        assert_eq!(own.event(&start).unwrap(), EventId::START);
        assert_eq!(start.len(), event.len());
        for reader in [other, Positions::Plain] {
            assert!(reader.page(&page).is_err() && reader.event(&event).is_err());
        }
        // A position is of one kind, and plain ones are guesses.
        assert!(own.page(&event).is_err() && own.event(&page).is_err());
        assert!(own.page("7").is_err() && own.event(&id.to_string()).is_err());
        assert!(own.page("").is_err() && own.event("").is_err());
    }

    #[test]
    fn a_position_of_a_damaged_store_is_sealed_and_leads_nowhere() {
        let (own, epoch) = (sealed(), "ä".repeat(40));
        let event = own.of_event(&EventId { epoch: epoch.clone(), number: 17 }).unwrap();
        assert!(own.event(&event).is_ok_and(|id| id.epoch != epoch));
    }

    #[test]
    fn two_sealed_positions_do_not_show_if_they_are_the_same() {
        let positions = sealed();
        let of = |number| positions.of_page(Cursor(number)).unwrap();
        assert_ne!(of(7), of(7));
        assert_eq!(of(7).len(), of(u64::MAX).len());
    }
}
