//! Leases steps out, and takes back what was decided about them.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tracing::error;

use super::blob_format::write_content;
use super::connection::LARGEST;
use super::error::RedisError;
use super::record::RedisRecord;
use super::scripts::{PackedArgs, ScriptCall, duration_millis};
use super::values::{array, bytes, lossy, maybe, maybe_time, number, stamp, text, tuple};
use crate::compression::Compressed;
use crate::shown::Shift;
use crate::{Claim, ClaimId, ClaimRequest, Claims, Commit, Committed, Lease};
use ferry_types::domain::account::{HealthPolicy, Signal};
use ferry_types::domain::limits::AccountLimits;
use ferry_types::domain::submission::{
    IllegalTransitionError, LATE_UPLOAD, NameEffect, StepKind, Submission, TimelineEntry,
    Transition,
};
use ferry_types::domain::{Timestamp, later, until};

/// The most steps that one claim leases: a script must end soon.
const CLAIMED: usize = 1000;

/// The most results, compressed, that one commit brings: the largest call without what else it has.
const LARGEST_COMMIT: usize = LARGEST - (1 << 20);

/// Adds a request to a call of the script.
pub(super) fn describe_claim(
    script_call: ScriptCall,
    request: &ClaimRequest,
    policy: &HealthPolicy,
) -> ScriptCall {
    script_call
        .arg(request.kind.as_str())
        .arg(request.limit.min(CLAIMED))
        .duration(request.lease)
        .policy(policy)
        .each(&limited(request), |script_call, (account, account_limits)| {
            let [uploads, requests] = account_limits.intervals(request.kind);
            let in_flight =
                account_limits.max_concurrent_uploads.filter(|_| request.kind == StepKind::Upload);
            script_call.arg(*account).maybe(uploads).maybe(requests).maybe(in_flight)
        })
}

/// The accounts that have limits for steps of this kind.
fn limited(request: &ClaimRequest) -> Vec<(&String, &AccountLimits)> {
    request
        .account_limits
        .iter()
        .filter(|(_, account_limits)| account_limits.restricts(request.kind))
        .collect()
}

/// Result of a claim.
pub(super) struct Leased {
    pub(super) claims: Claims,
    /// The record of each claim.
    pub(super) records: Vec<Arc<RedisRecord>>,
    /// Steps of lost claims whose account is blocked by now.
    pub(super) blocked: Vec<Lease>,
}

/// Reads the response of the script to the claim `id`, which named the claims `lost`.
pub(super) fn claims(
    response: Value,
    request: &ClaimRequest,
    id: ClaimId,
    lost: &[ClaimId],
) -> Result<Leased, RedisError> {
    let [now, next, fence, given, ids, marks, damaged, blocked] = tuple(response)?;
    let ((now, offset), fence) = (stamp(now)?, number(fence)?);
    let (mut claims, mut records) = (Vec::new(), Vec::new());
    // A damaged record must not keep the others from their workers.
    let report = |id: Value, cause: &str| -> Result<(), RedisError> {
        error!(submission.id = lossy(id)?, error = %cause, "corrupt record, its step will not run");
        Ok(())
    };
    let marks = array(marks)?.into_iter().chain(std::iter::repeat(Value::Nil));
    for ((packed, of), mark) in array(given)?.into_iter().zip(array(ids)?).zip(marks) {
        match RedisRecord::read(&bytes(packed)?) {
            Ok(record) => {
                // A mark that is damaged is one all the same.
                let name_mark = maybe(mark).unwrap_or(Some(record.submission.id));
                claims.push(Claim { name_mark, ..claim(&record, fence, id, now, request) });
                records.push(Arc::new(record));
            }
            Err(error) => report(of, &error.to_string())?,
        }
    }
    for id in array(damaged)? {
        report(id, "it cannot be read")?;
    }
    let next = maybe_time(next)?.map(|at| until(now, at));
    let blocked = array(blocked)?.into_iter();
    let blocked = blocked.map(|lease| lost_lease(lease, request.kind, lost));
    let blocked = blocked.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(Leased { claims: Claims { claims: claims.shown(offset), now, next }, records, blocked })
}

