//! Reads submissions and statistics, and changes nothing.

use redis::Value;

use super::error::RedisError;
use super::record::{RedisRecord, read_health};
use super::scripts::ScriptCall;
use super::values::{array, bytes, lossy, maybe, maybe_time, number, stamp, text, tuple};
use crate::listing::{Listed, first_millisecond};
use crate::shown::Shift;
use crate::{AccountStats, DamagedRecord, Filter, Stats, StepStats, SubmissionDetail};
use ferry_types::domain::account::{Health, HealthPolicy};
use ferry_types::domain::limits::LimitUsage;
use ferry_types::domain::submission::{
    LateUpload, State, StepKind, Submission, Surroundings, TimelineEntry, WaitingFor,
};
use ferry_types::domain::{SubmissionId, Timestamp, timestamp, until};

/// The most submissions that a script looks at for a list.
const LOOKED_AT: usize = 200;

/// A submission as the script `show` returns it.
struct RawDetail {
    record: RedisRecord,
    submission: Submission,
    health: Health,
    first: Option<SubmissionId>,
    late: Option<LateUpload>,
    limit_usage: LimitUsage,
}

impl RawDetail {
    fn read(value: Value) -> Result<Option<Self>, RedisError> {
        let mut items = array(value)?;
        match items.len() {
            0 => return Ok(None),
            1 => return Err(RedisError::Corrupt(lossy(items.remove(0))?)),
            _ => {}
        }
        let [record, leased, health, first, uploads, requests, late] = tuple(Value::Array(items))?;
        let record = RedisRecord::read(&bytes(record)?)?;
        let submission = record.leased_until(maybe_time(leased)?);
        let health = read_health(&bytes(health)?);
        // Rates that cannot be read limit nothing.
        let usage = |value| number(value).unwrap_or_default() as i64;
        let limit_usage = LimitUsage::new(usage(uploads), usage(requests));
        let (first, late) = (maybe(first)?, late_upload(&text(late)?));
        Ok(Some(Self { record, submission, health, first, late, limit_usage }))
    }

    fn explain(self, now: Timestamp, policy: &HealthPolicy) -> SubmissionDetail {
        let waiting_for = self.waiting_for(now, policy);
        SubmissionDetail { submission: self.submission, waiting_for }
    }

    fn waiting_for(&self, now: Timestamp, policy: &HealthPolicy) -> Option<WaitingFor> {
        self.submission.waiting_for(&Surroundings {
            first_of_name: self.first,
            late: self.late,
            health: &self.health,
            limit_usage: &self.limit_usage,
            policy,
            now,
        })
    }
}

/// The upload of a name that may still arrive, as the scripts write it. One that cannot be read is none.
fn late_upload(text: &str) -> Option<LateUpload> {
    let (of, until) = text.split_once(' ')?;
    Some(LateUpload { of: of.parse().ok()?, until: timestamp(until.parse().ok()?) })
}

/// One submission, as `show` gives it.
pub(super) fn found(
    now: Value,
    shown: Value,
    policy: &HealthPolicy,
) -> Result<Option<SubmissionDetail>, RedisError> {
    let (now, offset) = stamp(now)?;
    Ok(RawDetail::read(shown)?.map(|shown| shown.explain(now, policy).shown(offset)))
}

/// The timeline of a submission, as the script `read` gives it.
pub(super) fn timeline(now: Value, shown: Value) -> Result<Option<Vec<TimelineEntry>>, RedisError> {
    let (_, offset) = stamp(now)?;
    let shown = RawDetail::read(shown)?;
    shown.map(|shown| Ok(shown.record.timeline()?.shown(offset))).transpose()
}

/// The records of a call of the script `read`.
pub(super) fn records(
    response: Value,
) -> Result<Vec<Result<Option<RedisRecord>, RedisError>>, RedisError> {
    let [_, shown] = tuple(response)?;
    let record = |shown| Ok(RawDetail::read(shown)?.map(|shown| shown.record));
    Ok(array(shown)?.into_iter().map(record).collect())
}

/// Adds the indexes that lead to the submissions that match, without passing many others.
pub(super) fn describe_list(
    script_call: ScriptCall,
    filter: &Filter,
    below: Option<u64>,
    most: usize,
) -> ScriptCall {
    // Where much may have to be left out, more is looked at than is wanted.
    let is_exact = match (&filter.name, filter.labels.len()) {
        (None, 0) => true,
        (Some(_), 0) | (None, 1) => filter.states.is_empty(),
        _ => false,
    };
    let millis = |time: Option<Timestamp>| time.map(first_millisecond);
    let script_call = script_call.maybe(below);
    let script_call =
        script_call.maybe(millis(filter.created_after)).maybe(millis(filter.created_before));
    let script_call = script_call.arg(if is_exact { most.min(LOOKED_AT) } else { LOOKED_AT });
    let script_call = script_call
        .each(&filter.accounts, |script_call, account| script_call.arg(account.as_str()));
    script_call.each(&indexes(filter), |script_call, parts| {
        parts.iter().fold(script_call, |script_call, part| script_call.arg(*part))
    })
}

