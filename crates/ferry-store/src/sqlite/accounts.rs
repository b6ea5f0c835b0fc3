//! Which accounts have steps of a kind, what they may yield now, and whose turn it is.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::health;
use super::rows::{priority, rank};
use crate::ClaimRequest;
use ferry_types::domain::account::{Admission, Closed, Health, HealthPolicy};
use ferry_types::domain::submission::{Priority, StepKind};
use ferry_types::domain::{Timestamp, later, timestamp};

/// Which accounts were served when: those that were served longest ago go first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    count: u64,
    last: HashMap<(StepKind, String), u64>,
}

impl Turns {
    pub(super) fn sort(&self, kind: StepKind, accounts: &mut [Account]) {
        accounts.sort_by_cached_key(|account| {
            self.last.get(&(kind, account.name.clone())).copied().unwrap_or_default()
        });
    }

    pub(super) fn served(&mut self, kind: StepKind, account: &str) {
        self.count += 1;
        self.last.insert((kind, account.to_owned()), self.count);
    }
}

/// The step of one account and priority that is due first.
pub(super) struct Head {
    account: String,
    priority: Priority,
    due: Timestamp,
}

/// The heads of all accounts that have steps of `kind`, by account and priority.
pub(super) fn heads(connection: &Connection, kind: StepKind) -> Result<Vec<Head>, Fault> {
    // Hops through the index: how much waits behind the heads does not matter. A comparison of
    // `(account, priority)` pairs would walk over all that waits there.
    let mut same_account = connection.prepare_cached(
        "SELECT account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account = ?2 AND priority > ?3
             AND due_at IS NOT NULL AND leased_until IS NULL AND blocked = 0
         ORDER BY priority, due_at LIMIT 1",
    )?;
    let mut next_account = connection.prepare_cached(
        "SELECT account, priority, due_at FROM submissions INDEXED BY ready
         WHERE step = ?1 AND account > ?2
             AND due_at IS NOT NULL AND leased_until IS NULL AND blocked = 0
         ORDER BY account, priority, due_at LIMIT 1",
    )?;
    let head = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let mut heads: Vec<Head> = Vec::new();
    loop {
        let (account, rank) =
            heads.last().map_or(("", -1), |head| (&head.account, rank(head.priority)));
        let mut next: Option<(String, i64, i64)> =
            same_account.query_row(params![kind.as_str(), account, rank], head).optional()?;
        if next.is_none() {
            next = next_account.query_row(params![kind.as_str(), account], head).optional()?;
        }
        let Some((account, rank, due)) = next else { return Ok(heads) };
        heads.push(Head { account, priority: priority(rank)?, due: timestamp(due) });
    }
}

/// With as many uploads under way as allowed, the next look comes after this long.
const IN_FLIGHT: Duration = Duration::from_millis(50);

/// What an account yields now.
pub(super) enum Yields {
    /// So many more steps.
    UpTo(usize),
    /// Nothing before this time, or, without one, before somebody resumes it, which wakes everybody.
    Nothing(Option<Timestamp>),
}

pub(super) fn yields(
    connection: &Connection,
    heads: &[Head],
    request: &ClaimRequest,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<BTreeMap<String, Yields>, Fault> {
    let mut yields = BTreeMap::new();
    for Head { account, .. } in heads {
        if !request.kind.asks_platform() {
            yields.insert(account.clone(), Yields::UpTo(usize::MAX));
        } else if !yields.contains_key(account) {
            let health = health::load(connection, account)?.unwrap_or_default();
            let healthy = yields_of(connection, account, &health, policy, now)?;
            let within = within_budget(connection, account, request, healthy, now)?;
            yields.insert(account.clone(), within);
        }
    }
    Ok(yields)
}

/// What is left of `yields` by the account's budget.
fn within_budget(
    connection: &Connection,
    account: &str,
    request: &ClaimRequest,
    yields: Yields,
    now: Timestamp,
) -> Result<Yields, Fault> {
    let budget = request.budgets.get(account).filter(|budget| budget.limits(request.kind));
    let (Some(budget), Yields::UpTo(room)) = (budget, &yields) else { return Ok(yields) };
    let (left, next) = health::spent(connection, account)?.left(request.kind, budget, now);
    if left == 0 {
        return Ok(Yields::Nothing(Some(next)));
    }
    let mut room = left.min(*room);
    if let Some(limit) = budget.uploads_in_flight.filter(|_| request.kind == StepKind::Upload) {
        let uploading: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM submissions
                 WHERE leased_until IS NOT NULL AND +account = ?1 AND step = ?2",
            )?
            .query_row([account, StepKind::Upload.as_str()], |row| row.get(0))?;
        room = room.min(usize::try_from(i64::from(limit) - uploading).unwrap_or_default());
    }
    // Nothing tells when an upload ends: it is looked at again.
    Ok(if room > 0 { Yields::UpTo(room) } else { Yields::Nothing(Some(later(now, IN_FLIGHT))) })
}

fn yields_of(
    connection: &Connection,
    account: &str,
    health: &Health,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<Yields, Fault> {
    Ok(match health.admit(now, policy) {
        Admission::Open => Yields::UpTo(usize::MAX),
        Admission::Closed(Closed::Paused { .. }) => Yields::Nothing(None),
        Admission::Closed(
            Closed::Gate { until } | Closed::Outage { until } | Closed::Limit { until },
        ) => Yields::Nothing(Some(until)),
        Admission::UpTo(limit) => {
            // The account stands aside so that only what is leased is looked at.
            let leased: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM submissions
                     WHERE leased_until IS NOT NULL AND +account = ?1 AND step != 'notify'",
                )?
                .query_row([account], |row| row.get(0))?;
            let room = i64::from(limit) - leased;
            match usize::try_from(room) {
                Ok(room) if room > 0 => Yields::UpTo(room),
                _ => Yields::Nothing(Some(later(now, policy.ramp_step))),
            }
        }
    })
}

/// When the next of these steps may be leased.
pub(super) fn next(
    heads: &[Head],
    yields: &BTreeMap<String, Yields>,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Option<Timestamp> {
    let at = |head: &Head| match yields.get(&head.account)? {
        // What is due already waits for a ramp.
        Yields::UpTo(_) if head.due <= now => Some(later(now, policy.ramp_step)),
        Yields::UpTo(_) => Some(head.due),
        Yields::Nothing(reopens) => reopens.map(|reopens| reopens.max(head.due)),
    };
    heads.iter().filter_map(at).min()
}

/// An account that yields steps now.
pub(super) struct Account {
    pub(super) name: String,
    /// Of these priorities, the most urgent first.
    pub(super) priorities: Vec<Priority>,
    /// How many more may be leased.
    pub(super) room: usize,
    /// Whether it may have more.
    pub(super) hungry: bool,
}

pub(super) fn hungry(
    heads: &[Head],
    yields: &BTreeMap<String, Yields>,
    now: Timestamp,
) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for head in heads.iter().filter(|head| head.due <= now) {
        let Some(Yields::UpTo(room)) = yields.get(&head.account) else { continue };
        match accounts.last_mut().filter(|account| account.name == head.account) {
            Some(account) => account.priorities.push(head.priority),
            None => accounts.push(Account {
                name: head.account.clone(),
                priorities: vec![head.priority],
                room: *room,
                hungry: true,
            }),
        }
    }
    accounts
}
