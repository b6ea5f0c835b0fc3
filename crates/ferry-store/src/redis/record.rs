//! Submissions as the scripts keep them: one string each, so that a batch is read, or written, by one
//! command. Three parts in `MessagePack` follow one another: the head, which the scripts act on; what
//! only this code reads; and the lines of the timeline after the first.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::NewSubmission;
use ferry_types::domain::account::Health;
use ferry_types::domain::submission::{
    Callback, Delivery, Priority, Reason, State, StepKind, StoredContent, Submission, TimelineEntry,
};
use ferry_types::domain::{SubmissionId, Timestamp, TraceParent, timestamp};

/// A submission, and what only the store knows of it.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) blocked: bool,
    pub(super) submission: Submission,
    digest: String,
    idempotency_key: Option<String>,
    /// The lines of the timeline, as they are stored.
    lines: Vec<u8>,
}

/// A value of a head.
trait Value<'a>: Sized {
    fn take(packed: &mut &'a [u8]) -> Result<Self, Fault>;
    fn put(&self, packed: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($number:ty)+) => {
        $(impl Value<'_> for $number {
            fn take(packed: &mut &[u8]) -> Result<Self, Fault> {
                rmp::decode::read_int(packed).map_err(Fault::corrupt)
            }

            fn put(&self, packed: &mut Vec<u8>) {
                let number = i64::try_from(*self).unwrap_or(i64::MAX);
                rmp::encode::write_sint(packed, number).expect(MEMORY);
            }
        })+
    };
}

numbers! { i64 u64 u32 u8 }

impl Value<'_> for bool {
    fn take(packed: &mut &[u8]) -> Result<Self, Fault> {
        rmp::decode::read_bool(packed).map_err(Fault::corrupt)
    }

    fn put(&self, packed: &mut Vec<u8>) {
        rmp::encode::write_bool(packed, *self).expect(MEMORY);
    }
}

impl<'a> Value<'a> for &'a str {
    fn take(packed: &mut &'a [u8]) -> Result<Self, Fault> {
        let size = rmp::decode::read_str_len(packed).map_err(Fault::corrupt)? as usize;
        let short = || Fault::corrupt("a record ends too early");
        let (text, rest) = packed.split_at_checked(size).ok_or_else(short)?;
        *packed = rest;
        std::str::from_utf8(text).map_err(Fault::corrupt)
    }

    fn put(&self, packed: &mut Vec<u8>) {
        rmp::encode::write_str(packed, self).expect(MEMORY);
    }
}

const MEMORY: &str = "memory takes anything";

macro_rules! head {
    ($($field:ident: $kind:ty,)+) => {
        /// What the scripts act on, in the order of `HEAD` in the scripts. Where there is nothing, a time
        /// is -1, and a text empty.
        #[derive(Debug)]
        struct Head<'a> {
            $($field: $kind,)+
        }

        impl<'a> Head<'a> {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field),)+];

            fn take(packed: &mut &'a [u8]) -> Result<Self, Fault> {
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
    attempts: u32,
    reason: &'a str,
    seq: u64,
    name: &'a str,
    account: &'a str,
    priority: &'a str,
    step: &'a str,
    resume: &'a str,
    text: &'a str,
    failures: u32,
    deliveries: u32,
    requests: u32,
    callback: u8,
    overwrite: bool,
    blocked: bool,
    cancelling: bool,
    doubt: bool,
    created: i64,
    deadline: i64,
    done: &'a str,
    digest: &'a str,
    id: &'a str,
}

/// Whether somebody wants to hear of the outcome, in a head.
const UNHEARD: u8 = 0;
const HEARD: u8 = 1;
const GONE: u8 = 2;

/// What only this code reads, but for the first two, of which a sweep has to know.
#[derive(Debug, Serialize, Deserialize)]
struct Rest<'a> {
    labels: Cow<'a, BTreeMap<String, String>>,
    idempotency_key: Option<Cow<'a, str>>,
    result_keys: Cow<'a, [String]>,
    payload_bytes: u64,
    revision_of: Option<SubmissionId>,
    traceparent: Option<TraceParent>,
    callback_url: Option<Cow<'a, str>>,
    deliveries: Cow<'a, [Delivery]>,
    processing_token: Option<Cow<'a, str>>,
    rejection: Option<Cow<'a, str>>,
    polls: u32,
    results: Cow<'a, [StoredContent]>,
}

/// The key of a submission, as `keys.lua` has it.
pub(super) fn key(base: &str, id: SubmissionId) -> String {
    format!("{base}s:{id}")
}

