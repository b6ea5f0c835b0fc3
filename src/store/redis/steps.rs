//! Leases steps out, and takes back what was decided about them.

use std::time::Duration;

use redis::Value;
use tracing::error;

use super::fault::Fault;
use super::frame::write_content;
use super::record::{Record, to_json};
use super::scripts::Call;
use super::values::{array, maybe_time, text, time, tuple};
use crate::domain::account::{HealthPolicy, Signal};
use crate::domain::budget::Budget;
use crate::domain::submission::{IllegalTransition, StepKind, Submission, TimelineEntry};
use crate::domain::{Timestamp, until};
use crate::store::pack::Packed;
use crate::store::{Claim, ClaimRequest, Claims, Commit, Committed, Lease};

/// The most steps that one claim leases: a script must end soon.
const CLAIMED: usize = 1000;

/// Adds a request to a call of the script.
pub(super) fn describe_claim(call: Call, request: &ClaimRequest, policy: &HealthPolicy) -> Call {
    call.arg(request.kind.as_str())
        .arg(request.limit.min(CLAIMED))
        .span(request.lease)
        .policy(policy)
        .each(&limited(request), |call, (account, budget)| {
            let [uploads, requests] = budget.intervals(request.kind);
            let in_flight = budget.uploads_in_flight.filter(|_| request.kind == StepKind::Upload);
            call.arg(*account).maybe(uploads).maybe(requests).maybe(in_flight)
        })
}

/// The accounts that have limits for steps of this kind.
fn limited(request: &ClaimRequest) -> Vec<(&String, &Budget)> {
    request.budgets.iter().filter(|(_, budget)| budget.limits(request.kind)).collect()
}

/// Reads the script's answer.
pub(super) fn claims(answer: Value, kind: StepKind) -> Result<Claims, Fault> {
    let [now, next, claims] = tuple(answer)?;
    let now = time(now)?;
    let claims = array(claims)?.into_iter().map(|hash| claim(hash, kind, now));
    // A damaged one must not keep the others from their workers: its lease runs out, and after some
    // more it is held.
    let is_sound = |claim: Result<Claim, Fault>| match claim {
        Ok(claim) => Some(claim),
        Err(fault) => {
            error!("a submission's record is damaged, its step cannot be run: {fault:?}");
            None
        }
    };
    Ok(Claims {
        claims: claims.filter_map(is_sound).collect(),
        now,
        next: maybe_time(next)?.map(|at| until(now, at)),
    })
}

fn claim(hash: Value, kind: StepKind, now: Timestamp) -> Result<Claim, Fault> {
    let Record { fence, submission, .. } = Record::read_with_id(hash)?;
    let lag = submission.due_at.map_or(Duration::ZERO, |due| until(due, now));
    Ok(Claim { lease: Lease { id: submission.id, fence }, kind, submission, now, lag })
}

/// A decided step, with what becomes of it whether a cancellation was asked for meanwhile or not: all
/// that the script needs to know is worked out before.
pub(super) struct Decided {
    pub(super) commit: Commit,
    packed: Vec<Packed>,
    /// Whether the answer to an earlier try got lost.
    again: bool,
    /// None of a submission that nobody knows.
    before: Option<Submission>,
    outcomes: Option<Outcomes>,
}

struct Outcomes {
    plain: Result<Outcome, IllegalTransition>,
    cancelled: Result<Outcome, IllegalTransition>,
}

struct Outcome {
    submission: Submission,
    entry: Option<TimelineEntry>,
}

impl Decided {
    pub(super) fn new(
        commit: Commit,
        packed: Vec<Packed>,
        before: Option<Submission>,
        again: bool,
    ) -> Self {
        let apply = |submission: &Submission, cancel_requested| {
            let mut submission = Submission { cancel_requested, ..submission.clone() };
            // The script puts in its own time.
            let now = submission.updated_at;
            let entry = submission.apply(&commit.transition, now)?;
            Ok(Outcome { submission, entry })
        };
        let outcomes = before.as_ref().map(|submission| Outcomes {
            plain: apply(submission, false),
            cancelled: apply(submission, true),
        });
        Self { commit, packed, again, before, outcomes }
    }

