//! Which accounts may have steps leased now, and whose turn it is: pure, for stores that decide so in Rust.
//! Redis does the same in its script.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::{Claim, ClaimRequest};
use ferry_types::domain::account::{Admission, BlockReason, Health, HealthPolicy};
use ferry_types::domain::limits::{AccountLimits, LimitUsage};
use ferry_types::domain::submission::{Priority, StepKind};
use ferry_types::domain::{Timestamp, later};

/// The order in which accounts were served. Those served longest ago go first.
#[derive(Debug, Clone, Default)]
pub(super) struct RoundRobin {
    count: u64,
    last: HashMap<(StepKind, String), u64>,
}

impl RoundRobin {
    fn sort(&self, kind: StepKind, accounts: &mut [EligibleAccount]) {
        accounts.sort_by_cached_key(|account| {
            self.last.get(&(kind, account.name.clone())).copied().unwrap_or_default()
        });
    }

    fn served(&mut self, kind: StepKind, account: &str) {
        self.count += 1;
        self.last.insert((kind, account.to_owned()), self.count);
    }
}

/// The step of one account and priority that is due first.
#[derive(Debug)]
pub(super) struct NextDue {
    pub(super) account: String,
    pub(super) priority: Priority,
    pub(super) due: Timestamp,
}

/// Delay before the next claim while an account runs as many uploads as it may.
const IN_FLIGHT: Duration = Duration::from_millis(50);

/// Steps that an account yields now.
#[derive(Debug)]
pub(super) enum Availability {
    /// Number of further steps, which begin as long as any of these requests are left. A probe is the step due
    /// longest: one of a higher priority that always fails must not be every probe.
    UpTo { steps: usize, requests: usize, is_probe: bool },
    /// Nothing before this time or, without one, before `resume`, which wakes all workers.
    Nothing(Option<Timestamp>),
}

/// All that decides about what an account yields; what has to be counted is counted if it matters.
pub(super) struct Situation<'a, E> {
    pub(super) kind: StepKind,
    pub(super) health: &'a Health,
    pub(super) account_limits: AccountLimits,
    pub(super) policy: &'a HealthPolicy,
    pub(super) now: Timestamp,
    pub(super) limit_usage: &'a dyn Fn() -> Result<LimitUsage, E>,
    /// Number of leased steps that call the Platform.
    pub(super) leased: &'a dyn Fn() -> Result<u64, E>,
    /// Number of leased uploads.
    pub(super) uploading: &'a dyn Fn() -> Result<u64, E>,
    /// True if a step of the kind is due and not leased.
    pub(super) is_due: &'a dyn Fn(StepKind) -> Result<bool, E>,
}

impl<E> Situation<'_, E> {
    pub(super) fn availability(&self) -> Result<Availability, E> {
        if !self.kind.calls_platform() {
            return Ok(unlimited(usize::MAX, false));
        }
        let soon = Availability::Nothing(Some(later(self.now, self.policy.ramp_step)));
        let (healthy, is_probe) = match self.health.admit(self.now, self.policy) {
            Admission::Open => (usize::MAX, false),
            Admission::UpTo(limit) => match left(limit, (self.leased)()?) {
                0 => return Ok(soon),
                _ if limit == 1 && !self.is_turn()? => return Ok(soon),
                room => (room, limit == 1),
            },
            Admission::Blocked(BlockReason::Paused { .. }) => {
                return Ok(Availability::Nothing(None));
            }
            Admission::Blocked(
                BlockReason::Throttled { until }
                | BlockReason::BreakerOpen { until }
                | BlockReason::LimitReached { until },
            ) => return Ok(Availability::Nothing(Some(until))),
        };
        self.within_limits(healthy, is_probe)
    }

    fn is_turn(&self) -> Result<bool, E> {
        self.health.is_turn(self.kind, self.now, self.policy, self.is_due)
    }

    /// Steps that the account limits leave of so many.
    fn within_limits(&self, room: usize, is_probe: bool) -> Result<Availability, E> {
        let account_limits = &self.account_limits;
        if !account_limits.restricts(self.kind) {
            return Ok(unlimited(room, is_probe));
        }
        let (rated, next) = (self.limit_usage)()?.available(self.kind, account_limits, self.now);
        if rated == 0 {
            return Ok(Availability::Nothing(Some(next)));
        }
        let mut room = room.min(rated);
        if let Some(limit) =
            account_limits.max_concurrent_uploads.filter(|_| self.kind == StepKind::Upload)
        {
            room = room.min(left(limit, (self.uploading)()?));
        }
        // The end of an upload wakes no other claim, so the caller has to look again.
        let again = Availability::Nothing(Some(later(self.now, IN_FLIGHT)));
        let yielded = Availability::UpTo { steps: room, requests: rated, is_probe };
        Ok(if room > 0 { yielded } else { again })
    }
}