/// The most lines of a timeline, beside its first, which says when the submission was accepted; and
/// fewer bytes than so many lines can have.
const LINES: usize = 199;
const SHORTEST: usize = LINES * 16;

/// Takes a line of a timeline off what is packed.
fn line<'a>(packed: &mut &'a [u8]) -> Result<(i64, &'a str, &'a str), Fault> {
    match rmp::decode::read_array_len(packed) {
        Ok(3) => Ok((Value::take(packed)?, Value::take(packed)?, Value::take(packed)?)),
        _ => Err(Fault::corrupt("a line of a timeline has other parts than expected")),
    }
}

fn word<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(Fault::corrupt)
}

fn maybe_word<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Option<T>, Fault> {
    (!text.is_empty()).then(|| word(text)).transpose()
}

fn maybe_time(millis: i64) -> Option<Timestamp> {
    (millis >= 0).then(|| timestamp(millis))
}

fn callback(callback: Option<&Callback>) -> u8 {
    match callback {
        None => UNHEARD,
        Some(callback) if callback.gone => GONE,
        Some(_) => HEARD,
    }
}

/// The head of a new submission, as an array: the script puts in its times and its place.
pub(super) fn head_of(new: &NewSubmission, id: &str, digest: &str) -> Vec<u8> {
    let head = Head {
        due: -1,
        updated: -1,
        finished: -1,
        state: State::Queued.as_str(),
        attempts: 0,
        reason: "",
        seq: 0,
        name: &new.name,
        account: &new.account,
        priority: new.priority.as_str(),
        step: StepKind::Upload.as_str(),
        resume: "",
        text: "",
        failures: 0,
        deliveries: 0,
        requests: count(new.result_keys.len()),
        callback: if new.callback_url.is_some() { HEARD } else { UNHEARD },
        overwrite: new.overwrite,
        blocked: false,
        cancelling: false,
        doubt: false,
        created: -1,
        deadline: -1,
        done: "",
        digest,
        id,
    };
    let mut packed = Vec::with_capacity(256);
    rmp::encode::write_array_len(&mut packed, count(Head::FIELDS.len())).expect(MEMORY);
    head.put(&mut packed);
    packed
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// What follows the head of a new submission.
pub(super) fn rest_of(new: &NewSubmission) -> Vec<u8> {
    let rest = Rest {
        labels: Cow::Borrowed(&new.labels),
        idempotency_key: new.idempotency_key.as_deref().map(Cow::Borrowed),
        result_keys: Cow::Borrowed(&new.result_keys),
        payload_bytes: new.payload.bytes(),
        revision_of: new.revision_of,
        traceparent: new.traceparent,
        callback_url: new.callback_url.as_deref().map(Cow::Borrowed),
        deliveries: Cow::Borrowed(&[]),
        processing_token: None,
        rejection: None,
        polls: 0,
        results: Cow::Borrowed(&[]),
    };
    rmp_serde::to_vec(&rest).expect(MEMORY)
}

impl Record {
    pub(super) fn read(mut packed: &[u8]) -> Result<Self, Fault> {
        let packed = &mut packed;
        let head = Head::take(packed)?;
        let rest: Rest<'_> = rmp_serde::from_read(&mut *packed).map_err(Fault::corrupt)?;
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let deliveries = rest.deliveries.into_owned();
        let callback = rest.callback_url.map(|url| Callback {
            url: url.into_owned(),
            gone: head.callback == GONE,
            deliveries,
        });
        let reason = maybe_word(head.reason)?;
        let reason = reason.map(|code| Reason { code, text: head.text.to_owned() });
        Ok(Self {
            seq: head.seq,
            blocked: head.blocked,
            digest: head.digest.to_owned(),
            idempotency_key: owned(rest.idempotency_key),
            lines: packed.to_vec(),
            submission: Submission {
                id: word(head.id)?,
                name: head.name.to_owned(),
                account: head.account.to_owned(),
                state: word::<State>(head.state)?,
                reason,
                priority: word::<Priority>(head.priority)?,
                overwrite: head.overwrite,
                result_keys: rest.result_keys.into_owned(),
                labels: rest.labels.into_owned(),
                payload_bytes: rest.payload_bytes,
                created_at: timestamp(head.created),
                updated_at: timestamp(head.updated),
                finished_at: maybe_time(head.finished),
                deadline: timestamp(head.deadline),
                revision_of: rest.revision_of,
                traceparent: rest.traceparent,
                processing_token: owned(rest.processing_token),
                rejection: owned(rest.rejection),
                attempts: head.attempts,
                polls: rest.polls,
                failures: head.failures,
                in_doubt: head.doubt,
                step: maybe_word::<StepKind>(head.step)?,
                due_at: maybe_time(head.due),
                leased_until: None,
                cancel_requested: head.cancelling,
                results: rest.results.into_owned(),
                callback,
                resume: maybe_word::<StepKind>(head.resume)?,
            },
        })
    }

    /// What becomes of it, from the state on: the script puts the times before it, and a new line of the
    /// timeline behind it. `done` tells of the commit.
    pub(super) fn packed_from_state(
        &self,
        after: &Submission,
        done: &str,
    ) -> Result<Vec<u8>, Fault> {
        let reason = after.reason.as_ref();
        let step = |step: Option<StepKind>| step.map_or("", StepKind::as_str);
        let mut packed = Vec::with_capacity(512);
        let head = Head {
            due: -1,
            updated: -1,
            finished: -1,
            state: after.state.as_str(),
            attempts: after.attempts,
            reason: reason.map_or("", |reason| reason.code.as_str()),
            seq: self.seq,
            name: &after.name,
            account: &after.account,
            priority: after.priority.as_str(),
            step: step(after.step),
            resume: step(after.resume),
            text: reason.map_or("", |reason| &reason.text),
            failures: after.failures,
            deliveries: 0,
            requests: count(StepKind::Collect.requests(after)),
            callback: callback(after.callback.as_ref()),
            overwrite: after.overwrite,
            blocked: false,
            cancelling: after.cancel_requested,
            doubt: after.in_doubt,
            created: after.created_at.timestamp_millis(),
            deadline: after.deadline.timestamp_millis(),
            done,
            digest: &self.digest,
            id: &after.id.to_string(),
        };
        head.put(&mut packed);
        let callback = after.callback.as_ref();
        let rest = Rest {
            labels: Cow::Borrowed(&after.labels),
            idempotency_key: self.idempotency_key.as_deref().map(Cow::Borrowed),
            result_keys: Cow::Borrowed(&after.result_keys),
            payload_bytes: after.payload_bytes,
            revision_of: after.revision_of,
            traceparent: after.traceparent,
            callback_url: callback.map(|callback| Cow::Borrowed(&*callback.url)),
            deliveries: callback.map_or_else(Cow::default, |c| Cow::Borrowed(&*c.deliveries)),
            processing_token: after.processing_token.as_deref().map(Cow::Borrowed),
            rejection: after.rejection.as_deref().map(Cow::Borrowed),
            polls: after.polls,
            results: Cow::Borrowed(&after.results),
        };
        rmp_serde::encode::write(&mut packed, &rest).expect(MEMORY);
        packed.extend_from_slice(newest(&self.lines, LINES - 1)?);
        // Of the three times that the script puts before it, each takes one byte here.
        Ok(packed.split_off(3))
    }

    /// What happened to it.
    pub(super) fn timeline(&self) -> Result<Vec<TimelineEntry>, Fault> {
        let at = self.submission.created_at;
        let mut entries =
            vec![TimelineEntry { at, state: State::Queued, why: "accepted".to_owned() }];
        let mut lines = newest(&self.lines, LINES)?;
        while !lines.is_empty() {
            let (at, state, why) = line(&mut lines)?;
            let entry =
                TimelineEntry { at: timestamp(at), state: word(state)?, why: why.to_owned() };
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The newest lines, `most` of them.
fn newest(lines: &[u8], most: usize) -> Result<&[u8], Fault> {
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
    paused: Option<String>,
    gate: Option<String>,
    failures: u32,
    probe: Option<String>,
}

pub(super) fn read_health(json: &[u8]) -> Result<Health, Fault> {
    if json.is_empty() {
        return Ok(Health::default());
    }
    let stored: StoredHealth = serde_json::from_slice(json).map_err(Fault::corrupt)?;
    let time = |text: Option<String>| -> Result<_, Fault> {
        text.map(|text| text.parse().map(timestamp).map_err(Fault::corrupt)).transpose()
    };
    Ok(Health {
        paused: stored.paused,
        gate_until: time(stored.gate)?,
        failures: stored.failures,
        probe_at: time(stored.probe)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_know_the_order_of_a_head() {
        let record = include_str!("record.lua");
        let list = record.split_once("HEAD = {").unwrap().1.split_once('}').unwrap().0;
        let in_lua: Vec<_> = list.split('\'').skip(1).step_by(2).collect();
        assert_eq!(in_lua, Head::FIELDS);
    }
}
