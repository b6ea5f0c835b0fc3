//! Reads events, as the scripts append them: `time id state why length account` and the dataset name, where
//! the length is that of the account.

use redis::Value;

use super::error::RedisError;
use super::values::{array, lossy, number, text, tuple};
use crate::events::log_damaged;
use crate::shown::Shift;
use crate::{Event, Events};
use ferry_types::domain::timestamp;

/// Reads the response to a call of the script that asked for events after `after`.
pub(super) fn read(after: u64, response: Value) -> Result<Events, RedisError> {
    let [forgotten, newest, events, epochs, offset] = tuple(response)?;
    let offset = text(offset)?.parse().map_err(RedisError::corrupt)?;
    let epochs = lossy(epochs)?;
    let epoch = epochs.split(' ').next().unwrap_or_default().to_owned();
    let oldest = number(forgotten)?;
    let before = after.max(oldest);
    let events = (1..).zip(array(events)?);
    let events = events.filter_map(|(n, line)| {
        let cursor = before + n;
        let read = text(line).and_then(|line| event(cursor, &line));
        // A damaged event costs itself alone.
        read.inspect_err(|error| log_damaged(cursor, error)).ok()
    });
    let events = Vec::<Event>::shown(events.collect(), offset);
    Ok(Events { epoch, events, oldest, newest: number(newest)? })
}

pub(super) fn event(cursor: u64, line: &str) -> Result<Event, RedisError> {
    let mut parts = line.splitn(6, ' ');
    let mut part = || parts.next().unwrap_or_default();
    let at = timestamp(part().parse().map_err(RedisError::corrupt)?);
    let submission = part().parse().map_err(RedisError::corrupt)?;
    let state = part().parse().map_err(RedisError::corrupt)?;
    let reason = Some(part()).filter(|why| *why != "-");
    let reason = reason.map(|why| why.parse().map_err(RedisError::corrupt)).transpose()?;
    let length: usize = part().parse().map_err(RedisError::corrupt)?;
    let short = || RedisError::corrupt("an event ends too early");
    let (account, name) = part().split_at_checked(length).ok_or_else(short)?;
    let (account, name) = (account.to_owned(), name.to_owned());
    Ok(Event { cursor, submission, account, name, state, reason, at })
}

#[cfg(test)]
mod tests {
    use crate::events::{FORGOTTEN, KEPT};

    #[test]
    fn scripts_keep_as_many_events() {
        let limits = format!("EVENTS, FORGOTTEN = {KEPT}, {FORGOTTEN}\n");
        assert!(include_str!("prelude.lua").contains(&limits));
    }
}
