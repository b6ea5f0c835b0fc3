//! Submissions as the scripts keep them: one string each, so that a batch is read, or written, by one
//! command. Three parts in `MessagePack` follow one another: the head, which the scripts act on; what
//! only this code reads; and the lines of the timeline after the first.

use std::str::FromStr;

use serde::Deserialize;

use super::error::RedisError;
use crate::TIMELINE;
use crate::cold::{Cold, ColdRef, Hot};
use ferry_types::domain::account::{Health, LearnedRate};
use ferry_types::domain::submission::{StepKind, Submission, SubmissionParts, TimelineEntry};
use ferry_types::domain::{Timestamp, timestamp};

/// A submission, and what only the store knows of it.
#[derive(Debug, Clone)]
pub(super) struct RedisRecord {
    pub(super) seq: u64,
    pub(super) submission: Submission,
    done: String,
    digest: String,
    /// The idempotency key, as `key_of` writes it.
    key: String,
    /// The lines of the timeline, as they are stored.
    lines: Vec<u8>,
}

/// A value of a head.
trait Value<'a>: Sized {
    fn take(packed: &mut &'a [u8]) -> Result<Self, RedisError>;
    fn put(&self, packed: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)+) => {
        $(impl Value<'_> for $number {
            fn take(packed: &mut &[u8]) -> Result<Self, RedisError> {
                rmp::decode::read_int(packed).map_err(RedisError::corrupt)
            }

            fn put(&self, packed: &mut Vec<u8>) {
                let number = i64::try_from(*self).unwrap_or(i64::MAX);
                rmp::encode::write_sint(packed, number).expect(MEMORY);
            }
        })+
    };
}

numbers! { i64 u64 u32 }

impl Value<'_> for bool {
    fn take(packed: &mut &[u8]) -> Result<Self, RedisError> {
        rmp::decode::read_bool(packed).map_err(RedisError::corrupt)
    }

    fn put(&self, packed: &mut Vec<u8>) {
        rmp::encode::write_bool(packed, *self).expect(MEMORY);
    }
}

impl<'a> Value<'a> for &'a str {
    fn take(packed: &mut &'a [u8]) -> Result<Self, RedisError> {
        let size = rmp::decode::read_str_len(packed).map_err(RedisError::corrupt)? as usize;
        let short = || RedisError::corrupt("a record ends too early");
        let (text, rest) = packed.split_at_checked(size).ok_or_else(short)?;
        *packed = rest;
        std::str::from_utf8(text).map_err(RedisError::corrupt)
    }

    fn put(&self, packed: &mut Vec<u8>) {
        rmp::encode::write_str(packed, self).expect(MEMORY);
    }
}

const MEMORY: &str = "memory takes anything";

macro_rules! head {
    ($($field:ident: $kind:ty,)+) => {
        /// The part that the scripts act on, in the order of `HEAD` in the scripts. Where there is nothing, a time
        /// is -1, and a text empty.
        #[derive(Debug)]
        struct Head<'a> {
            $($field: $kind,)+
        }

        impl<'a> Head<'a> {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field),)+];

            fn take(packed: &mut &'a [u8]) -> Result<Self, RedisError> {
                Ok(Self { $($field: Value::take(packed)?,)+ })
            }

            fn put(&self, packed: &mut Vec<u8>) {
                $(self.$field.put(packed);)+
            }
        }
    };
}

head! {
    due: i64,
    updated: i64,
    finished: i64,
    state: &'a str,
    upload_attempts: u32,
    reason: &'a str,
    seq: u64,
    name: &'a str,
    account: &'a str,
    priority: &'a str,
    step: &'a str,
    requests: u32,
    has_predecessor: bool,
    created: i64,
    deadline: i64,
    done: &'a str,
    digest: &'a str,
    id: &'a str,
    key: &'a str,
}

/// Maximum number of stored lines of a timeline: its first one follows from the record. Shorter than so many
/// lines is none.
const LINES: usize = TIMELINE - 1;
const SHORTEST: usize = LINES * 16;

/// Takes a line of a timeline off what is packed.
fn line<'a>(packed: &mut &'a [u8]) -> Result<(i64, &'a str, &'a str), RedisError> {
    match rmp::decode::read_array_len(packed) {
        Ok(3) => Ok((Value::take(packed)?, Value::take(packed)?, Value::take(packed)?)),
        _ => Err(RedisError::corrupt("a line of a timeline has other parts than expected")),
    }
}

fn value<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, RedisError> {
    text.parse().map_err(RedisError::corrupt)
}

fn maybe_value<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Option<T>, RedisError> {
    (!text.is_empty()).then(|| value(text)).transpose()
}