/// Reads the lease of a lost claim; none of an id that is none of ours.
fn lost_lease(value: Value, kind: StepKind, lost: &[ClaimId]) -> Result<Option<Lease>, RedisError> {
    let [id, fence, call] = tuple(value)?;
    let (fence, call) = (number(fence)?, text(call)?);
    let claimed_by = lost.iter().find(|lost| lost.to_string() == call).copied();
    let id = text(id)?.parse().ok();
    Ok(id.zip(claimed_by).map(|(id, claimed_by)| Lease { id, kind, fence, claimed_by }))
}

fn claim(
    record: &RedisRecord,
    fence: u64,
    claimed_by: ClaimId,
    now: Timestamp,
    request: &ClaimRequest,
) -> Claim {
    let submission = record.leased_until(Some(later(now, request.lease)));
    let lag = submission.due_at.map_or(Duration::ZERO, |due| until(due, now));
    let lease = Lease { id: submission.id, kind: request.kind, fence, claimed_by };
    Claim { lease, kind: request.kind, submission, name_mark: None, now, offset: 0, lag }
}

/// A lease as scripts compare it.
pub(super) fn lease_text(lease: &Lease) -> String {
    format!("{} {} {}", lease.fence, lease.kind, lease.claimed_by)
}

/// A decided step, with what becomes of it: all that the script needs to know is worked out before.
pub(super) struct PreparedCommit {
    pub(super) commit: Commit,
    packed: Vec<Compressed>,
    /// True if the response to an earlier attempt was lost.
    again: bool,
    /// None of a submission that does not exist.
    known: Option<PreparedRecord>,
}

/// A submission as it was claimed, and what becomes of it.
struct PreparedRecord {
    before: Arc<RedisRecord>,
    after: Result<(Submission, Option<TimelineEntry>), IllegalTransitionError>,
}

impl PreparedRecord {
    fn new(before: Arc<RedisRecord>, transition: &Transition) -> Self {
        let mut after = before.submission.clone();
        // The script puts in its own time.
        let now = after.updated_at;
        let after = after.apply(transition, now).map(|entry| (after, entry));
        Self { before, after }
    }
}

impl PreparedCommit {
    pub(super) fn new(
        commit: Commit,
        packed: Vec<Compressed>,
        before: Option<Arc<RedisRecord>>,
        again: bool,
    ) -> Self {
        let known = before.map(|before| PreparedRecord::new(before, &commit.transition));
        Self { commit, packed, again, known }
    }

    /// The same step of a record that has changed.
    pub(super) fn decide_again(&mut self, before: Option<Arc<RedisRecord>>) {
        self.known = before.map(|before| PreparedRecord::new(before, &self.commit.transition));
    }

    /// A commit that no call can take fails alone: its step ends with its lease.
    pub(super) fn too_large(&self) -> Option<Committed> {
        let (id, mib) = (self.commit.lease.id, self.bytes() >> 20);
        (self.bytes() > LARGEST_COMMIT).then(|| {
            error!(
                submission.id = %id,
                "results of {mib} MiB, compressed, are more than Redis takes: lower `max_response_bytes`"
            );
            Committed::Stale
        })
    }

    /// Size of the contents that it brings.
    pub(super) fn bytes(&self) -> usize {
        self.packed.iter().map(|packed| packed.bytes.len()).sum()
    }

