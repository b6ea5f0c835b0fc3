//! Leases steps out, and takes back what was decided about them.

use std::time::Duration;

use redis::Value;
use tracing::error;

use super::fault::Fault;
use super::frame::write_content;
use super::record::{Record, text_pieces, to_json};
use super::scripts::{Call, span_millis};
use super::values::{array, bytes, maybe_time, text, time, tuple};
use crate::domain::account::{HealthPolicy, Signal};
use crate::domain::budget::Budget;
use crate::domain::submission::{
    Callback, IllegalTransition, StepKind, Submission, TimelineEntry, Transition,
};
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
    let claims = array(claims)?.into_iter().map(|packed| claim(packed, kind, now));
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

fn claim(packed: Value, kind: StepKind, now: Timestamp) -> Result<Claim, Fault> {
    let Record { fence, submission, .. } = Record::unpack(&bytes(packed)?)?;
    let lag = submission.due_at.map_or(Duration::ZERO, |due| until(due, now));
    Ok(Claim { lease: Lease { id: submission.id, fence }, kind, submission, now, lag })
}

/// A decided step, with what becomes of it: all that the script needs to know is worked out before.
pub(super) struct Decided {
    pub(super) commit: Commit,
    packed: Vec<Packed>,
    /// Whether the answer to an earlier try got lost.
    again: bool,
    /// None of a submission that nobody knows.
    known: Option<Known>,
}

/// A submission as it was claimed, and what becomes of it.
struct Known {
    before: Submission,
    after: Result<(Submission, Option<TimelineEntry>), IllegalTransition>,
}

impl Known {
    fn new(before: Submission, transition: &Transition) -> Self {
        let mut after = before.clone();
        // The script puts in its own time.
        let now = after.updated_at;
        let after = after.apply(transition, now).map(|entry| (after, entry));
        Self { before, after }
    }
}

impl Decided {
    pub(super) fn new(
        commit: Commit,
        packed: Vec<Packed>,
        before: Option<Submission>,
        again: bool,
    ) -> Self {
        let known = before.map(|before| Known::new(before, &commit.transition));
        Self { commit, packed, again, known }
    }

    /// How large what it brings is.
    pub(super) fn bytes(&self) -> usize {
        self.packed.iter().map(|packed| packed.bytes.len()).sum()
    }

    /// Adds a commit to a call of the script.
    pub(super) fn describe(&self, call: Call) -> Call {
        let Commit { lease, transition } = &self.commit;
        let call = call.arg(lease.id.to_string()).arg(lease.fence).flag(self.again);
        let Some(Known { before, after: Ok((after, entry)) }) = &self.known else {
            let cancelled = self.known.as_ref().is_some_and(|known| known.before.cancel_requested);
            // Nothing is known, or allowed, of what follows.
            let call = (0..13).fold(call.flag(cancelled), |call, _| call.arg(""));
            return call.arg(0).arg(0).arg(0);
        };
        // The time before was put in for the script's own.
        let span = after.due_at.map(|due| until(before.updated_at, due));
        let (signal, value) = describe_signal(&transition.signal);
        let done = format!("{} {} {}", lease.fence, before.state, after.state).into_bytes();
        let (set, unset): (Vec<_>, Vec<_>) =
            changed(before, after).into_iter().partition(|(_, value)| value.is_some());
        let ends = after.state.is_final() && !before.state.is_final();
        let set = [("upd", None), ("due", None), ("done", Some(done))].into_iter().chain(set);
        let set: Vec<_> = set.chain(ends.then_some(("fin", None))).collect();
        let contents: Vec<_> = transition.contents.iter().zip(&self.packed).collect();
        call.flag(before.cancel_requested)
            .arg(&before.account)
            .arg(&before.name)
            .arg(before.priority.as_str())
            .maybe(before.step.map(StepKind::as_str))
            .arg(before.state.as_str())
            .arg(after.state.as_str())
            .maybe(after.step.map(StepKind::as_str))
            .maybe(span.map(span_millis))
            .flag(entry.is_some())
            .maybe(after.reason.as_ref().map(|reason| reason.code.as_str()))
            .maybe(entry.as_ref().map(|entry| &entry.why))
            .arg(signal)
            .arg(value)
            .each(&set, |call, (name, value)| call.arg(*name).maybe(value.as_ref()))
            .each(&unset, |call, (name, _)| call.arg(*name))
            .each(&contents, |call, ((key, content), packed)| {
                call.arg(key).arg(write_content(content.content_type.as_deref(), packed))
            })
    }

