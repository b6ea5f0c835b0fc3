//! Takes new submissions in: all of a batch or none.

use redis::Value;

use super::blob_format::write_payload;
use super::error::RedisError;
use super::record::{cold_of, head_of};
use super::scripts::{ScriptCall, duration_millis};
use super::values::{array, text};
use crate::compression::CompressedPayload;
use crate::{Accepted, Deadline, NewSubmission, StoreError};
use ferry_types::domain::{SubmissionId, timestamp};

/// Adds a batch to a call of the script.
pub(super) fn describe(
    script_call: ScriptCall,
    batch: &[(NewSubmission, CompressedPayload)],
) -> ScriptCall {
    script_call.each(batch, |script_call, (new, packed)| describe_one(script_call, new, packed))
}

fn describe_one(
    script_call: ScriptCall,
    new: &NewSubmission,
    packed: &CompressedPayload,
) -> ScriptCall {
    let (deadline, duration) = match new.deadline {
        Deadline::At(deadline) => (Some(deadline.timestamp_millis()), None),
        Deadline::After(duration) => (None, Some(duration_millis(duration))),
    };
    let labels: Vec<_> = new.labels.iter().collect();
    let id = new.id.to_string();
    // The script puts in its own times.
    let submission = new.submission(timestamp(0), false);
    let key = new.idempotency_key.as_deref();
    script_call
        .arg(&id)
        .packed(&head_of(&submission, &id, &new.digest(), key))
        .arg(cold_of(&submission))
        .maybe(new.not_before.map(|at| at.timestamp_millis()))
        .maybe(deadline)
        .maybe(duration)
        .flag(new.idempotency_key.is_some())
        .maybe(new.idempotency_key.as_ref())
        .arg(write_payload(packed))
        .each(&labels, |script_call, (name, value)| script_call.arg(name).arg(value))
}

/// Reads the script's response.
pub(super) fn responses(response: Value) -> Result<Vec<Accepted>, RedisError> {
    let mut items = array(response)?.into_iter();
    let mut accepted = Vec::with_capacity(items.len() / 2);
    while let (Some(value), Some(id)) = (items.next(), items.next()) {
        let id: SubmissionId = text(id)?.parse().map_err(RedisError::corrupt)?;
        accepted.push(match text(value)?.as_str() {
            "new" => Accepted::New(id),
            "duplicate" => Accepted::Duplicate(id),
            "conflict" => Accepted::Conflict(id),
            _ => return Err(RedisError::Store(StoreError::Taken(id))),
        });
    }
    Ok(accepted)
}
