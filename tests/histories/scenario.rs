//! The scenario of a history: drawn first, so that each fault is absent in half of the histories.

use std::time::Duration;

use ferry::pipeline::{AmbiguousUpload, Policy};
use ferry_sim::{Endpoint, Fault, RetryAfter};

use crate::choices::Choices;

/// Number of acts before the calm.
const ACTS: u32 = 120;

/// Facts of a history, and the faults that it may have.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Scenario {
    pub(crate) workers: usize,
    pub(crate) submissions: Vec<Planned>,
    pub(crate) acts: u32,
    pub(crate) ambiguous_upload: AmbiguousUpload,
    pub(crate) deadline: Duration,
    pub(crate) is_name_foreign: bool,
    /// Calls of 1000 that do not end at once.
    pub(crate) slow: u32,
    /// Requests of 1000 that a fault happens to.
    pub(crate) faulty: u32,
    pub(crate) faults: Vec<PlatformFault>,
    /// Calls of the store of 1000 whose response is lost.
    pub(crate) lost: u32,
    pub(crate) crashes: bool,
    pub(crate) suspensions: bool,
    pub(crate) partitions: bool,
    pub(crate) cancellations: bool,
}

/// A submission that a producer makes.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) overwrite: bool,
    pub(crate) data: String,
}

/// A fault of a request to the Platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlatformFault {
    Error,
    StoredAndError,
    Throttled,
    StoredAndThrottled,
    Reset,
    StoredAndReset,
    TokenDenied,
    NameRefused,
    UnknownToken,
}

impl PlatformFault {
    const ALL: [Self; 9] = [
        Self::Error,
        Self::StoredAndError,
        Self::Throttled,
        Self::StoredAndThrottled,
        Self::Reset,
        Self::StoredAndReset,
        Self::TokenDenied,
        Self::NameRefused,
        Self::UnknownToken,
    ];

    /// The fault for a request to `endpoint`, if it concerns such requests.
    pub(crate) fn of(self, endpoint: Endpoint, choices: &mut Choices) -> Option<Fault> {
        let is_upload = endpoint == Endpoint::Upload;
        let (headers, body) = (Vec::new(), String::new());
        let fault = match self {
            Self::Error => Fault::Respond { status: 500, headers, body },
            Self::StoredAndError => Fault::RespondAfter { status: 502, headers, body },
            Self::Throttled => Fault::SlowDown(retry_after(choices)),
            Self::StoredAndThrottled => Fault::SlowDownAfter(retry_after(choices)),
            Self::Reset => Fault::ResetBefore,
            Self::StoredAndReset => Fault::ResetAfter,
            Self::TokenDenied => Fault::RefuseToken,
            Self::NameRefused if is_upload => Fault::RefuseName,
            Self::UnknownToken if is_upload => Fault::UnknownFor(Duration::from_secs(4)),
            Self::NameRefused | Self::UnknownToken => return None,
        };
        let is_denied_login = self == Self::TokenDenied && endpoint == Endpoint::Token;
        (!is_denied_login).then_some(fault)
    }
}

fn retry_after(choices: &mut Choices) -> RetryAfter {
    RetryAfter::Seconds(choices.one(&[2.0, 20.0, 60.0]))
}

impl Scenario {
    /// Draws a scenario.
    pub(crate) fn draw(choices: &mut Choices) -> Self {
        let names = 1 + choices.pick(2);
        let overwriting = choices.one(&[0, 0, 500, 1000]);
        let invalid = choices.one(&[0, 200]);
        let count = 2 + choices.pick(4) as usize;
        let submissions = (0..count)
            .map(|number| planned(number, names, overwriting, invalid, choices))
            .collect();
        let faults = PlatformFault::ALL.into_iter().filter(|_| choices.pick(2) == 1).collect();
        Self {
            workers: 1 + choices.pick(3) as usize,
            submissions,
            acts: ACTS,
            ambiguous_upload: choices.one(&[
                AmbiguousUpload::Hold,
                AmbiguousUpload::Hold,
                AmbiguousUpload::Overwrite,
            ]),
            deadline: Duration::from_secs(choices.one(&[600, 60, 150])),
            is_name_foreign: choices.happens(100),
            slow: choices.one(&[0, 50, 300]),
            faulty: choices.one(&[0, 100, 300]),
            faults,
            lost: choices.one(&[0, 0, 40, 150]),
            crashes: choices.pick(2) == 1,
            suspensions: choices.pick(2) == 1,
            partitions: choices.pick(2) == 1,
            cancellations: choices.pick(2) == 1,
        }
    }

    /// The same without faults.
    pub(crate) fn calm(&self) -> Self {
        let (slow, faulty, lost) = (0, 0, 0);
        Self { slow, faulty, lost, ..self.clone() }
    }

    /// The policy of its workers.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            ambiguous_upload: self.ambiguous_upload,
            deadline: self.deadline,
            concurrency: 2,
            unknown_token_timeout: Duration::from_secs(20),
            poll_max: Duration::from_secs(20),
            retry_max: Duration::from_secs(20),
            ..Policy::default()
        }
    }
}

fn planned(
    number: usize,
    names: u32,
    overwriting: u32,
    invalid: u32,
    choices: &mut Choices,
) -> Planned {
    let date = if choices.happens(invalid) { "no date" } else { "01/02/2026" };
    Planned {
        name: format!("N{}", choices.pick(names)),
        overwrite: choices.happens(overwriting),
        data: format!(
            "Reference,StartDate,StartTime,EndDate,EndTime\nS{number},{date},08:00,01/02/2026,09:30\n"
        ),
    }
}
