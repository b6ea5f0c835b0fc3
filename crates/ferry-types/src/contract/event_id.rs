//! Id of an event: the epoch of its store, and its number there.

use std::fmt;
use std::str::FromStr;

/// Digits of an epoch, and the most digits of a number.
const EPOCH: usize = 16;
const NUMBER: usize = 18;

/// Position in the history of a store, written `EPOCH-N`. The epoch changes with the store, so that
/// a reader never continues in the history of another one.
///
/// ```
/// use ferry_types::contract::EventId;
///
/// let id: EventId = "5f0c3a9d1b7e2468-17".parse()?;
/// assert_eq!((id.epoch.as_str(), id.number), ("5f0c3a9d1b7e2468", 17));
/// assert_eq!("0".parse(), Ok(EventId::START));
/// # Ok::<(), ferry_types::contract::InvalidEventIdError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EventId {
    /// 16 hexadecimal digits, drawn at random when the store is created; empty for [`EventId::START`].
    pub epoch: String,
    /// Counts the events of the store from 1.
    pub number: u64,
}

/// The text is not the id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the `id` of an event, such as `5f0c3a9d1b7e2468-17`, or `0` for all retained events"
)]
pub struct InvalidEventIdError;

impl EventId {
    /// Position before the first event of any store, written `0`.
    pub const START: Self = Self { epoch: String::new(), number: 0 };
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch.is_empty() {
            return f.write_str("0");
        }
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl FromStr for EventId {
    type Err = InvalidEventIdError;

    fn from_str(text: &str) -> Result<Self, InvalidEventIdError> {
        if text == "0" {
            return Ok(Self::START);
        }
        let (epoch, number) = text.split_once('-').ok_or(InvalidEventIdError)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_epoch = epoch.len() == EPOCH && epoch.bytes().all(is_hex);
        let is_number =
            (1..=NUMBER).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        if !is_epoch || !is_number {
            return Err(InvalidEventIdError);
        }
        let number = number.parse().map_err(|_| InvalidEventIdError)?;
        Ok(Self { epoch: epoch.to_owned(), number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is_one() {
        let id = EventId { epoch: "00ff00ff00ff00ff".to_owned(), number: 17 };
        assert_eq!(id.to_string(), "00ff00ff00ff00ff-17");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("0".parse(), Ok(EventId::START));
        assert_eq!(EventId::START.to_string(), "0");
        for wrong in
            ["", "1", "17", "-", "00ff00ff00ff00ff-", "00ff00ff00ff00ff", "00FF00ff00ff00ff-1"]
        {
            assert_eq!(wrong.parse::<EventId>(), Err(InvalidEventIdError), "{wrong}");
        }
        for wrong in ["00ff00ff00ff00ff-+1", "0f-1", "00ff00ff00ff00ff-1234567890123456789"] {
            assert_eq!(wrong.parse::<EventId>(), Err(InvalidEventIdError), "{wrong}");
        }
    }
}
