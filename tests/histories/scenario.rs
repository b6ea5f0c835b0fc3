//! The scenario of a history: drawn first, so that each fault is absent in half of the histories.

use std::time::Duration;

use ferry::pipeline::{AmbiguousUpload, Policy};
use ferry_sim::{Behavior, FaultKind};
use ferry_types::domain::limits::AccountLimits;

use crate::choices::Choices;
use crate::faults::PlatformFault;
use crate::trace::{AccountNumber, Fact};

/// Numbers of acts before the calm.
const ACTS: [u32; 4] = [120, 120, 120, 250];

/// Numbers of submissions: few that meet often, rarely more.
const SUBMISSIONS: [usize; 6] = [2, 3, 4, 5, 5, 10];

/// Behaviors of the Platform that are drawn from.
const BEHAVIORS: u32 = 1 << 16;

/// Facts of a history, and the faults that it may have.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
pub(crate) struct Scenario {
    pub(crate) workers: usize,
    pub(crate) accounts: usize,
    pub(crate) submissions: Vec<Planned>,
    pub(crate) acts: u32,
    pub(crate) ambiguous_upload: AmbiguousUpload,
    pub(crate) deadline: Duration,
    pub(crate) is_name_foreign: bool,
    pub(crate) limits: AccountLimits,
    /// Calls of 1000 that do not end at once.
    pub(crate) slow: u32,
    /// The Platform, as `ferry rehearse` has it for the same seed.
    pub(crate) platform: Behavior,
    /// Requests of 1000 that a fault happens to.
    pub(crate) faulty: u32,
    pub(crate) faults: Vec<PlatformFault>,
    /// Calls of the store of 1000 whose response is lost.
    pub(crate) lost: u32,
    pub(crate) crashes: bool,
    /// Workers are stopped, and abort what they run.
    pub(crate) stops: bool,
    pub(crate) suspensions: bool,
    pub(crate) partitions: bool,
    pub(crate) cancellations: bool,
    /// Operators pause, resume, retry, resolve, redeliver and refetch during the storm, too.
    pub(crate) operators: bool,
    /// The store is away at times.
    pub(crate) outages: bool,
    /// The store goes back to what was durable, as Redis does with `durability = "fsynced"`.
    pub(crate) goes_back: bool,
    pub(crate) clock_steps: bool,
    /// In the calm, operators draw what to do about so many that are held; others fail.
    pub(crate) resolutions: u32,
    /// Each worker that claims a step of this submission crashes.
    pub(crate) poison: Option<usize>,
}

/// A submission that a producer makes.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) fact: Fact,
    pub(crate) data: String,
    pub(crate) has_key: bool,
    pub(crate) result_keys: Vec<String>,
}

impl Scenario {
    /// Draws a scenario.
    pub(crate) fn draw(choices: &mut Choices) -> Self {
        let accounts = choices.one(&[1, 1, 2]);
        let (names, overwriting) = (choices.one(&[1, 1, 2, 3]), choices.one(&[0, 0, 500, 1000]));
        let kind = Kind { accounts, names, overwriting, invalid: choices.one(&[0, 200]) };
        let count = choices.one(&SUBMISSIONS);
        let submissions = (0..count).map(|number| kind.planned(number, choices)).collect();
        let platform = Behavior::of_seed(choices.pick(BEHAVIORS).into());
        let mut faults: Vec<_> = platform.kinds.iter().copied().map(PlatformFault::Of).collect();
        faults.extend((choices.pick(2) == 1).then_some(PlatformFault::CredentialsDenied));
        let throttled = PlatformFault::Of(FaultKind::Throttled);
        faults.extend(
            [throttled; 2].into_iter().filter(|_| platform.kinds.contains(&FaultKind::Throttled)),
        );
        let policies = [AmbiguousUpload::Hold, AmbiguousUpload::Hold, AmbiguousUpload::Overwrite];
        Self {
            workers: choices.one(&[2, 1, 3, 2, 4]),
            accounts,
            submissions,
            acts: choices.one(&ACTS),
            ambiguous_upload: choices.one(&policies),
            deadline: Duration::from_secs(choices.one(&[600, 60, 30, 150])),
            is_name_foreign: choices.happens(100),
            limits: limits(choices),
            slow: choices.one(&[0, 50, 300]),
            faulty: platform.faulty,
            faults,
            platform,
            lost: choices.one(&[0, 0, 40, 150]),
            crashes: choices.pick(2) == 1,
            stops: choices.pick(2) == 1,
            suspensions: choices.pick(2) == 1,
            partitions: choices.pick(2) == 1,
            cancellations: choices.pick(2) == 1,
            operators: choices.pick(2) == 1,
            outages: choices.pick(4) == 3,
            goes_back: choices.pick(4) == 3,
            clock_steps: choices.pick(4) == 3,
            resolutions: 20,
            poison: choices.happens(60).then(|| choices.pick(count as u32) as usize),
        }
    }

    /// The same without faults.
    pub(crate) fn calm(&self) -> Self {
        Self { slow: 0, faulty: 0, lost: 0, poison: None, ..self.clone() }
    }

    /// The policy of its workers.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            ambiguous_upload: self.ambiguous_upload,
            deadline: self.deadline,
            concurrency: 2,
            lease: Duration::from_secs(15),
            unknown_token_timeout: Duration::from_secs(20),
            poll_max: Duration::from_secs(20),
            retry_max: Duration::from_secs(20),
            webhook_backoff_max: Duration::from_secs(20),
            webhook_max_attempts: 3,
            ..Policy::default()
        }
    }
}

fn limits(choices: &mut Choices) -> AccountLimits {
    let is_limited = choices.happens(250);
    AccountLimits {
        uploads_per_second: (is_limited && choices.pick(2) == 1).then_some(0.5),
        requests_per_second: (is_limited && choices.pick(2) == 1).then_some(1.0),
        max_concurrent_uploads: (is_limited && choices.pick(2) == 1).then_some(1),
    }
}

impl Planned {
    /// The same with the data of another submission.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        Self { data: data(number, DATE), ..self.clone() }
    }
}

/// A date that the Platform accepts.
const DATE: &str = "01/02/2026";

fn data(number: usize, date: &str) -> String {
    format!(
        "Reference,StartDate,StartTime,EndDate,EndTime\nS{number},{date},08:00,01/02/2026,09:30\n"
    )
}

/// Traits that the submissions of a history have in common.
struct Kind {
    accounts: usize,
    names: u32,
    overwriting: u32,
    invalid: u32,
}

impl Kind {
    fn planned(&self, number: usize, choices: &mut Choices) -> Planned {
        let is_valid = !choices.happens(self.invalid);
        let fact = Fact {
            account: choices.pick(self.accounts as u32) as AccountNumber,
            name: format!("N{}", choices.pick(self.names)),
            overwrite: choices.happens(self.overwriting),
            has_webhook: choices.pick(3) == 2,
            is_valid,
        };
        let keys = ["tableofresultids".to_owned(), "summary".to_owned()];
        Planned {
            fact,
            data: data(number, if is_valid { DATE } else { "no date" }),
            has_key: choices.pick(2) == 0,
            result_keys: keys[..=choices.pick(2) as usize].to_vec(),
        }
    }
}
