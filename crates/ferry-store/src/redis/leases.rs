//! Leases steps to this process, and records what became of them.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tracing::error;

use super::durable_writes::TIMEOUT;
use super::error::RedisError;
use super::record::RedisRecord;
use super::scripts::ScriptCall;
use super::steps::{self, Leased, PreparedCommit};
use super::{COMMITS, COMMITTED_BYTES, LEASES, RedisStore, read, values};
use crate::compression::Compressed;
use crate::{ClaimRequest, Claims, Commit, Committed, Lease};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::StepKind;

impl RedisStore {
    /// Extends leases, and returns `true` for each that is still owned.
    pub(super) async fn extend(
        &self,
        leases: &[Lease],
        duration: Duration,
    ) -> Result<Vec<bool>, RedisError> {
        let calls = self.renewals(leases, duration);
        let mut renewed = Vec::with_capacity(leases.len());
        for response in self.link.run(&self.scripts.renew, calls).await? {
            let held = values::array(response)?;
            renewed.extend(held.into_iter().map(|held| held == Value::Int(1)));
        }
        self.owned.renewed(leases, &renewed, duration);
        Ok(renewed)
    }

    /// Leases in calls that are each bounded, in one round trip.
    fn renewals(&self, leases: &[Lease], duration: Duration) -> Vec<ScriptCall> {
        let script_call = |leases: &[Lease]| {
            let script_call = self.script_call(&self.scripts.renew).duration(duration);
            script_call.each(leases, |script_call, lease| {
                script_call.arg(lease.id.to_string()).arg(steps::lease_text(lease))
            })
        };
        leases.chunks(LEASES).map(script_call).collect()
    }

    /// Leases due steps.
    pub(super) async fn lease(&self, request: ClaimRequest) -> Result<Claims, RedisError> {
        if let Some(wait) = self.know_clock().await? {
            return Ok(Claims { next: Some(wait), ..Claims::default() });
        }
        let confirmed = self.beginning.as_ref().filter(|_| request.kind == StepKind::Upload);
        let link = match confirmed {
            Some(confirmed) => confirmed.link().await?,
            None => &self.link,
        };
        let connection = link.number();
        let script = &self.scripts.claim;
        let (id, lost) = self.lost.begin(request.kind);
        let script_call = steps::describe_claim(self.script_call(script), &request, &self.health);
        let script_call = script_call
            .arg(id.to_string())
            .each(&lost, |script_call, lost| script_call.arg(lost.to_string()));
        let response = link.run_one(script, script_call).await;
        if response.as_ref().is_err_and(RedisError::got_no_response) {
            self.lost.lose(request.kind, id, request.lease);
        }
        let Leased { claims, records, blocked } = steps::claims(response?, &request, id, &lost)?;
        self.lost.acknowledged(&lost, claims.claims.len() >= request.limit);
        if !blocked.is_empty() {
            // Their account was paused, throttled or failed since: they have not begun.
            self.give_back(&blocked).await?;
        }
        // Not for so long that a lease runs out meanwhile; zero would be for ever.
        let timeout = TIMEOUT.min(request.lease / 2).max(Duration::from_millis(1));
        let leases = || claims.claims.iter().map(|claim| claim.lease);
        if let Some(confirmed) = confirmed.filter(|_| !claims.claims.is_empty())
            && let Err(error) = confirmed.confirm(connection, timeout).await
        {
            // Not begun, so that it is no attempt.
            self.give_back(&leases().collect::<Vec<_>>()).await?;
            return Err(error);
        }
        self.owned.claimed(leases().zip(records), request.lease);
        Ok(claims)
    }

    /// The records of leases: those that this process has forgotten, or that another one claimed, cost a
    /// look.
    async fn records(&self, leases: &[Lease]) -> Result<Vec<Option<Arc<RedisRecord>>>, RedisError> {
        let mut known: Vec<_> = leases.iter().map(|lease| self.owned.record(lease)).collect();
        let missing = || leases.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<_> = missing().map(|(lease, _)| lease.id).collect();
        if !unknown.is_empty() {
            let read = self.read(&unknown).await?;
            let missing = known.iter_mut().zip(leases).filter(|(known, _)| known.is_none());
            for ((known, lease), read) in missing.zip(read) {
                *known = read.map(Arc::new);
                if let Some(record) = known {
                    self.owned.read(*lease, record.clone());
                }
            }
        }
        Ok(known)
    }