    /// The commit as the script reads it.
    pub(super) fn describe(&self) -> Result<Vec<u8>, RedisError> {
        let Commit { lease, transition } = &self.commit;
        let script_call = PackedArgs::default()
            .text(lease.id.to_string())
            .text(lease_text(lease))
            .flag(self.again)
            .flag(self.known.as_ref().is_some_and(|known| known.before.submission.is_cancelling()));
        let (signal, value) = describe_signal(&transition.signal);
        let account = self.known.as_ref().map(|known| &known.before.submission.account);
        let script_call = script_call
            .text(account.map_or("", String::as_str))
            .text(signal)
            .text(value)
            .flag(account.is_some() && transition.signal.outlives_its_step());
        let Some(PreparedRecord { before, after: Ok((after, entry)) }) = &self.known else {
            // Nothing is known, or allowed, of what follows.
            let script_call = (0..15).fold(script_call, |script_call, _| script_call.text(""));
            return Ok(script_call.array(PackedArgs::default()).into_array());
        };
        let submission = &before.submission;
        // The time before was put in for the script's own.
        let duration = after.due_at.map(|due| duration_millis(until(submission.updated_at, due)));
        let late = after.may_arrive_late(submission).then_some(LATE_UPLOAD);
        let done = format!("{} {} {}", lease.fence, submission.state, after.state);
        let reason = after.reason.as_ref();
        let contents = transition.contents.iter().zip(&self.packed);
        let contents = contents.fold(PackedArgs::default(), |list, ((key, content), packed)| {
            list.text(key).text(write_content(content.content_type.as_deref(), packed))
        });
        let script_call = script_call
            .text(submission.state.as_str())
            .text(after.state.as_str())
            .text(submission.step.map_or("", StepKind::as_str))
            .text(&after.name)
            .text(before.seq.to_string())
            .text(after.priority.as_str())
            .text(reason.map_or("", |reason| reason.code.as_str()))
            .text(after.step.map_or("", StepKind::as_str))
            .maybe(duration, |script_call, duration| script_call.number(duration as i64))
            .flag(after.state.is_final() && after.state != submission.state)
            .number(after.finished_at.map_or(-1, |at| at.timestamp_millis()))
            .maybe(entry.as_ref(), |script_call, entry| script_call.text(&entry.message))
            .text(before.packed_from_state(after, &done)?)
            .text(after.effect_on_name(submission).map_or("", NameEffect::as_str))
            .maybe(late, |script_call, span| script_call.number(duration_millis(span) as i64))
            .array(contents);
        Ok(script_call.into_array())
    }

    /// Reads the script's response; none if a cancellation was asked for meanwhile, so that the step has to
    /// be decided again.
    pub(super) fn responded(&mut self, response: Value) -> Result<Option<Committed>, RedisError> {
        let response = text(response)?;
        let (value, rest) = response.split_once(' ').unwrap_or((&response, ""));
        let committed = match (value, self.known.take()) {
            ("done", Some(PreparedRecord { before, after: Ok((after, _)) })) if rest.is_empty() => {
                Committed::Done(before.submission.state, after.state)
            }
            ("done", _) => {
                let (from, to) = rest.split_once(' ').unwrap_or_default();
                let state = |value: &str| value.parse().map_err(RedisError::corrupt);
                Committed::Done(state(from)?, state(to)?)
            }
            ("illegal", Some(PreparedRecord { after: Err(illegal), .. })) => {
                Committed::Illegal(illegal)
            }
            // Its record is damaged, as was logged when it was read.
            ("illegal", None) => Committed::Stale,
            ("illegal", _) => return Err(RedisError::corrupt("a legal transition was not taken")),
            ("cancelling", _) => return Ok(None),
            ("damaged", _) => {
                let id = self.commit.lease.id;
                error!(submission.id = %id, error = rest, "corrupt record, the outcome of its step is not stored");
                Committed::Stale
            }
            _ => Committed::Stale,
        };
        Ok(Some(committed))
    }
}

fn describe_signal(signal: &Signal) -> (&'static str, String) {
    match signal {
        Signal::None => ("", String::new()),
        Signal::Healthy => ("healthy", String::new()),
        Signal::Unhealthy(error) => ("unhealthy", error.clone()),
        Signal::Throttled { delay, is_capped, is_rate, response } => {
            let signal = if *is_capped { "capped" } else { "throttled" };
            (signal, format!("{} {} {response}", duration_millis(*delay), u8::from(*is_rate)))
        }
        Signal::CredentialsDenied(reason) => ("credentials_denied", reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::submission::Next;
    use ferry_types::domain::{SubmissionId, timestamp};

    #[test]
    fn a_commit_that_no_call_can_take_fails_alone() {
        let (id, claimed_by) = (SubmissionId::new(timestamp(0), 1), ClaimId::default());
        let lease = Lease { id, kind: StepKind::Collect, fence: 1, claimed_by };
        let failed = |size| {
            // Nothing writes to its memory, so that it takes none.
            let packed = vec![Compressed { bytes: vec![0; size], unpacked: 0 }];
            let commit = Commit { lease, transition: Transition::to(Next::Held) };
            PreparedCommit::new(commit, packed, None, false).too_large()
        };
        assert_eq!(failed(LARGEST_COMMIT), None);
        assert_eq!(failed(LARGEST_COMMIT + 1), Some(Committed::Stale));
    }
}