fn maybe_time(millis: i64) -> Option<Timestamp> {
    (millis >= 0).then(|| timestamp(millis))
}

fn maybe_millis(time: Option<Timestamp>) -> i64 {
    time.map_or(-1, |time| time.timestamp_millis())
}

/// Values beside a submission in its head.
struct Beside<'a> {
    seq: u64,
    id: &'a str,
    done: &'a str,
    digest: &'a str,
    key: &'a str,
}

impl<'a> Head<'a> {
    fn of(s: &'a Submission, beside: &Beside<'a>) -> Self {
        Self {
            due: maybe_millis(s.due_at),
            updated: s.updated_at.timestamp_millis(),
            finished: maybe_millis(s.finished_at),
            state: s.state.as_str(),
            upload_attempts: s.upload_attempts,
            reason: s.reason.as_ref().map_or("", |reason| reason.code.as_str()),
            seq: beside.seq,
            name: &s.name,
            account: &s.account,
            priority: s.priority.as_str(),
            step: s.step.map_or("", StepKind::as_str),
            requests: count(s.requests(StepKind::Collect)),
            has_predecessor: s.has_predecessor,
            created: s.created_at.timestamp_millis(),
            deadline: s.deadline.timestamp_millis(),
            done: beside.done,
            digest: beside.digest,
            id: beside.id,
            key: beside.key,
        }
    }
}

/// The head of a new submission, as an array: the script puts in its times and its place.
pub(super) fn head_of(new: &Submission, id: &str, digest: &str, key: Option<&str>) -> Vec<u8> {
    let key = key_of(key);
    let head = Head::of(new, &Beside { seq: 0, id, done: "", digest, key: &key });
    let mut packed = Vec::with_capacity(256);
    rmp::encode::write_array_len(&mut packed, count(Head::FIELDS.len())).expect(MEMORY);
    head.put(&mut packed);
    packed
}

/// An idempotency key, which may be empty, or nothing.
fn key_of(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!("={key}"))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Returns the part that follows the head of a new submission.
pub(super) fn cold_of(new: &Submission) -> Vec<u8> {
    let mut packed = Vec::with_capacity(256);
    ColdRef::from(&**new).write(&mut packed);
    packed
}

impl RedisRecord {
    pub(super) fn read(mut packed: &[u8]) -> Result<Self, RedisError> {
        let packed = &mut packed;
        let head = Head::take(packed)?;
        let cold = Cold::read(packed).map_err(RedisError::corrupt)?;
        let hot = Hot {
            id: value(head.id)?,
            account: head.account.to_owned(),
            name: head.name.to_owned(),
            state: value(head.state)?,
            priority: value(head.priority)?,
            upload_attempts: head.upload_attempts,
            created_at: timestamp(head.created),
            updated_at: timestamp(head.updated),
            finished_at: maybe_time(head.finished),
            deadline: timestamp(head.deadline),
            step: maybe_value(head.step)?,
            due_at: maybe_time(head.due),
            leased_until: None,
            has_predecessor: head.has_predecessor,
        };
        Ok(Self {
            seq: head.seq,
            done: head.done.to_owned(),
            digest: head.digest.to_owned(),
            key: head.key.to_owned(),
            lines: packed.to_vec(),
            submission: cold.with(hot),
        })
    }

    /// The same with the end of the lease, which stands elsewhere.
    pub(super) fn leased_until(&self, leased_until: Option<Timestamp>) -> Submission {
        let parts = SubmissionParts { leased_until, ..self.submission.clone().into_parts() };
        parts.into()
    }

    /// Returns the record after a commit, from the state on: the script puts the times before it, and a new
    /// line of the timeline behind it. `done` names the commit.
    pub(super) fn packed_from_state(
        &self,
        after: &Submission,
        done: &str,
    ) -> Result<Vec<u8>, RedisError> {
        let mut packed = Vec::with_capacity(512);
        let id = after.id.to_string();
        let head = Head::of(after, &Beside { done, ..self.beside(&id) });
        Head { due: -1, updated: -1, finished: -1, ..head }.put(&mut packed);
        ColdRef::from(&**after).write(&mut packed);
        packed.extend_from_slice(newest(&self.lines, LINES - 1)?);
        // Of the three times that the script puts before it, each takes one byte here.
        Ok(packed.split_off(3))
    }

