//! The uploads of a trace, and what the Platform has under each name, for invariants about them.

use std::collections::BTreeMap;

use ferry_sim::{Effect, Endpoint};
use ferry_types::domain::submission::StepKind;

use crate::trace::{AccountNumber, Event, SubmissionNumber, Trace};

/// An upload that left a worker.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) of: SubmissionNumber,
    /// Number of its claim, counted over the whole trace.
    pub(super) claim: usize,
    /// True if the claim said that an earlier upload may have arrived.
    pub(super) ambiguous: bool,
    /// Submission whose dataset the Platform had under the name when it arrived.
    pub(super) found: Option<SubmissionNumber>,
}

/// True if an upload with this effect is at the Platform.
pub(super) fn is_stored(effect: Effect) -> bool {
    matches!(effect, Effect::Stored | Effect::Replaced | Effect::ReplacedForeign)
}

/// The kind of the step that makes a request; none of one for a token, which is for all steps.
pub(super) fn step_of(endpoint: Endpoint) -> Option<StepKind> {
    match endpoint {
        Endpoint::Token => None,
        Endpoint::Upload => Some(StepKind::Upload),
        Endpoint::Status => Some(StepKind::Poll),
        Endpoint::Feedback | Endpoint::Results => Some(StepKind::Collect),
    }
}

/// The uploads by their request, while a trace is read.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    by_request: BTreeMap<u64, Upload>,
    claims: BTreeMap<(usize, SubmissionNumber), (usize, bool)>,
    claimed: usize,
    /// By account and name, the submission whose dataset the Platform has.
    present: BTreeMap<(AccountNumber, String), SubmissionNumber>,
}

impl Uploads {
    /// Reads the next event; returns the upload that it is about.
    pub(super) fn read(&mut self, trace: &Trace, event: &Event) -> Option<Upload> {
        match event {
            Event::Claimed { worker, of, lease, ambiguous, .. } => {
                if lease.kind != StepKind::Upload {
                    return None;
                }
                self.claimed += 1;
                self.claims.insert((*worker, *of), (self.claimed, *ambiguous));
                None
            }
            Event::Sent { request, worker, endpoint: Endpoint::Upload, of: Some(of), .. } => {
                let (claim, ambiguous) = *self.claims.get(&(*worker, *of))?;
                let upload = Upload { of: *of, claim, ambiguous, found: None };
                self.by_request.insert(*request, upload.clone());
                Some(upload)
            }
            Event::Arrived { request, effect, .. } => {
                let upload = self.by_request.get_mut(request)?;
                let (account, name) = trace.name(upload.of);
                let name = (account, name.to_owned());
                upload.found = self.present.get(&name).copied();
                if is_stored(*effect) {
                    self.present.insert(name, upload.of);
                }
                Some(upload.clone())
            }
            Event::Read { request, .. } => self.by_request.get(request).cloned(),
            _ => None,
        }
    }
}
