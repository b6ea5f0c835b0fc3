//! Takes apart what scripts answer.

use std::str::FromStr;

use redis::Value;

use super::fault::Fault;
use ferry_types::domain::{Timestamp, timestamp};

pub(super) fn array(value: Value) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(Fault::answer(&other)),
    }
}

/// An array of exactly so many.
pub(super) fn tuple<const N: usize>(value: Value) -> Result<[Value; N], Fault> {
    array(value)?.try_into().map_err(|items| Fault::answer(&Value::Array(items)))
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, Fault> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(Fault::answer(&other)),
    }
}

pub(super) fn maybe_bytes(value: Value) -> Result<Option<Vec<u8>>, Fault> {
    match value {
        Value::Nil => Ok(None),
        found => bytes(found).map(Some),
    }
}

pub(super) fn text(value: Value) -> Result<String, Fault> {
    String::from_utf8(bytes(value)?).map_err(Fault::corrupt)
}

/// A text that means something; none if it is empty.
pub(super) fn maybe<T: FromStr<Err: std::fmt::Display>>(value: Value) -> Result<Option<T>, Fault> {
    let text = text(value)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(Fault::corrupt) }
}

/// A number, or one written as a text.
pub(super) fn number(value: Value) -> Result<u64, Fault> {
    match value {
        Value::Int(number) => Ok(number.unsigned_abs()),
        other => text(other)?.parse().map_err(Fault::corrupt),
    }
}

pub(super) fn time(value: Value) -> Result<Timestamp, Fault> {
    let millis: i64 = text(value)?.parse().map_err(Fault::corrupt)?;
    Ok(timestamp(millis))
}

pub(super) fn maybe_time(value: Value) -> Result<Option<Timestamp>, Fault> {
    Ok(maybe::<i64>(value)?.map(timestamp))
}