    /// Adds a commit to a call of the script.
    pub(super) fn describe(&self, call: Call) -> Call {
        let Commit { lease, transition } = &self.commit;
        let plain = self.outcomes.as_ref().and_then(|outcomes| outcomes.plain.as_ref().ok());
        let cancelled =
            self.outcomes.as_ref().and_then(|outcomes| outcomes.cancelled.as_ref().ok());
        let (signal, value) = describe_signal(&transition.signal);
        // The counters and so on do not depend on a cancellation.
        let outcome = plain.or(cancelled).zip(self.before.as_ref());
        let changed = outcome.map(|(outcome, before)| changed(before, &outcome.submission));
        let (set, unset): (Vec<_>, Vec<_>) =
            changed.unwrap_or_default().into_iter().partition(|(_, value)| value.is_some());
        let contents: Vec<_> = transition.contents.iter().zip(&self.packed).collect();
        let after = transition.next.map(|next| next.after);
        let call = call
            .arg(lease.id.to_string())
            .arg(lease.fence)
            .flag(self.again)
            .arg(signal)
            .arg(value)
            .each(&set, |call, (name, value)| call.arg(*name).maybe(value.as_ref()))
            .each(&unset, |call, (name, _)| call.arg(*name))
            .each(&contents, |call, ((key, content), packed)| {
                call.arg(key).arg(write_content(content.content_type.as_deref(), packed))
            });
        describe_outcome(describe_outcome(call, plain, after), cancelled, after)
    }

    /// Reads the script's answer.
    pub(super) fn committed(self, answer: Value) -> Result<Committed, Fault> {
        let mut items = array(answer)?.into_iter();
        let mut next = || items.next().map_or_else(|| Ok(String::new()), text);
        match next()?.as_str() {
            "done" => {
                let (from, to) = (next()?, next()?);
                let state = |word: String| word.parse().map_err(Fault::corrupt);
                Ok(Committed::Done(state(from)?, state(to)?))
            }
            "illegal" => {
                let cancelled = next()? == "1";
                let outcome = self
                    .outcomes
                    .map(|outcomes| if cancelled { outcomes.cancelled } else { outcomes.plain });
                match outcome {
                    Some(Err(illegal)) => Ok(Committed::Illegal(illegal)),
                    _ => Err(Fault::corrupt("a legal transition was refused")),
                }
            }
            "damaged" => {
                let (id, why) = (self.commit.lease.id, next()?);
                error!(submission = %id, "its record is damaged, nothing is recorded: {why}");
                Ok(Committed::Stale)
            }
            _ => Ok(Committed::Stale),
        }
    }
}

/// The fields that a transition changes, beside those that the script works out; without a value
/// those that are to be removed.
fn changed(before: &Submission, after: &Submission) -> Vec<Field> {
    let pairs = fields(before).into_iter().zip(fields(after));
    pairs.filter(|(before, after)| before != after).map(|(_, after)| after).collect()
}

/// Its name, and its value where there is any.
type Field = (&'static str, Option<String>);

fn fields(submission: &Submission) -> Vec<Field> {
    let count = |count: u32| (count > 0).then(|| count.to_string());
    let results = (!submission.results.is_empty()).then(|| to_json(&submission.results));
    vec![
        ("att", count(submission.attempts)),
        ("poll", count(submission.polls)),
        ("fail", count(submission.failures)),
        ("doubt", submission.in_doubt.then(|| "1".to_owned())),
        ("token", submission.processing_token.clone()),
        ("rej", submission.rejection.clone()),
        ("res", results),
    ]
}

fn describe_outcome(call: Call, outcome: Option<&Outcome>, after: Option<Duration>) -> Call {
    let Some(Outcome { submission, entry }) = outcome else {
        return call.arg("").arg("").arg("").arg("").arg("").arg("");
    };
    let reason = submission.reason.as_ref();
    call.arg(submission.state.as_str())
        .maybe(submission.step.map(StepKind::as_str))
        .maybe(submission.due_at.and(after).map(super::scripts::span_millis))
        .maybe(reason.map(|reason| reason.code.as_str()))
        .maybe(reason.map(|reason| reason.text.as_str()))
        .flag(entry.is_some())
}

fn describe_signal(signal: &Signal) -> (&'static str, String) {
    match signal {
        Signal::None => ("", String::new()),
        Signal::Healthy => ("healthy", String::new()),
        Signal::Faulty => ("faulty", String::new()),
        Signal::SlowDown { pause } => {
            ("slow_down", super::scripts::span_millis(*pause).to_string())
        }
        Signal::Unauthorized(reason) => ("unauthorized", reason.clone()),
    }
}
