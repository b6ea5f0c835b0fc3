//! Leases due steps: fairly between accounts, and within one by priority and due time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::effects::Effects;
use super::fault::Fault;
use super::health;
use super::rows::{COLUMNS, Record, append, millis, priority, rank, records};
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
    fn sort(&self, kind: StepKind, accounts: &mut [Account]) {
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
    let heads = heads(connection, request.kind)?;
    let yields = yields(connection, &heads, policy, now)?;
    let mut accounts = hungry_accounts(&heads, &yields, now);
    turns.sort(request.kind, &mut accounts);
    let mut taker = Taker { connection, effects, request, now, claims: Vec::new(), turns };
    // Everybody gets an equal share, and what some do not use is shared by the others.
    while !accounts.is_empty() && taker.left() > 0 {
        let share = (taker.left() / accounts.len()).max(1);
        for account in &mut accounts {
            taker.take(account, share)?;
        }
        accounts.retain(|account| account.hungry);
    }
    let claims = taker.claims;
    let next = if claims.len() >= request.limit {
        Some(now)
    } else if claims.is_empty() {
        next(&heads, &yields, policy, now)
    } else {
        next(&self::heads(connection, request.kind)?, &yields, policy, now)
    };
    Ok(Claims { claims, now, next: next.map(|at| until(now, at)) })
}

/// The step of one account and priority that is due first.
struct Head {
    account: String,
    priority: Priority,
    due: Timestamp,
}

/// The heads of all accounts that have steps of `kind`, by account and priority.
fn heads(connection: &Connection, kind: StepKind) -> Result<Vec<Head>, Fault> {
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

/// What an account yields now.
enum Yields {
    /// So many more steps.
    UpTo(usize),
    /// Nothing before this time, or, without one, before somebody resumes it, which wakes everybody.
    Nothing(Option<Timestamp>),
}

fn yields(
    connection: &Connection,
    heads: &[Head],
    policy: &HealthPolicy,
    now: Timestamp,
) -> Result<BTreeMap<String, Yields>, Fault> {
    let mut yields = BTreeMap::new();
    for Head { account, .. } in heads {
        if !yields.contains_key(account) {
            let health = health::load(connection, account)?.unwrap_or_default();
            yields.insert(account.clone(), yields_of(connection, account, &health, policy, now)?);
        }
    }
    Ok(yields)
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
        Admission::Closed(Closed::Gate { until } | Closed::Outage { until }) => {
            Yields::Nothing(Some(until))
        }
        Admission::UpTo(limit) => {
            // The account stands aside so that only what is leased is looked at.
            let leased: i64 = connection
                .prepare_cached(
                    "SELECT count(*) FROM submissions
                     WHERE leased_until IS NOT NULL AND +account = ?1",
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
fn next(
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
struct Account {
    name: String,
    /// Of these priorities, the most urgent first.
    priorities: Vec<Priority>,
    /// How many more may be leased.
    room: usize,
    /// Whether it may have more.
    hungry: bool,
}

fn hungry_accounts(
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

struct Taker<'a> {
    connection: &'a Connection,
    effects: &'a mut Effects,
    request: &'a ClaimRequest,
    now: Timestamp,
    claims: Vec<Claim>,
    turns: &'a mut Turns,
}

impl Taker<'_> {
    fn left(&self) -> usize {
        self.request.limit - self.claims.len()
    }

    /// Leases up to `share` steps of `account`, the most urgent first.
    fn take(&mut self, account: &mut Account, share: usize) -> Result<(), Fault> {
        let wanted = share.min(account.room).min(self.left());
        let mut taken = 0;
        for priority in &account.priorities {
            if taken < wanted {
                taken += self.take_of(&account.name, *priority, wanted - taken)?;
            }
        }
        account.room -= taken;
        account.hungry = taken == wanted && account.room > 0;
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
        // What is not indexed anew is not named: only an upload changes the state.
        let sql = if kind == StepKind::Upload {
            "UPDATE submissions SET leased_until = ?2, fence = ?3, deliveries = deliveries + 1,
                 attempts = ?4, updated_at = ?5, state = ?6
             WHERE seq = ?1"
        } else {
            "UPDATE submissions SET leased_until = ?2, fence = ?3, deliveries = deliveries + 1,
                 attempts = ?4, updated_at = ?5
             WHERE seq = ?1 AND state = ?6"
        };
        self.connection.prepare_cached(sql)?.execute(params![
            record.seq,
            millis(leased_until),
            record.fence,
            submission.attempts,
            millis(submission.updated_at),
            submission.state.as_str(),
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