    async fn read(&self, ids: &[SubmissionId]) -> Result<Vec<Option<RedisRecord>>, RedisError> {
        let script = &self.scripts.read;
        let script_call =
            self.script_call(script).each(ids, |script_call, id| script_call.arg(id.to_string()));
        let records = read::records(self.run(script, script_call).await?)?;
        let sound = |(id, record): (&SubmissionId, Result<_, RedisError>)| {
            record.unwrap_or_else(|error| {
                error!(submission.id = %id, %error, "corrupt record, the outcome of its step is not stored");
                None
            })
        };
        Ok(ids.iter().zip(records).map(sound).collect())
    }

    /// Records what was decided about steps.
    pub(super) async fn record(
        &self,
        packed: Vec<(Commit, Vec<Compressed>)>,
    ) -> Result<Vec<Committed>, RedisError> {
        let leases: Vec<_> = packed.iter().map(|(commit, _)| commit.lease).collect();
        let records = self.records(&leases).await?;
        let decide = |((commit, packed), record): (_, Option<Arc<RedisRecord>>)| {
            let again = self.owned.has_tried(&commit);
            PreparedCommit::new(commit, packed, record, again)
        };
        let mut prepared: Vec<_> = packed.into_iter().zip(records).map(decide).collect();
        let mut committed: Vec<_> = prepared.iter().map(PreparedCommit::too_large).collect();
        loop {
            let open: Vec<_> = (0..prepared.len()).filter(|n| committed[*n].is_none()).collect();
            let requested: Vec<_> = open.iter().map(|n| &prepared[*n]).collect();
            let responses = self.ask_to_record(&requested).await;
            if responses.as_ref().is_err_and(RedisError::is_open) {
                self.owned.tried(prepared.iter().map(|prepared| &prepared.commit));
            }
            for (n, response) in open.into_iter().zip(responses?) {
                committed[n] = prepared[n].responded(response)?;
            }
            let open: Vec<_> = (0..prepared.len()).filter(|n| committed[*n].is_none()).collect();
            if open.is_empty() {
                break;
            }
            // A cancellation was requested meanwhile, which happens once.
            let ids: Vec<_> = open.iter().map(|n| leases[*n].id).collect();
            for (n, record) in open.into_iter().zip(self.read(&ids).await?) {
                prepared[n].decide_again(record.map(Arc::new));
            }
        }
        self.owned.forget(leases);
        Ok(committed.into_iter().flatten().collect())
    }

    /// Calls the script for commits, and gives its responses.
    async fn ask_to_record(&self, prepared: &[&PreparedCommit]) -> Result<Vec<Value>, RedisError> {
        let script = &self.scripts.commit;
        let calls = parts(prepared).into_iter().map(|prepared| {
            let script_call = self.script_call(script).policy(&self.health).arg(prepared.len());
            prepared
                .iter()
                .try_fold(script_call, |script_call, one| Ok(script_call.packed(&one.describe()?)))
        });
        let calls = calls.collect::<Result<Vec<_>, RedisError>>()?;
        let responses = self.link.run(script, calls).await?.into_iter().map(values::array);
        let responses: Vec<_> =
            responses.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        if responses.len() == prepared.len() {
            Ok(responses)
        } else {
            Err(RedisError::corrupt("some commits got no response"))
        }
    }
}

/// Commits in parts that a script takes at once: not too many of them, nor too much.
fn parts<'a, 'b>(mut prepared: &'a [&'b PreparedCommit]) -> Vec<&'a [&'b PreparedCommit]> {
    let mut parts = Vec::new();
    while !prepared.is_empty() {
        let mut bytes = 0;
        let fits = |prepared: &&&PreparedCommit| {
            bytes += prepared.bytes();
            bytes <= COMMITTED_BYTES
        };
        let count = prepared.iter().take(COMMITS).take_while(fits).count().max(1);
        let (part, rest) = prepared.split_at(count);
        parts.push(part);
        prepared = rest;
    }
    parts
}
