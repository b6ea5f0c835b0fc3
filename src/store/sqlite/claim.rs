//! Leases due steps: fairly between accounts, and within one by priority and due time.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::effects::Effects;
use super::fault::Fault;
use super::health;
use super::rows::{COLUMNS, Record, append, millis, rank, records, span_millis};
use crate::domain::account::{Admission, Closed, Health, HealthPolicy};
use crate::domain::submission::{Priority, State, StepKind, TimelineEntry};
use crate::domain::{Timestamp, later, timestamp, until};
use crate::store::{Claim, ClaimRequest, Claims, Lease};

/// Which accounts were served when: those that were served longest ago go first.
#[derive(Debug, Default)]
pub(super) struct Turns {
    count: u64,
    last: HashMap<(StepKind, String), u64>,
}

impl Turns {
    fn sort(&self, kind: StepKind, accounts: &mut [Open]) {
        accounts.sort_by_cached_key(|account| {
            self.last.get(&(kind, account.name.clone())).copied().unwrap_or_default()
        });
    }

    fn served(&mut self, kind: StepKind, account: &str) {
        self.count += 1;
        self.last.insert((kind, account.to_owned()), self.count);
    }
}

/// Leases what is due at `now`.
pub(super) fn claim(
    connection: &Connection,
    effects: &mut Effects,
    request: &ClaimRequest,
    policy: &HealthPolicy,
    now: Timestamp,
    turns: &mut Turns,
) -> Result<Claims, Fault> {
    let mut accounts = open_accounts(connection, policy, now)?;
    turns.sort(request.kind, &mut accounts.open);
    let mut taker = Taker { connection, effects, request, now, claims: Vec::new(), turns };
    // Everybody gets an equal share, and what some do not use is shared by the others.
    while let left = request.limit - taker.claims.len()
        && let hungry = accounts.open.iter().filter(|account| account.is_hungry()).count()
        && left > 0
        && hungry > 0
    {
        for account in accounts.open.iter_mut().filter(|account| account.is_hungry()) {
            taker.take(account, (left / hungry).max(1))?;
        }
    }
    let claims = taker.claims;
    let next = if claims.len() < request.limit {
        accounts.next(connection, request.kind, policy, now)?
    } else {
        Some(now)
    };
    Ok(Claims { claims, now, next: next.map(|at| until(now, at)) })
}

struct Accounts {
    open: Vec<Open>,
    /// Those that yield nothing now, with the time when they may again.
    closed: Vec<(String, Timestamp)>,
}

/// An account that yields steps.
struct Open {
    name: String,
    /// How many more may be leased.
    room: usize,
    /// Whether it has nothing more that is due.
    exhausted: bool,
}

fn open_accounts(
    connection: &Connection,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<Accounts, Fault> {
    let mut accounts = Accounts { open: Vec::new(), closed: Vec::new() };
    for (name, health) in health::all(connection)? {
        match room(connection, &name, &health, policy, now)? {
            Ok(room) => accounts.open.push(Open { name, room, exhausted: false }),
            Err(Some(reopens)) => accounts.closed.push((name, reopens)),
            // Paused: until somebody resumes it, which wakes everybody.
            Err(None) => {}
        }
    }
    Ok(accounts)
}

/// How many more steps of the account may be leased, or when it is worth to ask again.
fn room(
    connection: &Connection,
    account: &str,
    health: &Health,
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<Result<usize, Option<Timestamp>>, Fault> {
    Ok(match health.admit(now, policy) {
        Admission::Open => Ok(usize::MAX),
        Admission::Closed(Closed::Paused { .. }) => Err(None),
        Admission::Closed(Closed::Gate { until } | Closed::Outage { until }) => Err(Some(until)),
        Admission::UpTo(limit) => {
            let leased: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM submissions
                     WHERE leased_until IS NOT NULL AND account = ?1",
                )?
                .query_row([account], |row| row.get(0))?;
            let room = i64::from(limit) - leased;
            if room > 0 { Ok(room as usize) } else { Err(Some(later(now, policy.ramp_step))) }
        }
    })
}

impl Accounts {
    /// When the next step of `kind` may be leased.
    fn next(
        &self,
        connection: &Connection,
        kind: StepKind,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        let mut next: Option<Timestamp> = None;
        let mut earliest = |at: Timestamp| next = Some(next.map_or(at, |next| next.min(at)));
        for account in &self.open {
            if let Some(due) = next_due(connection, kind, &account.name)? {
                // What is due already waits for a ramp.
                earliest(if due <= now { later(now, policy.ramp_step) } else { due });
            }
        }
        for (account, reopens) in &self.closed {
            if let Some(due) = next_due(connection, kind, account)? {
                earliest(due.max(*reopens));
            }
        }
        Ok(next)
    }
}

fn next_due(
    connection: &Connection,
    kind: StepKind,
    account: &str,
) -> Result<Option<Timestamp>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT due_at FROM submissions
         WHERE step = ?1 AND account = ?2 AND priority = ?3
             AND due_at IS NOT NULL AND leased_until IS NULL AND blocked = 0
         ORDER BY due_at LIMIT 1",
    )?;
    let mut next: Option<i64> = None;
    for priority in Priority::ALL {
        let due: Option<i64> = statement
            .query_row(params![kind.as_str(), account, rank(priority)], |row| row.get(0))
            .optional()?;
        next = [next, due].into_iter().flatten().min();
    }
    Ok(next.map(timestamp))
}

