//! Leases due steps.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::data::{Data, MemoryAccount, Row};
use crate::fair::{self, Availability, NextDue, Situation, Taken};
use crate::{Claim, ClaimId, ClaimRequest, Claims, Lease};
use ferry_types::domain::account::HealthPolicy;
use ferry_types::domain::submission::{Priority, StepKind, Submission};
use ferry_types::domain::{Timestamp, until};

impl Data {
    pub(super) fn claim(
        &mut self,
        request: &ClaimRequest,
        policy: &HealthPolicy,
        now: Timestamp,
        id: ClaimId,
    ) -> Claims {
        let heads = self.heads(request.kind);
        let availability = self.availability(&heads, request, policy, now);
        let mut turns = std::mem::take(&mut self.turns);
        let (mut claims, mut postponed) = (Vec::new(), 0);
        let take = |account: &str, priority, limit: Taken| {
            let due = self.due(request.kind, account, priority, now);
            let mut taken = Taken::default();
            for seq in due.into_iter().take(limit.steps) {
                if taken.requests >= limit.requests {
                    break;
                }
                taken.steps += 1;
                if let Some(claim) = self.lease(seq, request, now, id) {
                    taken.requests += claim.submission.requests(request.kind);
                    claims.push(claim);
                } else {
                    postponed += 1;
                }
            }
            Ok(taken)
        };
        let eligible = fair::eligible(&heads, &availability, now);
        let Ok(()) = fair::share::<Infallible>(request, eligible, &mut turns, take);
        self.turns = turns;
        self.record_usage(request, &claims, now);
        let heads = self.heads(request.kind);
        let availability = self.availability(&heads, request, policy, now);
        let next = if claims.len() + postponed >= request.limit {
            Some(now)
        } else {
            fair::next(&heads, &availability, policy, now)
        };
        Claims { claims, now, next: next.map(|at| until(now, at)) }
    }

    /// Those that wait for a worker, or for their time.
    fn waiting(&self, kind: StepKind) -> impl Iterator<Item = (u64, Timestamp, &Submission)> {
        let rows = self.rows.iter().map(|(seq, row)| (*seq, &row.submission));
        let waiting = rows.filter(move |(_, s)| {
            s.step == Some(kind) && s.leased_until.is_none() && !s.has_predecessor
        });
        waiting.filter_map(|(seq, s)| Some((seq, s.due_at?, s)))
    }

    fn heads(&self, kind: StepKind) -> Vec<NextDue> {
        let mut heads: BTreeMap<(&str, Priority), Timestamp> = BTreeMap::new();
        for (_, due, submission) in self.waiting(kind) {
            let head = heads.entry((&submission.account, submission.priority)).or_insert(due);
            *head = due.min(*head);
        }
        let head = |((account, priority), due): ((&str, Priority), Timestamp)| NextDue {
            account: account.to_owned(),
            priority,
            due,
        };
        heads.into_iter().map(head).collect()
    }

    /// Of one account and priority, those due longest first.
    fn due(&self, kind: StepKind, account: &str, priority: Priority, now: Timestamp) -> Vec<u64> {
        let of = self
            .waiting(kind)
            .filter(|(_, due, s)| *due <= now && s.account == account && s.priority == priority);
        let mut due: Vec<_> = of.map(|(seq, due, _)| (due, seq)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, seq)| seq).collect()
    }

    fn availability(
        &self,
        heads: &[NextDue],
        request: &ClaimRequest,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> BTreeMap<String, Availability> {
        let mut availability = BTreeMap::new();
        for NextDue { account, .. } in heads {
            let MemoryAccount { health, limit_usage } =
                self.accounts.get(account).cloned().unwrap_or_default();
            let leased = |counts: &dyn Fn(StepKind) -> bool| {
                let of = |row: &&Row| {
                    row.submission.leased_until.is_some()
                        && row.submission.account == *account
                        && row.submission.step.is_some_and(counts)
                };
                Ok(self.rows.values().filter(of).count() as u64)
            };
            let Ok(yielded) = Situation::<Infallible> {
                kind: request.kind,
                health: &health,
                account_limits: fair::limits(request, account, &health, now),
                policy,
                now,
                limit_usage: &|| Ok(limit_usage),
                leased: &|| leased(&StepKind::calls_platform),
                uploading: &|| leased(&|kind| kind == StepKind::Upload),
                is_due: &|kind| {
                    let mut waiting = self.waiting(kind);
                    Ok(waiting.any(|(_, due, s)| s.account == *account && due <= now))
                },
            }
            .availability();
            availability.insert(account.clone(), yielded);
        }
        availability
    }

    fn lease(
        &mut self,
        seq: u64,
        request: &ClaimRequest,
        now: Timestamp,
        claimed_by: ClaimId,
    ) -> Option<Claim> {
        let waiting = &self.rows.get(&seq)?.submission;
        if let Some(until) = waiting.waits_for_late(self.late(waiting), now) {
            self.rows.get_mut(&seq)?.submission.postpone(until);
            return None;
        }
        self.apply(seq, now, |submission| submission.claim(request.lease, now)).ok()?;
        let row = self.rows.get_mut(&seq)?;
        row.fence += 1;
        row.claimed_by = claimed_by;
        row.leased_until = row.submission.leased_until;
        let submission = row.submission.clone();
        let kind = request.kind;
        let lease = Lease { id: submission.id, kind, fence: row.fence, claimed_by };
        let lag = until(submission.due_at.unwrap_or(now), now);
        let name = (submission.account.clone(), submission.name.clone());
        let name_mark = self.marks.get(&name).copied().filter(|_| kind == StepKind::Upload);
        Some(Claim { lease, kind, submission, name_mark, now, offset: 0, lag })
    }

    /// Records what the claims use of the limits of their accounts.
    fn record_usage(&mut self, request: &ClaimRequest, claims: &[Claim], now: Timestamp) {
        for (name, requests) in fair::requests(request.kind, claims) {
            let account = self.accounts.entry(name.to_owned()).or_default();
            let account_limits = fair::limits(request, name, &account.health, now);
            if account_limits.restricts(request.kind) {
                account.limit_usage.record(request.kind, requests, &account_limits, now);
            }
            account.health.count_requests(requests, now);
        }
    }
}
