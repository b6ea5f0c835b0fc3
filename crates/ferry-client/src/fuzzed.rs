//! Reads a stream of events without a connection, for the fuzz targets in `fuzz/`.

use super::messages::Messages;

/// Number of messages in a stream that arrives in these parts; `None` if it is too long.
pub fn read_stream(parts: &[&[u8]]) -> Option<usize> {
    let mut messages = Messages::default();
    parts.iter().try_for_each(|part| messages.push(part)).ok()?;
    Some(std::iter::from_fn(|| messages.next()).count())
}