impl Open {
    fn is_hungry(&self) -> bool {
        !self.exhausted && self.room > 0
    }
}

struct Taker<'a> {
    connection: &'a Connection,
    effects: &'a mut Effects,
    request: &'a ClaimRequest,
    now: Timestamp,
    claims: Vec<Claim>,
    turns: &'a mut Turns,
}

impl Taker<'_> {
    /// Leases up to `share` steps of `account`, the most urgent first.
    fn take(&mut self, account: &mut Open, share: usize) -> Result<(), Fault> {
        let wanted = share.min(account.room).min(self.request.limit - self.claims.len());
        let mut taken = 0;
        for priority in Priority::ALL {
            if taken < wanted {
                taken += self.take_of(&account.name, priority, wanted - taken)?;
            }
        }
        account.room -= taken;
        account.exhausted = taken < wanted;
        if taken > 0 {
            self.turns.served(self.request.kind, &account.name);
        }
        Ok(())
    }

    fn take_of(&mut self, account: &str, priority: Priority, limit: usize) -> Result<usize, Fault> {
        let sql = [
            "SELECT ",
            COLUMNS,
            " FROM submissions s
              WHERE s.step = ?1 AND s.account = ?2 AND s.priority = ?3 AND s.due_at <= ?4
                  AND s.leased_until IS NULL AND s.blocked = 0
              ORDER BY s.due_at LIMIT ?5",
        ]
        .concat();
        let due = records(
            &mut self.connection.prepare_cached(&sql)?,
            params![
                self.request.kind.as_str(),
                account,
                rank(priority),
                millis(self.now),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
        )?;
        let taken = due.len();
        for record in due {
            let claim = self.lease(record)?;
            self.claims.push(claim);
        }
        Ok(taken)
    }

    fn lease(&mut self, mut record: Record) -> Result<Claim, Fault> {
        let (kind, now) = (self.request.kind, self.now);
        let before = record.submission.state;
        record.fence += 1;
        let submission = &mut record.submission;
        let in_doubt = submission.in_doubt;
        let leased_until = later(now, self.request.lease);
        submission.leased_until = Some(leased_until);
        if kind == StepKind::Upload {
            submission.state = State::Uploading;
            submission.attempts += 1;
            submission.updated_at = now;
            self.effects.moved(&submission.account, before, State::Uploading);
            // A further try for the same reason does not lengthen the timeline.
            if submission.reason.is_none() {
                let entry = TimelineEntry { at: now, state: State::Uploading, why: String::new() };
                append(self.connection, record.seq, &entry)?;
            }
        }
        self.connection
            .prepare_cached(
                "UPDATE submissions SET leased_until = ?2, fence = ?3, deliveries = deliveries + 1,
                     state = ?4, attempts = ?5, updated_at = ?6
                 WHERE seq = ?1",
            )?
            .execute(params![
                record.seq,
                millis(now).saturating_add(span_millis(self.request.lease)),
                record.fence,
                submission.state.as_str(),
                submission.attempts,
                millis(submission.updated_at),
            ])?;
        let lag = submission.due_at.map_or(std::time::Duration::ZERO, |due| until(due, now));
        Ok(Claim {
            lease: Lease { id: submission.id, fence: record.fence.unsigned_abs() },
            kind,
            submission: record.submission,
            in_doubt,
            now,
            lag,
        })
    }
}
