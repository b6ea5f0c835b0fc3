//! Takes new submissions in: all of a batch or none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use redis::Value;
use ring::digest::{Context, SHA256};

use super::fault::Fault;
use super::frame::write_payload;
use super::record::{head_of, rest_of};
use super::scripts::{Call, span_millis};
use super::values::{array, text};
use crate::pack::PackedPayload;
use crate::{Accepted, Deadline, NewSubmission};
use ferry_types::domain::SubmissionId;

/// Adds a batch to a call of the script.
pub(super) fn describe(call: Call, batch: &[(NewSubmission, PackedPayload)]) -> Call {
    call.each(batch, |call, (new, packed)| describe_one(call, new, packed))
}

fn describe_one(call: Call, new: &NewSubmission, packed: &PackedPayload) -> Call {
    let (deadline, span) = match new.deadline {
        Deadline::At(deadline) => (Some(deadline.timestamp_millis()), None),
        Deadline::After(span) => (None, Some(span_millis(span))),
    };
    let labels: Vec<_> = new.labels.iter().collect();
    let id = new.id.to_string();
    call.arg(&id)
        .packed(&head_of(new, &id, &digest(new)))
        .arg(rest_of(new))
        .maybe(new.not_before.map(|at| at.timestamp_millis()))
        .maybe(deadline)
        .maybe(span)
        .flag(new.idempotency_key.is_some())
        .maybe(new.idempotency_key.as_ref())
        .arg(write_payload(packed))
        .each(&labels, |call, (name, value)| call.arg(name).arg(value))
}

/// Tells contents apart: what a repeated idempotency key, or a repeated id, must have in common.
fn digest(new: &NewSubmission) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_le_bytes());
        context.update(bytes);
    };
    add(new.account.as_bytes());
    add(new.name.as_bytes());
    add(&[u8::from(new.overwrite), u8::from(new.payload.event_data.is_some())]);
    add(&(new.result_keys.len() as u64).to_le_bytes());
    new.result_keys.iter().for_each(|key| add(key.as_bytes()));
    add(new.payload.data.as_bytes());
    add(new.payload.event_data.as_deref().unwrap_or_default().as_bytes());
    STANDARD_NO_PAD.encode(&context.finish().as_ref()[..16])
}
/// Reads the script's answer.
pub(super) fn answers(answer: Value) -> Result<Vec<Accepted>, Fault> {
    let mut items = array(answer)?.into_iter();
    let mut accepted = Vec::with_capacity(items.len() / 2);
    while let (Some(word), Some(id)) = (items.next(), items.next()) {
        let id: SubmissionId = text(id)?.parse().map_err(Fault::corrupt)?;
        accepted.push(match text(word)?.as_str() {
            "new" => Accepted::New(id),
            "known" => Accepted::Known(id),
            "conflict" => Accepted::Conflict(id),
            _ => return Err(Fault::not_allowed(format!("there is already a submission {id}"))),
        });
    }
    Ok(accepted)
}
