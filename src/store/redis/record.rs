//! Submissions as the scripts keep them: a hash with short names of its fields, so that a waiting
//! submission takes little memory. A field that is not there is empty, zero or no.

use std::collections::BTreeMap;
use std::str::FromStr;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::domain::account::Health;
use crate::domain::submission::{
    Callback, Priority, Reason, State, StepKind, StoredContent, Submission,
};
use crate::domain::{SubmissionId, Timestamp, TraceParent, timestamp};

/// A submission, and what only the store knows of it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) fence: u64,
    pub(super) blocked: bool,
    pub(super) submission: Submission,
}

/// What never changes and is looked at by nobody but its readers: JSON, cut in pieces, as Redis keeps
/// a hash of short values in much less memory than one with a long value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) result_keys: Vec<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) payload_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revision_of: Option<SubmissionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) callback_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<TraceParent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idempotency_key: Option<String>,
}

/// The longest value that Redis keeps compactly, and the longest rest that is worth it.
const PIECE: usize = 64;
const PIECES: usize = 64;

impl Rest {
    pub(super) fn pieces(&self) -> Vec<Vec<u8>> {
        let json = to_json(self).into_bytes();
        let piece = if json.len() > PIECE * PIECES { json.len() } else { PIECE };
        json.chunks(piece).map(<[u8]>::to_vec).collect()
    }
}

/// The fields that hold the text of a reason, of which the last takes what is left; as `put_reason` in
/// the scripts has it.
const TEXTS: [&str; 8] = ["text1", "text2", "text3", "text4", "text5", "text6", "text7", "text8"];

pub(super) fn text_pieces(text: &str) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut left = text.as_bytes();
    let piece = |(n, name)| {
        let size = if n + 1 == TEXTS.len() { left.len() } else { left.len().min(PIECE) };
        let (piece, rest) = left.split_at(size);
        left = rest;
        (name, (!piece.is_empty()).then(|| piece.to_vec()))
    };
    TEXTS.into_iter().enumerate().map(piece).collect()
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and maps of strings have a JSON form")
}

/// The fields of a hash, by name.
struct Fields<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Fields<'a> {
    /// An array of names and values, as Redis answers it.
    fn read(hash: &'a Value) -> Result<Self, Fault> {
        let Value::Array(items) = hash else { return Err(Fault::answer(hash)) };
        let fields = items.chunks_exact(2).map(|pair| match pair {
            [Value::BulkString(name), Value::BulkString(value)] => Ok((&**name, &**value)),
            _ => Err(Fault::answer(hash)),
        });
        fields.collect::<Result<_, _>>().map(Self)
    }

    /// The same in `MessagePack`.
    fn unpack(mut packed: &'a [u8]) -> Result<Self, Fault> {
        let count = rmp::decode::read_array_len(&mut packed).map_err(Fault::corrupt)?;
        let mut fields = Vec::with_capacity(64);
        for _ in 0..count / 2 {
            fields.push((text(&mut packed)?, text(&mut packed)?));
        }
        Ok(Self(fields))
    }

    /// Of a field that is there twice, the later value counts.
    fn get(&self, name: &str) -> Option<&'a [u8]> {
        let found = self.0.iter().rfind(|(field, _)| *field == name.as_bytes());
        found.map(|(_, value)| *value)
    }

    fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, Fault> {
        self.get(name).map(std::str::from_utf8).transpose().map_err(Fault::corrupt)
    }

    fn text(&self, name: &str) -> Result<&'a str, Fault> {
        let missing = || Fault::Corrupt(format!("a submission without `{name}`"));
        self.maybe_text(name)?.ok_or_else(missing)
    }

    fn maybe<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Fault> {
        let text = self.maybe_text(name)?.filter(|text| !text.is_empty());
        text.map(|text| text.parse().map_err(Fault::corrupt)).transpose()
    }

    fn word<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Fault> {
        self.text(name)?.parse().map_err(Fault::corrupt)
    }

    fn count(&self, name: &str) -> Result<u32, Fault> {
        Ok(self.maybe(name)?.unwrap_or_default())
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name) == Some(b"1")
    }

    fn maybe_time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        Ok(self.maybe::<i64>(name)?.map(timestamp))
    }

    fn time(&self, name: &str) -> Result<Timestamp, Fault> {
        Ok(timestamp(self.word(name)?))
    }

    /// What was cut in pieces.
    fn whole(&self, name: &str) -> Vec<u8> {
        let pieces = (1..).map_while(|n| self.get(&format!("{name}{n}")));
        pieces.collect::<Vec<_>>().concat()
    }

    fn rest(&self) -> Result<Rest, Fault> {
        serde_json::from_slice(&self.whole("w")).map_err(Fault::corrupt)
    }

    fn results(&self) -> Result<Vec<StoredContent>, Fault> {
        self.get("res")
            .map_or(Ok(Vec::new()), |json| serde_json::from_slice(json).map_err(Fault::corrupt))
    }

    /// Who is to be told of the outcome, and how often that was tried.
    fn callback(&self, url: Option<String>) -> Result<Option<Callback>, Fault> {
        let Some(url) = url else { return Ok(None) };
        let told = self.get("told");
        let told = told.map(|json| serde_json::from_slice(json).map_err(Fault::corrupt));
        let deliveries = told.transpose()?.unwrap_or_default();
        Ok(Some(Callback { url, gone: !self.flag("call"), deliveries }))
    }

    fn reason(&self) -> Result<Option<Reason>, Fault> {
        let Some(code) = self.maybe("why")? else { return Ok(None) };
        let text = String::from_utf8(self.whole("text")).map_err(Fault::corrupt)?;
        Ok(Some(Reason { code, text }))
    }
}

