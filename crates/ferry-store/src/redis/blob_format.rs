//! Datasets and results as bytes: compressed, with what is needed to unpack them before them. All
//! numbers are eight bytes, the lowest first. They are read by plain commands, which cost the server
//! much less than a script.

use super::error::RedisError;
use crate::Payload;
use crate::compression::{Compressed, CompressedPayload};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::outcome::Content;

/// The key of a dataset, as `keys.lua` has it.
pub(super) fn payload_key(base: &str, id: SubmissionId) -> String {
    format!("{base}p:{id}")
}

/// The key of a submission's results and feedback, as `keys.lua` has it.
pub(super) fn contents_key(base: &str, id: SubmissionId) -> String {
    format!("{base}r:{id}")
}

/// The sizes of the data unpacked and packed, the data; then, if there are any, the size of the
/// events unpacked, and the events.
pub(super) fn write_payload(payload: &CompressedPayload) -> Vec<u8> {
    let CompressedPayload { data, event_data } = payload;
    let mut bytes = Vec::with_capacity(24 + data.bytes.len());
    put(&mut bytes, data.unpacked);
    put(&mut bytes, data.bytes.len() as u64);
    bytes.extend_from_slice(&data.bytes);
    if let Some(events) = event_data {
        put(&mut bytes, events.unpacked);
        bytes.extend_from_slice(&events.bytes);
    }
    bytes
}

pub(super) fn read_payload(bytes: &[u8]) -> Result<Payload, RedisError> {
    let (unpacked, bytes) = number(bytes)?;
    let (size, bytes) = number(bytes)?;
    let (data, bytes) = split(bytes, size)?;
    let data = Compressed { bytes: data.to_vec(), unpacked };
    let event_data = if bytes.is_empty() { None } else { Some(packed(bytes)?) };
    CompressedPayload { data, event_data }.decompress().map_err(RedisError::corrupt)
}

/// The size of the content type, or zero for none and one more than it is, the content type; then the
/// size of the body unpacked, and the body.
pub(super) fn write_content(content_type: Option<&str>, body: &Compressed) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + body.bytes.len());
    put(&mut bytes, content_type.map_or(0, |text| text.len() as u64 + 1));
    bytes.extend_from_slice(content_type.unwrap_or_default().as_bytes());
    put(&mut bytes, body.unpacked);
    bytes.extend_from_slice(&body.bytes);
    bytes
}

pub(super) fn read_content(bytes: &[u8]) -> Result<Content, RedisError> {
    let (size, bytes) = number(bytes)?;
    let (text, bytes) = split(bytes, size.saturating_sub(1))?;
    let text = || String::from_utf8(text.to_vec()).map_err(RedisError::corrupt);
    let content_type = (size > 0).then(text).transpose()?;
    Ok(Content { content_type, bytes: packed(bytes)?.decompress().map_err(RedisError::corrupt)? })
}

fn put(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), RedisError> {
    let (number, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    Ok((u64::from_le_bytes(*number), rest))
}

fn split(bytes: &[u8], at: u64) -> Result<(&[u8], &[u8]), RedisError> {
    bytes.split_at_checked(usize::try_from(at).map_err(RedisError::corrupt)?).ok_or_else(short)
}

fn packed(bytes: &[u8]) -> Result<Compressed, RedisError> {
    let (unpacked, bytes) = number(bytes)?;
    Ok(Compressed { bytes: bytes.to_vec(), unpacked })
}

fn short() -> RedisError {
    RedisError::corrupt("a dataset or result ends too early")
}
