//! Leases due steps: fairly between accounts, and within one by priority and due time.

use rusqlite::{Connection, params};

use super::accounts;
use super::changes::{records, set_aside};
use super::effects::Effects;
use super::error::SqliteError;
use super::health;
use super::name_marks;
use super::records::{COLUMNS, SqliteRecord, append, millis, rank};
use crate::fair::{self, RoundRobin, Taken};
use crate::{Claim, ClaimId, ClaimRequest, Claims, Lease};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{Priority, StepKind};
use ferry_types::domain::{Timestamp, until};

/// Leases what is due. The accounts take `turns`.
pub(super) fn claim(
    connection: &Connection,
    effects: &mut Effects,
    Claiming { request, policy, id }: &Claiming,
    turns: &mut RoundRobin,
) -> Result<Claims, SqliteError> {
    let now = effects.now();
    let heads = accounts::heads(connection, effects, request.kind)?;
    let availability = accounts::availability(connection, &heads, request, policy, now)?;
    let mut picker =
        StepPicker { connection, effects, request, now, claims: Vec::new(), postponed: 0, id: *id };
    let take = |account: &str, priority, limit| picker.take(account, priority, limit);
    fair::share(request, fair::eligible(&heads, &availability, now), turns, take)?;
    let (claims, postponed) = (picker.claims, picker.postponed);
    record_usage(connection, request, &claims, now)?;
    let next = if claims.len() + postponed >= request.limit {
        Some(now)
    } else if claims.len() + postponed == 0 {
        fair::next(&heads, &availability, policy, now)
    } else {
        let heads = accounts::heads(connection, effects, request.kind)?;
        let availability = accounts::availability(connection, &heads, request, policy, now)?;
        fair::next(&heads, &availability, policy, now)
    };
    Ok(Claims { claims, now, next: next.map(|at| until(now, at)) })
}

/// A call that claims, with the rules that it is under.
#[derive(Debug)]
pub(super) struct Claiming {
    pub(super) request: ClaimRequest,
    pub(super) policy: HealthPolicy,
    pub(super) id: ClaimId,
}

/// Records what the claims use of the limits of their accounts.
fn record_usage(
    connection: &Connection,
    request: &ClaimRequest,
    claims: &[Claim],
    now: Timestamp,
) -> Result<(), SqliteError> {
    for (account, requests) in fair::requests(request.kind, claims) {
        let mut health = health::load(connection, account)?.unwrap_or_default();
        let account_limits = fair::limits(request, account, &health, now);
        if account_limits.restricts(request.kind) {
            let mut limit_usage = health::limit_usage(connection, account)?;
            limit_usage.record(request.kind, requests, &account_limits, now);
            health::save_limit_usage(connection, account, &limit_usage)?;
        }
        if health.count_requests(requests, now) {
            health::save(connection, account, &health)?;
        }
    }
    Ok(())
}

struct StepPicker<'a> {
    connection: &'a Connection,
    effects: &'a mut Effects,
    request: &'a ClaimRequest,
    now: Timestamp,
    claims: Vec<Claim>,
    /// Steps that were due, and are so later.
    postponed: usize,
    id: ClaimId,
}

impl StepPicker<'_> {
    /// Leases steps up to `limit`; returns those that it has looked at.
    fn take(
        &mut self,
        account: &str,
        priority: Priority,
        limit: Taken,
    ) -> Result<Taken, SqliteError> {
        let sql = [
            "SELECT ",
            COLUMNS,
            " FROM submissions s
              WHERE s.step = ?1 AND s.account = ?2 AND s.priority = ?3 AND s.due_at <= ?4
                  AND s.leased_until IS NULL AND s.has_predecessor = 0
              ORDER BY s.due_at LIMIT ?5",
        ]
        .concat();
        let due = records(
            self.connection,
            self.effects,
            &mut self.connection.prepare_cached(&sql)?,
            params![
                self.request.kind.as_str(),
                account,
                rank(priority),
                millis(self.now),
                i64::try_from(limit.steps).unwrap_or(i64::MAX)
            ],
        )?;
        let mut taken = Taken::default();
        for record in due {
            if taken.requests >= limit.requests {
                break;
            }
            taken.steps += 1;
            let seq = record.seq;
            match self.lease(record) {
                Ok(None) => self.postponed += 1,
                Ok(Some(claim)) => {
                    taken.requests += claim.submission.requests(claim.kind);
                    self.claims.push(claim);
                }
                Err(error) if error.is_of_a_row() => {
                    set_aside(self.connection, self.effects, seq, &error)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// Returns none if another upload of its name may still arrive: the step is due after that.
    fn lease(&mut self, mut record: SqliteRecord) -> Result<Option<Claim>, SqliteError> {
        let (kind, now) = (self.request.kind, self.now);
        if kind == StepKind::Upload {
            let late = name_marks::late(self.connection, &record.submission)?;
            if let Some(until) = record.submission.waits_for_late(late, now) {
                self.postpone(record, until)?;
                return Ok(None);
            }
        }
        let before = record.submission.state;
        let entry = record.submission.claim(self.request.lease, now)?;
        record.fence = record.fence.saturating_add(1);
        let submission = &record.submission;
        self.effects.moved(submission, before);
        if let Some(entry) = entry {
            append(self.connection, record.seq, &entry)?;
        }
        // A column that is named is indexed again: only an upload changes the state.
        let sql = if submission.state == before {
            "UPDATE submissions SET leased_until = ?2, fence = ?3, claimed_by = ?4, upload_attempts = ?5,
                 updated_at = ?6
             WHERE seq = ?1 AND state = ?7"
        } else {
            "UPDATE submissions SET leased_until = ?2, fence = ?3, claimed_by = ?4, upload_attempts = ?5,
                 updated_at = ?6, state = ?7
             WHERE seq = ?1"
        };
        self.connection.prepare_cached(sql)?.execute(params![
            record.seq,
            submission.leased_until.map(millis),
            record.fence,
            self.id.to_string(),
            submission.upload_attempts,
            millis(submission.updated_at),
            submission.state.as_str(),
        ])?;
        let lag = submission.due_at.map_or(std::time::Duration::ZERO, |due| until(due, now));
        let lease = Lease {
            id: submission.id,
            kind,
            fence: record.fence.unsigned_abs(),
            claimed_by: self.id,
        };
        let name_mark = match kind {
            StepKind::Upload => name_marks::find(self.connection, submission)?,
            StepKind::Poll | StepKind::Collect | StepKind::Deliver => None,
        };
        let submission = record.submission;
        Ok(Some(Claim { lease, kind, submission, name_mark, now, offset: 0, lag }))
    }

    fn postpone(&self, mut record: SqliteRecord, until: Timestamp) -> Result<(), SqliteError> {
        record.submission.postpone(until);
        let sql = "UPDATE submissions SET due_at = ?2 WHERE seq = ?1";
        let due = record.submission.due_at.map(millis);
        self.connection.prepare_cached(sql)?.execute(params![record.seq, due])?;
        Ok(())
    }
}
