//! Leases due steps: fairly between accounts, and within one by priority and due time.

use rusqlite::{Connection, params};

use super::accounts::{self, Account, Turns};
use super::effects::Effects;
use super::fault::Fault;
use super::health;
use super::rows::{COLUMNS, Record, append, millis, rank, records};
use crate::{Claim, ClaimRequest, Claims, Lease};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{Priority, State, StepKind, TimelineEntry};
use ferry_types::domain::{Timestamp, later, until};

/// Leases what is due at `now`.
pub(super) fn claim(
    connection: &Connection,
    effects: &mut Effects,
    request: &ClaimRequest,
    policy: &HealthPolicy,
    now: Timestamp,
    turns: &mut Turns,
) -> Result<Claims, Fault> {
    let heads = accounts::heads(connection, request.kind)?;
    let yields = accounts::yields(connection, &heads, request, policy, now)?;
    let mut hungry = accounts::hungry(&heads, &yields, now);
    turns.sort(request.kind, &mut hungry);
    let mut taker = Taker { connection, effects, request, now, claims: Vec::new(), turns };
    // Everybody gets an equal share, and what some do not use is shared by the others.
    while !hungry.is_empty() && taker.left() > 0 {
        let share = (taker.left() / hungry.len()).max(1);
        for account in &mut hungry {
            taker.take(account, share)?;
        }
        hungry.retain(|account| account.hungry);
    }
    let claims = taker.claims;
    spend(connection, request, &claims, now)?;
    let next = if claims.len() >= request.limit {
        Some(now)
    } else if claims.is_empty() {
        accounts::next(&heads, &yields, policy, now)
    } else {
        let heads = accounts::heads(connection, request.kind)?;
        let yields = accounts::yields(connection, &heads, request, policy, now)?;
        accounts::next(&heads, &yields, policy, now)
    };
    Ok(Claims { claims, now, next: next.map(|at| until(now, at)) })
}

/// Notes what the claims use of their accounts' budgets.
fn spend(
    connection: &Connection,
    request: &ClaimRequest,
    claims: &[Claim],
    now: Timestamp,
) -> Result<(), Fault> {
    for (account, budget) in request.budgets.iter().filter(|(_, b)| b.limits(request.kind)) {
        let of_account = claims.iter().filter(|claim| claim.submission.account == *account);
        let requests: usize = of_account.map(|claim| claim.kind.requests(&claim.submission)).sum();
        if requests > 0 {
            let mut spent = health::spent(connection, account)?;
            spent.spend(request.kind, requests, budget, now);
            health::save_spent(connection, account, &spent)?;
        }
    }
    Ok(())
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
        let leased_until = later(now, self.request.lease);
        submission.leased_until = Some(leased_until);
        if kind == StepKind::Upload {
            submission.state = State::Uploading;
            submission.attempts += 1;
            submission.updated_at = now;
            self.effects.moved(submission, before);
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
            now,
            lag,
        })
    }
}