impl Record {
    /// Reads a submission's hash.
    pub(super) fn read(id: SubmissionId, hash: &Value) -> Result<Self, Fault> {
        Self::of(id, &Fields::read(hash)?)
    }

    /// Reads a packed hash to which the submission's id was added.
    pub(super) fn unpack(packed: &[u8]) -> Result<Self, Fault> {
        let fields = Fields::unpack(packed)?;
        Self::of(fields.word("id")?, &fields)
    }

    fn of(id: SubmissionId, fields: &Fields<'_>) -> Result<Self, Fault> {
        let rest = fields.rest()?;
        Ok(Self {
            seq: fields.word("seq")?,
            fence: fields.maybe("fence")?.unwrap_or_default(),
            blocked: fields.flag("blkd"),
            submission: Submission {
                id,
                name: fields.text("name")?.to_owned(),
                account: fields.text("acct")?.to_owned(),
                state: fields.word::<State>("state")?,
                reason: fields.reason()?,
                priority: fields.word::<Priority>("prio")?,
                overwrite: fields.flag("over"),
                result_keys: rest.result_keys,
                labels: rest.labels,
                payload_bytes: rest.payload_bytes,
                created_at: fields.time("born")?,
                updated_at: fields.time("upd")?,
                finished_at: fields.maybe_time("fin")?,
                deadline: fields.time("line")?,
                revision_of: rest.revision_of,
                traceparent: rest.traceparent,
                processing_token: fields.maybe_text("token")?.map(str::to_owned),
                rejection: fields.maybe_text("rej")?.map(str::to_owned),
                attempts: fields.count("att")?,
                polls: fields.count("poll")?,
                failures: fields.count("fail")?,
                in_doubt: fields.flag("doubt"),
                step: fields.maybe::<StepKind>("step")?,
                due_at: fields.maybe_time("due")?,
                leased_until: fields.maybe_time("lease")?,
                cancel_requested: fields.flag("stop"),
                results: fields.results()?,
                callback: fields.callback(rest.callback_url)?,
                resume: fields.maybe::<StepKind>("goon")?,
            },
        })
    }
}

/// Takes a text off what is packed.
fn text<'a>(packed: &mut &'a [u8]) -> Result<&'a [u8], Fault> {
    let size = rmp::decode::read_str_len(packed).map_err(Fault::corrupt)? as usize;
    let short = || Fault::corrupt("a packed record ends too early");
    let (text, rest) = packed.split_at_checked(size).ok_or_else(short)?;
    *packed = rest;
    Ok(text)
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