/// Requests of the steps that were claimed of each account; none of steps that do not call the Platform.
pub(super) fn requests(kind: StepKind, claims: &[Claim]) -> BTreeMap<&str, usize> {
    let mut requests = BTreeMap::new();
    for claim in claims.iter().filter(|_| kind.calls_platform()) {
        *requests.entry(claim.submission.account.as_str()).or_default() +=
            claim.submission.requests(kind);
    }
    requests
}

/// Limits of an account at `now`: those of its configuration, and the learned rate.
pub(super) fn limits(
    request: &ClaimRequest,
    account: &str,
    health: &Health,
    now: Timestamp,
) -> AccountLimits {
    let configured = request.account_limits.get(account).copied().unwrap_or_default();
    configured.within(health.requests_per_second(now))
}

/// Number of steps of an account without a rate limit.
fn unlimited(steps: usize, is_probe: bool) -> Availability {
    Availability::UpTo { steps, requests: usize::MAX, is_probe }
}

fn left(limit: u32, used: u64) -> usize {
    usize::try_from(u64::from(limit).saturating_sub(used)).unwrap_or(usize::MAX)
}

/// Time at which the next of these steps may be leased.
pub(super) fn next(
    heads: &[NextDue],
    availability: &BTreeMap<String, Availability>,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Option<Timestamp> {
    let at = |head: &NextDue| match availability.get(&head.account)? {
        // What is due already waits for a ramp.
        Availability::UpTo { .. } if head.due <= now => Some(later(now, policy.ramp_step)),
        Availability::UpTo { .. } => Some(head.due),
        Availability::Nothing(reopens) => reopens.map(|reopens| reopens.max(head.due)),
    };
    heads.iter().filter_map(at).min()
}

/// An account that yields steps now.
#[derive(Debug)]
pub(super) struct EligibleAccount {
    name: String,
    /// Of these priorities, the most urgent first.
    priorities: Vec<Priority>,
    /// Steps that may be leased.
    room: usize,
    /// Requests left to them.
    requests: usize,
}

/// Steps that were taken, and the requests that they make.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) steps: usize,
    pub(super) requests: usize,
}

/// The accounts that yield steps now. `heads` are in the order of account and priority.
pub(super) fn eligible(
    heads: &[NextDue],
    availability: &BTreeMap<String, Availability>,
    now: Timestamp,
) -> Vec<EligibleAccount> {
    let mut accounts: Vec<EligibleAccount> = Vec::new();
    let mut earliest = now;
    for head in heads.iter().filter(|head| head.due <= now) {
        let Some(Availability::UpTo { steps, requests, is_probe }) =
            availability.get(&head.account)
        else {
            continue;
        };
        match accounts.last_mut().filter(|account| account.name == head.account) {
            Some(account) if *is_probe && head.due < earliest => {
                (account.priorities, earliest) = (vec![head.priority], head.due);
            }
            Some(_) if *is_probe => {}
            Some(account) => account.priorities.push(head.priority),
            None => {
                earliest = head.due;
                accounts.push(EligibleAccount {
                    name: head.account.clone(),
                    priorities: vec![head.priority],
                    room: *steps,
                    requests: *requests,
                });
            }
        }
    }
    accounts
}

/// Takes up to `limit` steps that are due: every account gets an equal share, the most urgent of its steps
/// first, and what some do not use is shared by the others.
/// `take` takes so many of one account and priority, as long as any of so many requests are left.
pub(super) fn share<E>(
    &ClaimRequest { kind, limit, .. }: &ClaimRequest,
    mut eligible: Vec<EligibleAccount>,
    turns: &mut RoundRobin,
    mut take: impl FnMut(&str, Priority, Taken) -> Result<Taken, E>,
) -> Result<(), E> {
    turns.sort(kind, &mut eligible);
    let mut left = limit;
    while !eligible.is_empty() && left > 0 {
        let share = (left / eligible.len()).max(1);
        let mut next = Vec::new();
        for mut account in eligible {
            let wanted = share.min(account.room).min(left);
            let mut taken = 0;
            for priority in &account.priorities {
                if taken < wanted && account.requests > 0 {
                    let limit = Taken { steps: wanted - taken, requests: account.requests };
                    let more = take(&account.name, *priority, limit)?;
                    taken += more.steps;
                    account.requests = account.requests.saturating_sub(more.requests);
                }
            }
            account.room -= taken;
            left -= taken;
            if taken > 0 {
                turns.served(kind, &account.name);
            }
            if taken == wanted && account.room > 0 {
                next.push(account);
            }
        }
        eligible = next;
    }
    Ok(())
}
