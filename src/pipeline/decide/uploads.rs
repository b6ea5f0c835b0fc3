//! Decides about uploads: whether one is sent and may overwrite, and what follows from its response, also
//! when an earlier one may have arrived.

use std::time::Duration;

use super::{Context, after_error, lasting, signal_of, succeeded, unchanged};
use crate::pipeline::payload::MissingPayloadError;
use crate::pipeline::policy::AmbiguousUpload;
use crate::pipeline::schedule::retry_delay;
use ferry_types::domain::account::Signal;
use ferry_types::domain::outcome::{AcceptedUpload, PlatformError};
use ferry_types::domain::submission::{Next, Outcome, Reason, ReasonCode, StepKind, Transition};

/// Time for which nothing may be at the address of an upload before that counts as the rejection of one whose
/// predecessor may have arrived: a server that restarts, or a route that is moved, takes less.
pub(super) const WRONG_ADDRESS: Duration = Duration::from_mins(5);

/// After `UploadData`.
pub(in crate::pipeline) fn after_upload(
    context: &Context<'_>,
    response: Result<AcceptedUpload, PlatformError>,
) -> Transition {
    match response {
        Ok(AcceptedUpload { processing_token, retry_after }) => {
            let deadline = context.deadline_of_polls();
            let next = context.next_poll(0, Some(Duration::ZERO), deadline, retry_after);
            Transition {
                processing_token: Some(processing_token),
                processing: Some(context.uploaded()),
                deadline: (deadline != context.submission.deadline).then_some(deadline),
                ..succeeded(Next::Step(next))
            }
        }
        Err(error) if context.is_in_vain(&error) => {
            let text = format!("an earlier upload may have arrived, and so may this one: {error}");
            Transition {
                reason: Some(Reason::new(ReasonCode::Ambiguous, text)),
                upload_ambiguous: true,
                signal: signal_of(context, &error),
                ..Transition::to(Next::Held)
            }
        }
        Err(PlatformError::Rejected { status, words }) => rejected(context, status, &words),
        Err(PlatformError::WrongAddress { status, what }) if context.is_lasting_rejection() => {
            let signal = Signal::Unhealthy(what.clone());
            Transition { signal, ..rejected(context, status, &what) }
        }
        Err(error) => after_error(context, StepKind::Upload, &error),
    }
}

/// Fails an upload before it is sent if its deadline has passed. `None` if it may be sent.
pub(in crate::pipeline) fn before_upload(context: &Context<'_>) -> Option<Transition> {
    if !context.is_past_deadline() {
        return None;
    }
    let submission = context.submission;
    // The claim counts as an attempt already.
    let event = if submission.upload_attempts > 1 { "could be retried" } else { "was sent" };
    let last = submission.reason.as_ref().map(|reason| format!(": {}", reason.text));
    let ambiguous = if submission.upload_ambiguous { "; an upload may have arrived" } else { "" };
    let (deadline, last) = (context.deadline(), last.unwrap_or_default());
    let text =
        format!("the deadline ({deadline}) passed before the upload {event}{last}{ambiguous}");
    Some(Transition {
        next: Next::End(Outcome::Failed),
        reason: Some(Reason::new(ReasonCode::Deadline, text)),
        ..unchanged(context, StepKind::Upload)
    })
}

/// True if the upload may overwrite: if the submission may, or if an attempt without that was rejected
/// while an earlier one may have arrived, and the configuration permits one more that overwrites.
pub(in crate::pipeline) fn may_overwrite(context: &Context<'_>) -> bool {
    let submission = context.submission;
    let reason = submission.reason.as_ref().map(|reason| reason.code);
    submission.overwrite || (reason == Some(ReasonCode::AlreadyExists) && context.may_permit())
}

/// Transition of an upload whose dataset the store does not have: nothing was sent.
pub(in crate::pipeline) fn without_payload(
    context: &Context<'_>,
    error: &MissingPayloadError,
) -> Transition {
    let text = format!("{error}; nothing was sent: submit the dataset again");
    Transition {
        reason: Some(Reason::new(ReasonCode::PayloadMissing, text)),
        next: Next::Held,
        ..unchanged(context, StepKind::Upload)
    }
}

