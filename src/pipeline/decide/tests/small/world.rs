//! A world of a search: submissions with what a store has beside them, workers, requests on their way, and the
//! Platform.

use std::time::Duration;

use super::super::{DEADLINE, of, submission};
use super::scope::{Forgotten, Scope};
use crate::pipeline::policy::AmbiguousUpload;
use ferry_types::domain::outcome::{AcceptedUpload, PlatformError};
use ferry_types::domain::submission::{
    LATE_UPLOAD, LateUpload, NameEffect, Ruled, State, StepKind, Submission, SubmissionParts,
};
use ferry_types::domain::{SubmissionId, Timestamp, later, timestamp};

/// The duration of a lease.
pub(super) const LEASE: Duration = Duration::from_secs(5);

/// An upload that left a worker, and has not arrived.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) of: usize,
    pub(super) overwrite: bool,
    /// The claim said that an earlier upload may have arrived.
    pub(super) ambiguous: bool,
    /// Number of the claim of this submission.
    pub(super) claim: u32,
    /// The worker that waits for the response; without one, the time after which it arrives no more.
    pub(super) owner: Result<usize, Timestamp>,
}

/// The response to an upload.
pub(super) type UploadResponse = Result<AcceptedUpload, PlatformError>;

/// The part of its step that a worker has done.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    Claimed,
    Sent,
    Answered(UploadResponse),
}

/// A claim that a worker has.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) of: usize,
    pub(super) kind: StepKind,
    pub(super) claim: u32,
    pub(super) claimed: Submission,
    pub(super) mark: Option<SubmissionId>,
    pub(super) until: Timestamp,
    /// It renews its lease no more.
    pub(super) is_stalled: bool,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) faults: usize,
    pub(super) submissions: Vec<Submission>,
    /// By submission, how often it was claimed, and if the newest claim owns its step.
    pub(super) claims: Vec<(u32, bool)>,
    pub(super) mark: Option<SubmissionId>,
    pub(super) late: Option<LateUpload>,
    pub(super) workers: Vec<Option<Running>>,
    pub(super) flights: Vec<Flight>,
    /// Submission whose dataset the Platform has, and the number of the upload.
    pub(super) stored: Option<(usize, usize)>,
    /// Newest submission of which an upload has left.
    pub(super) begun: usize,
    /// By submission, the claim of the first upload of it that was stored.
    pub(super) first_stored: Vec<Option<u32>>,
    /// By submission, true once an operator has permitted it to overwrite.
    pub(super) permitted: Vec<bool>,
    pub(super) resolved: usize,
    /// The submissions of the uploads that were stored.
    pub(super) uploads: Vec<usize>,
    pub(super) scope: Scope,
}

impl World {
    pub(super) fn new(scope: Scope) -> Self {
        let of = |number: usize| {
            let parts = SubmissionParts {
                id: SubmissionId::new(timestamp(0), number as u128 + 1),
                overwrite: scope.overwrite,
                upload_attempts: 0,
                step: Some(StepKind::Upload),
                due_at: Some(timestamp(0)),
                has_predecessor: number > 0 && scope.forgotten != Some(Forgotten::Order),
                deadline: timestamp(DEADLINE),
                ..submission(State::Queued)
            };
            of(&parts)
        };
        Self {
            now: timestamp(0),
            faults: scope.faults,
            submissions: (0..scope.submissions).map(of).collect(),
            claims: vec![(0, false); scope.submissions],
            mark: None,
            late: None,
            workers: vec![None; scope.workers],
            flights: Vec::new(),
            stored: None,
            begun: 0,
            first_stored: vec![None; scope.submissions],
            permitted: vec![false; scope.submissions],
            resolved: 0,
            uploads: Vec::new(),
            scope,
        }
    }