    /// Reads the script's answer; none if a cancellation was asked for meanwhile, so that the script has
    /// to be asked once more.
    pub(super) fn answered(&mut self, answer: Value) -> Result<Option<Committed>, Fault> {
        let answer = text(answer)?;
        let (word, rest) = answer.split_once(' ').unwrap_or((&answer, ""));
        let committed = match (word, self.known.take()) {
            ("done", Some(Known { before, after: Ok((after, _)) })) if rest.is_empty() => {
                Committed::Done(before.state, after.state)
            }
            ("done", _) => {
                let (from, to) = rest.split_once(' ').unwrap_or_default();
                let state = |word: &str| word.parse().map_err(Fault::corrupt);
                Committed::Done(state(from)?, state(to)?)
            }
            ("illegal", Some(Known { after: Err(illegal), .. })) => Committed::Illegal(illegal),
            ("illegal", _) => return Err(Fault::corrupt("a legal transition was refused")),
            ("cancelling", Some(Known { mut before, .. })) => {
                before.cancel_requested = !before.cancel_requested;
                self.known = Some(Known::new(before, &self.commit.transition));
                return Ok(None);
            }
            ("damaged", _) => {
                let id = self.commit.lease.id;
                error!(submission = %id, "its record is damaged, nothing is recorded: {rest}");
                Committed::Stale
            }
            _ => Committed::Stale,
        };
        Ok(Some(committed))
    }
}

/// The tries to tell the outcome, if there were any.
fn deliveries(callback: &Callback) -> Option<String> {
    (!callback.deliveries.is_empty()).then(|| to_json(&callback.deliveries))
}

/// A field of a submission's hash, and its value where there is any.
type Field = (&'static str, Option<Vec<u8>>);

/// The fields that a transition changes, beside those that the script works out; without a value
/// those that are to be removed.
fn changed(before: &Submission, after: &Submission) -> Vec<Field> {
    let pairs = fields(before).zip(fields(after));
    pairs.filter(|(before, after)| before != after).map(|(_, after)| after).collect()
}

/// What a transition may change, always in the same order.
fn fields(submission: &Submission) -> impl Iterator<Item = Field> {
    let count = |count: u32| (count > 0).then(|| count.to_string());
    let results = (!submission.results.is_empty()).then(|| to_json(&submission.results));
    let reason = submission.reason.as_ref();
    let fields = [
        ("state", Some(submission.state.to_string())),
        ("step", submission.step.map(|step| step.to_string())),
        ("att", count(submission.attempts)),
        ("poll", count(submission.polls)),
        ("fail", count(submission.failures)),
        ("doubt", submission.in_doubt.then(|| "1".to_owned())),
        ("token", submission.processing_token.clone()),
        ("rej", submission.rejection.clone()),
        ("res", results),
        ("call", submission.callback.as_ref().map(|c| u8::from(!c.gone).to_string())),
        ("told", submission.callback.as_ref().and_then(deliveries)),
        ("goon", submission.resume.map(|step| step.to_string())),
        ("why", reason.map(|reason| reason.code.to_string())),
    ];
    let fields = fields.into_iter().map(|(name, text)| (name, text.map(String::into_bytes)));
    fields.chain(text_pieces(reason.map_or("", |reason| &reason.text)))
}

fn describe_signal(signal: &Signal) -> (&'static str, String) {
    match signal {
        Signal::None => ("", String::new()),
        Signal::Healthy => ("healthy", String::new()),
        Signal::Faulty => ("faulty", String::new()),
        Signal::SlowDown { pause } => ("slow_down", span_millis(*pause).to_string()),
        Signal::Unauthorized(reason) => ("unauthorized", reason.clone()),
    }
}