/// Transition of an upload that was aborted after its request left.
pub(in crate::pipeline) fn interrupted_upload(context: &Context<'_>) -> Transition {
    let text = "the worker was stopped during the upload, which may have arrived";
    Transition {
        reason: Some(Reason::new(ReasonCode::Ambiguous, text)),
        next: Next::step(StepKind::Upload, Duration::ZERO),
        attempt_spent: true,
        upload_ambiguous: true,
        ..unchanged(context, StepKind::Upload)
    }
}

/// A rejection may be about an upload that arrived before: of this submission, or of an earlier one of
/// its name. Then only a person can know, unless the configuration permits one attempt that overwrites.
/// A rejection of that one, or of any that was permitted to overwrite, is for a person too.
fn rejected(context: &Context<'_>, status: u16, words: &str) -> Transition {
    let Some(what) = context.ambiguity() else {
        let text = format!("the Platform rejected the upload ({status}): {words}");
        let reason = Some(Reason::new(ReasonCode::UploadRejected, text));
        return Transition { reason, ..succeeded(Next::End(Outcome::Rejected)) };
    };
    let text = format!(
        "{what}, and now the Platform rejects it ({status}: {words}): \
         it may have this dataset, or another one of its name"
    );
    let failures = context.submission.failures.saturating_add(1);
    // Other errors in place of the response to that attempt do not begin all of it again without end.
    let is_permitted = context.may_permit()
        && !may_overwrite(context)
        && !context.is_past_deadline()
        && context.submission.lasting.waited() < WRONG_ADDRESS * 2;
    let next = if is_permitted {
        let delay = retry_delay(context.policy, failures, context.jitter);
        Next::step(StepKind::Upload, delay.min(context.time_left()))
    } else {
        Next::Held
    };
    let decided = Transition {
        reason: Some(Reason::new(ReasonCode::AlreadyExists, text)),
        upload_ambiguous: context.submission.upload_ambiguous,
        failures,
        ..succeeded(next)
    };
    lasting(context, 1, decided)
}

impl Context<'_> {
    /// The upload that may have arrived before, if there is one.
    pub(super) fn ambiguity(&self) -> Option<String> {
        if self.submission.upload_ambiguous {
            return Some("an earlier upload may have arrived".to_owned());
        }
        let Some(by) = self.name_mark else {
            let lost = "the store lost data, and may have forgotten an upload";
            return self.store_lost_data.then(|| lost.to_owned());
        };
        Some(if by == self.submission.id {
            "an upload before the retry may have arrived".to_owned()
        } else {
            format!("an earlier submission of this name may have left its dataset there (`{by}`)")
        })
    }

    /// True if an upload may have arrived before this one, and a further one would show no more: it could
    /// not be read if it arrived, either, or takes longer than is waited for. Where it may overwrite, one
    /// without a response is sent again all the same, which harms nothing.
    fn is_in_vain(&self, error: &PlatformError) -> bool {
        self.submission.upload_ambiguous
            && match error {
                PlatformError::Unreadable(_) => true,
                PlatformError::TimedOut(_) => !self.submission.overwrite && !self.may_permit(),
                _ => false,
            }
    }

    /// True if an upload may have arrived before this one, and that nothing is at the address now is the
    /// rejection of this one: it has lasted, or follows the attempt that may overwrite after a rejection.
    fn is_lasting_rejection(&self) -> bool {
        let code = self.submission.reason.as_ref().map(|reason| reason.code);
        self.ambiguity().is_some()
            && (code == Some(ReasonCode::AlreadyExists)
                || self.submission.lasting.waited() >= WRONG_ADDRESS)
    }

    /// True if the configuration permits to overwrite what may have arrived before. What a newer
    /// submission has left is never overwritten with an older dataset, and a store that lost data may have
    /// forgotten a newer one.
    fn may_permit(&self) -> bool {
        let is_newer = self.name_mark.is_some_and(|by| by > self.submission.id);
        self.policy.ambiguous_upload == AmbiguousUpload::Overwrite
            && self.ambiguity().is_some()
            && !is_newer
            && !self.store_lost_data
    }
}