    /// Returns the record after a change, with a new line of the timeline.
    pub(super) fn packed(
        &self,
        after: &Submission,
        entry: Option<&TimelineEntry>,
    ) -> Result<Vec<u8>, RedisError> {
        let mut packed = Vec::with_capacity(512);
        let id = after.id.to_string();
        Head::of(after, &self.beside(&id)).put(&mut packed);
        ColdRef::from(&**after).write(&mut packed);
        packed.extend_from_slice(newest(&self.lines, LINES - 1)?);
        if let Some(entry) = entry {
            rmp::encode::write_array_len(&mut packed, 3).expect(MEMORY);
            entry.at.timestamp_millis().put(&mut packed);
            entry.state.as_str().put(&mut packed);
            entry.message.as_str().put(&mut packed);
        }
        Ok(packed)
    }

    fn beside<'a>(&'a self, id: &'a str) -> Beside<'a> {
        Beside { seq: self.seq, id, done: &self.done, digest: &self.digest, key: &self.key }
    }

    /// Returns the timeline.
    pub(super) fn timeline(&self) -> Result<Vec<TimelineEntry>, RedisError> {
        let mut entries = vec![self.submission.acceptance()];
        let mut lines = newest(&self.lines, LINES)?;
        while !lines.is_empty() {
            let (at, state, message) = line(&mut lines)?;
            let entry = TimelineEntry {
                at: timestamp(at),
                state: value(state)?,
                message: message.to_owned(),
            };
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The newest lines, `most` of them.
fn newest(lines: &[u8], most: usize) -> Result<&[u8], RedisError> {
    if lines.len() < SHORTEST {
        return Ok(lines);
    }
    let (mut rest, mut starts) = (lines, Vec::new());
    while !rest.is_empty() {
        starts.push(rest);
        line(&mut rest)?;
    }
    Ok(starts[starts.len().saturating_sub(most)..].first().copied().unwrap_or_default())
}

/// An account's health as the scripts keep it.
#[derive(Debug, Deserialize)]
struct StoredHealth {
    pause_reason: Option<String>,
    throttled_until: Option<String>,
    #[serde(default)]
    capped: bool,
    throttled_since: Option<String>,
    throttled_by: Option<String>,
    failures: u32,
    failing_since: Option<String>,
    last_error: Option<String>,
    probe: Option<String>,
    stopped_by: Option<StepKind>,
    learned: Option<String>,
}

/// Reads what is known of a rate; what is damaged is forgotten.
fn parse_learned(text: &str) -> Option<LearnedRate> {
    let numbers: Vec<i64> = text.split(' ').map_while(|number| number.parse().ok()).collect();
    let [throttled_at, row, unlimited, less, from, sent, since, cycle, window, count, last] =
        *numbers.as_array()?;
    let natural = |number: i64| u64::try_from(number).ok();
    Some(LearnedRate {
        throttled_at: natural(throttled_at)?,
        row: natural(row)?,
        unlimited: natural(unlimited)?,
        less: natural(less)?,
        from,
        sent: natural(sent)?,
        since,
        cycle,
        window,
        count: natural(count)?,
        last: natural(last)?,
    })
}

/// Reads an account's health. One that is damaged blocks the account, like a pause, until an operator
/// resumes it: it may have been paused.
pub(super) fn read_health(json: &[u8]) -> Health {
    if json.is_empty() {
        return Health::default();
    }
    parse_health(json).unwrap_or_else(|_| Health::unreadable())
}

fn parse_health(json: &[u8]) -> Result<Health, RedisError> {
    let stored: StoredHealth = serde_json::from_slice(json).map_err(RedisError::corrupt)?;
    let time = |text: Option<String>| -> Result<_, RedisError> {
        text.map(|text| text.parse().map(timestamp).map_err(RedisError::corrupt)).transpose()
    };
    Ok(Health {
        pause_reason: stored.pause_reason,
        throttled_until: time(stored.throttled_until)?,
        is_capped: stored.capped,
        throttled_since: time(stored.throttled_since)?,
        throttled_by: stored.throttled_by,
        failures: stored.failures,
        failing_since: time(stored.failing_since)?,
        last_error: stored.last_error,
        probe_at: time(stored.probe)?,
        stopped_by: stored.stopped_by,
        learned_rate: stored.learned.as_deref().and_then(parse_learned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_know_the_reason_of_an_account_whose_health_is_damaged() {
        let reason = ferry_types::domain::account::UNREADABLE_HEALTH;
        assert!(include_str!("health.lua").contains(&format!("UNREADABLE = \"{reason}\"\n")));
        assert_eq!(read_health(b"{}"), Health::unreadable());
        assert_eq!(read_health(b""), Health::default());
    }

    #[test]
    fn scripts_know_the_order_of_a_head() {
        let record = include_str!("record.lua");
        let list = record.split_once("HEAD = {").unwrap().1.split_once('}').unwrap().0;
        let in_lua: Vec<_> = list.split('\'').skip(1).step_by(2).collect();
        assert_eq!(in_lua, Head::FIELDS);
    }
}