/// Kind and two parts of each index.
fn indexes(filter: &Filter) -> Vec<[&str; 3]> {
    if let Some(name) = &filter.name {
        return vec![["name", name, ""]];
    }
    if let Some((name, value)) = filter.labels.first_key_value() {
        return vec![["label", name, value]];
    }
    if filter.accounts.is_empty() && filter.states.is_empty() {
        return vec![["all", "", ""]];
    }
    let any = filter.states.is_empty();
    let states = State::ALL.into_iter().filter(|state| any || filter.states.contains(state));
    states.map(|state| ["state", state.as_str(), ""]).collect()
}

/// A part of a list: what was looked at, by its number in the order of acceptance, and `None` where it does not
/// match; and before which number to look on.
pub(super) type Part = (Vec<(u64, Option<Listed>)>, Option<u64>);

/// Reads the script's response.
pub(super) fn part(
    response: Value,
    filter: &Filter,
    policy: &HealthPolicy,
) -> Result<Part, RedisError> {
    let [now, last, shown] = tuple(response)?;
    let (now, offset) = stamp(now)?;
    let filter = &filter.clone().shown(-offset);
    let mut part = Vec::new();
    for one in array(shown)? {
        let [id, seq, shown] = tuple(one)?;
        let listed = match RawDetail::read(shown) {
            Ok(Some(shown)) if filter.matches(&shown.submission) => {
                Some(Ok(shown.explain(now, policy).shown(offset)))
            }
            Ok(Some(_)) => None,
            Ok(None) => {
                Some(Err(DamagedRecord { id: lossy(id)?, cause: "it is missing".to_owned() }))
            }
            Err(error) => Some(Err(DamagedRecord { id: lossy(id)?, cause: error.to_string() })),
        };
        part.push((number(seq)?, listed));
    }
    Ok((part, maybe(last)?))
}

/// Adds a page of the accounts to a call of the script, or one account.
pub(super) fn describe_stats(
    script_call: ScriptCall,
    only: Option<&str>,
    after: &[u8],
    most: usize,
) -> ScriptCall {
    script_call
        .maybe(only)
        .arg(after)
        .arg(most)
        .each(&State::ALL, |script_call, state| script_call.arg(state.as_str()))
}

/// A page of the accounts, and the name after which the next one begins.
pub(super) struct StatsPage {
    pub(super) stats: Stats,
    pub(super) next: Option<Vec<u8>>,
}

/// Reads the script's response.
pub(super) fn stats(response: Value, most: usize) -> Result<StatsPage, RedisError> {
    let [now, accounts] = tuple(response)?;
    let (now, offset) = stamp(now)?;
    let mut stats = Stats::default();
    let accounts = array(accounts)?;
    let last = accounts.last().cloned();
    let read = accounts.len();
    for one in accounts {
        let [account, health, counts, steps] = tuple(one)?;
        // A name that is no text is none of ours.
        let Ok(account) = text(account) else { continue };
        for (kind, counts) in StepKind::ALL.into_iter().zip(array(steps)?) {
            stats.steps.push(step_stats(&account, kind, counts, now)?);
        }
        let mut states = std::collections::BTreeMap::new();
        for (state, count) in State::ALL.into_iter().zip(array(counts)?) {
            states.insert(state, number(count)?);
        }
        states.retain(|_, count| *count > 0);
        let health = read_health(&bytes(health)?);
        stats.accounts.push(AccountStats { account, health, states });
    }
    let name = |account: Value| array(account)?.into_iter().next().map(bytes).transpose();
    let next = last.filter(|_| read == most).map(name).transpose()?.flatten();
    Ok(StatsPage { stats: stats.shown(offset), next })
}

fn step_stats(
    account: &str,
    kind: StepKind,
    counts: Value,
    now: Timestamp,
) -> Result<StepStats, RedisError> {
    let [ready, runnable, behind, scheduled, leased, oldest, oldest_runnable] = tuple(counts)?;
    let age =
        |due: Value| -> Result<_, RedisError> { Ok(maybe_time(due)?.map(|due| until(due, now))) };
    Ok(StepStats {
        account: account.to_owned(),
        kind,
        ready: number(ready)?,
        runnable: number(runnable)?,
        behind: number(behind)?,
        scheduled: number(scheduled)?,
        running: number(leased)?,
        oldest_ready: age(oldest)?,
        oldest_runnable: age(oldest_runnable)?,
    })
}