    /// Changes a submission by a rule, and what a store has beside it, as every store does.
    pub(super) fn change<E: std::fmt::Debug>(
        &mut self,
        number: usize,
        rule: impl FnOnce(&mut Submission) -> Ruled<E>,
    ) -> Result<(), String> {
        let before = self.submissions[number].clone();
        let mut after = before.clone();
        rule(&mut after).map_err(|error| format!("submission {number}: {error:?}"))?;
        let id = after.id;
        match after.effect_on_name(&before) {
            Some(NameEffect::Marks) if self.scope.forgotten != Some(Forgotten::Mark) => {
                self.mark = Some(id);
            }
            Some(NameEffect::Settles) => self.mark = None,
            Some(NameEffect::SettlesOwn) if self.mark == Some(id) => self.mark = None,
            _ => {}
        }
        if after.may_arrive_late(&before) && self.scope.forgotten != Some(Forgotten::Late) {
            self.late = Some(LateUpload { of: id, until: later(self.now, LATE_UPLOAD) });
        }
        self.claims[number].1 &= after.leased_until.is_some();
        let has_ended = after.state.is_final() && !before.state.is_final();
        self.submissions[number] = after;
        let mut waiting = self.submissions.iter_mut().filter(|one| !one.state.is_final());
        if let Some(next) = waiting.next().filter(|next| has_ended && next.has_predecessor) {
            next.follow(self.now);
        }
        Ok(())
    }

    /// The step that is due now.
    pub(super) fn due(&self) -> Option<usize> {
        self.submissions.iter().position(|one| self.due_at(one).is_some_and(|due| due <= self.now))
    }

    /// Time from which on a claim yields the step of a submission.
    pub(super) fn due_at(&self, one: &Submission) -> Option<Timestamp> {
        let due = one.due_at.filter(|_| one.leased_until.is_none() && !one.has_predecessor)?;
        Some(due.max(one.waits_for_late(self.late, self.now).unwrap_or(due)))
    }

    /// An upload arrives: the Platform stores it, unless another dataset has its name.
    pub(super) fn arrive(&mut self, flight: &Flight) -> Result<UploadResponse, String> {
        let of = flight.of;
        let earlier = self.first_stored[of].is_some_and(|claim| claim < flight.claim);
        if earlier && !flight.ambiguous {
            return Err(format!("an upload of {of} was stored under an earlier claim"));
        }
        if self.stored.is_some() && !flight.overwrite {
            let error = PlatformError::Rejected { status: 409, words: "it exists".to_owned() };
            return Ok(Err(error));
        }
        let by_policy =
            self.scope.ambiguous_upload == AmbiguousUpload::Overwrite && flight.ambiguous;
        if self.stored.is_some() && !(self.scope.overwrite || self.permitted[of] || by_policy) {
            return Err(format!("{of} may not overwrite"));
        }
        if self.begun > of {
            return Err(format!(
                "an upload of {of} takes effect after one of a later submission has left"
            ));
        }
        let upload = self.uploads.len();
        self.uploads.push(of);
        self.stored = Some((of, upload));
        self.first_stored[of].get_or_insert(flight.claim);
        Ok(Ok(AcceptedUpload { processing_token: upload.to_string(), retry_after: None }))
    }

    /// An error says which invariant does not hold now.
    pub(super) fn invariants(&self) -> Result<(), String> {
        for (of, one) in self.submissions.iter().enumerate() {
            let upload = one.processing_token.as_ref().and_then(|token| token.parse().ok());
            let is_its_own = upload.is_some_and(|upload: usize| self.uploads[upload] == of);
            if one.state == State::Completed && !is_its_own {
                return Err(format!("{of} is completed, and the Platform has no such dataset"));
            }
            if one.state == State::Rejected
                && upload.is_none()
                && let Some((unseen, ..)) = self.stored.filter(|(stored, _)| *stored <= of)
                && self.submissions[unseen].processing_token.is_none()
            {
                return Err(format!(
                    "{of} is rejected, and the Platform has {unseen}, whose outcome is unknown"
                ));
            }
        }
        Ok(())
    }

    /// An error says what does not hold although nothing can happen any more.
    pub(super) fn at_end(&self) -> Result<(), String> {
        let mut open = self.submissions.iter().filter(|one| !one.state.is_final());
        open.next().map_or(Ok(()), |one| Err(format!("it ends nowhere: {one:?}")))
    }
}
