//! Takes apart what scripts return.

use std::str::FromStr;

use redis::Value;

use super::error::RedisError;
use ferry_types::domain::{Timestamp, timestamp};

pub(super) fn array(value: Value) -> Result<Vec<Value>, RedisError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(RedisError::response(&other)),
    }
}

/// An array of exactly so many.
pub(super) fn tuple<const N: usize>(value: Value) -> Result<[Value; N], RedisError> {
    array(value)?.try_into().map_err(|items| RedisError::response(&Value::Array(items)))
}

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, RedisError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(RedisError::response(&other)),
    }
}

pub(super) fn maybe_bytes(value: Value) -> Result<Option<Vec<u8>>, RedisError> {
    match value {
        Value::Nil => Ok(None),
        found => bytes(found).map(Some),
    }
}

pub(super) fn text(value: Value) -> Result<String, RedisError> {
    String::from_utf8(bytes(value)?).map_err(RedisError::corrupt)
}

/// A text that may come from elsewhere, for people.
pub(super) fn lossy(value: Value) -> Result<String, RedisError> {
    Ok(String::from_utf8_lossy(&bytes(value)?).into_owned())
}

/// A text that means something; none if it is empty or absent.
pub(super) fn maybe<T: FromStr<Err: std::fmt::Display>>(
    value: Value,
) -> Result<Option<T>, RedisError> {
    if value == Value::Nil {
        return Ok(None);
    }
    let text = text(value)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(RedisError::corrupt) }
}

/// A number, or one written as a text.
pub(super) fn number(value: Value) -> Result<u64, RedisError> {
    match value {
        Value::Int(number) => Ok(number.unsigned_abs()),
        other => text(other)?.parse().map_err(RedisError::corrupt),
    }
}

/// The store's time, and the milliseconds by which the clock is ahead of it.
pub(super) fn stamp(value: Value) -> Result<(Timestamp, i64), RedisError> {
    let text = text(value)?;
    let millis = |text: &str| text.parse::<i64>().map_err(RedisError::corrupt);
    let (now, offset) = text.split_once(' ').unwrap_or((&text, "0"));
    Ok((timestamp(millis(now)?), millis(offset)?))
}

/// The store's time alone.
pub(super) fn time(value: Value) -> Result<Timestamp, RedisError> {
    Ok(stamp(value)?.0)
}

pub(super) fn maybe_time(value: Value) -> Result<Option<Timestamp>, RedisError> {
    Ok(maybe::<i64>(value)?.map(timestamp))
}
