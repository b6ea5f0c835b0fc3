//! Changes submissions by the rules of their life: reads them, decides, and writes them back if nothing
//! has changed them meanwhile. What has changed is decided about again.

use std::time::Duration;

use data_encoding::HEXLOWER;
use redis::Value;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tracing::error;

use super::error::RedisError;
use super::record::RedisRecord;
use super::scripts::{ScriptCall, duration_millis};
use super::steps::lease_text;
use super::values::{array, bytes, lossy, maybe, maybe_time, time, tuple};
use super::{LEASES, RedisStore};
use crate::{BATCH, Lease, Rescued, StoreError};
use ferry_types::domain::submission::{
    IllegalTransitionError, LATE_UPLOAD, LifecycleError, NameEffect, Ruled, SameName, State,
    Submission,
};
use ferry_types::domain::{SubmissionId, Timestamp};

/// So often a decision is made again, because another change came first.
const DECISIONS: usize = 100;

/// A submission as it was read.
struct Inspected {
    record: RedisRecord,
    submission: Submission,
    /// Digest of the record, to notice a change.
    digest: String,
    /// Text of the claim; of a damaged one, bytes of any kind.
    claim: Vec<u8>,
    same_name: SameName,
}

impl Inspected {
    fn new(packed: &[u8], claim: Vec<u8>, leased: Option<Timestamp>) -> Result<Self, RedisError> {
        let record = RedisRecord::read(packed)?;
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, packed);
        Ok(Self {
            submission: record.leased_until(leased.filter(|_| !claim.is_empty())),
            record,
            digest: HEXLOWER.encode(digest.as_ref()),
            claim,
            same_name: SameName::default(),
        })
    }

    /// A submission whose lease has ended, even if the claim is damaged.
    fn leased(packed: &[u8], claim: Vec<u8>, now: Timestamp) -> Result<Self, RedisError> {
        let inspected = Self::new(packed, claim, None)?;
        Ok(Self { submission: inspected.record.leased_until(Some(now)), ..inspected })
    }

    fn read(value: Value, now: Timestamp) -> Result<Option<Self>, RedisError> {
        let items = array(value)?;
        if items.is_empty() {
            return Ok(None);
        }
        let [packed, claim, leased, predecessor, unfinished, newer] = tuple(Value::Array(items))?;
        let leased = Some(maybe_time(leased)?.unwrap_or(now));
        let same_name = SameName {
            predecessor: maybe(predecessor)?,
            newer_unfinished: maybe(unfinished)?,
            newer_uploaded: array(newer)?.into_iter().find_map(uploaded),
        };
        let inspected = Self::new(&bytes(packed)?, bytes(claim)?, leased)?;
        Ok(Some(Self { same_name, ..inspected }))
    }

    /// Returns what a rule changes; none if it changes nothing.
    fn decide<E>(
        &self,
        rule: impl FnOnce(&mut Submission, &SameName) -> Ruled<E>,
    ) -> Result<Option<Change>, RedisError>
    where
        RedisError: From<E>,
    {
        let mut after = self.submission.clone();
        let entry = rule(&mut after, &self.same_name)?;
        if after == self.submission {
            return Ok(None);
        }
        let claim = match after.leased_until {
            None => Vec::new(),
            Some(_) if after.is_cancelling() => {
                String::from_utf8_lossy(&self.claim).replacen(" run ", " stop ", 1).into_bytes()
            }
            Some(_) => self.claim.clone(),
        };
        Ok(Some(Change {
            id: after.id,
            digest: self.digest.clone(),
            claim: self.claim.clone(),
            record: self.record.packed(&after, entry.as_ref())?,
            next_claim: claim,
            states: (self.submission.state, after.state),
            effect: after.effect_on_name(&self.submission),
            late: after.may_arrive_late(&self.submission).then_some(LATE_UPLOAD),
        }))
    }
}

/// The id of a submission whose dataset may be at the Platform. One that cannot be read blocks no other.
fn uploaded(record: Value) -> Option<SubmissionId> {
    let submission = RedisRecord::read(&bytes(record).ok()?).ok()?.submission;
    submission.is_maybe_at_platform().then_some(submission.id)
}

/// A decision that is to be saved.
struct Change {
    id: SubmissionId,
    digest: String,
    claim: Vec<u8>,
    record: Vec<u8>,
    next_claim: Vec<u8>,
    states: (State, State),
    effect: Option<NameEffect>,
    /// Time in which its upload may still arrive.
    late: Option<Duration>,
}

impl RedisStore {
    /// Changes a submission by a rule that an operator asked for.
    pub(super) async fn change(
        &self,
        id: SubmissionId,
        rule: impl Fn(&mut Submission, &SameName, Timestamp) -> Ruled<LifecycleError>,
    ) -> Result<(), RedisError> {
        self.know_clock().await?;
        for _ in 0..DECISIONS {
            let (now, mut inspected) = self.inspect(&[id]).await?;
            let inspected = inspected.pop().flatten().ok_or_else(|| RedisError::not_found(id))?;
            let inspected = inspected.map_err(|error| error.in_record_of(id))?;
            let change = inspected.decide(|submission, same_name| rule(submission, same_name, now));
            let Some(change) = change? else {
                // An earlier attempt may have changed it, and not been confirmed.
                return match &self.accepting {
                    Some(confirmed) => confirmed.confirm_earlier().await,
                    None => Ok(()),
                };
            };
            if self.save_durably(now, &[change]).await? == [true] {
                return Ok(());
            }
        }
        Err(RedisError::Late("other changes of the submission came first, again and again"))
    }

    /// Gives steps back that were not begun.
    pub(super) async fn give_back(&self, leases: &[Lease]) -> Result<(), RedisError> {
        for leases in leases.chunks(LEASES) {
            let mut open = leases.to_vec();
            for _ in 0..DECISIONS {
                if open.is_empty() {
                    break;
                }
                open = self.release_some(&open).await?;
            }
        }
        self.owned.forget(leases.iter().copied());
        Ok(())
    }

    /// Releases the steps that are still owned. Returns those that something else has changed.
    async fn release_some(&self, leases: &[Lease]) -> Result<Vec<Lease>, RedisError> {
        let ids: Vec<_> = leases.iter().map(|lease| lease.id).collect();
        let (now, inspected) = self.inspect(&ids).await?;
        let (mut changes, mut changed) = (Vec::new(), Vec::new());
        for (lease, inspected) in leases.iter().zip(inspected) {
            // Of a record that cannot be understood the lease runs out.
            let Some(Ok(inspected)) = inspected else { continue };
            if !inspected.claim.starts_with((lease_text(lease) + " ").as_bytes()) {
                continue;
            }
            match inspected.decide(|submission, _| submission.release(now)) {
                Ok(Some(change)) => {
                    changes.push(change);
                    changed.push(*lease);
                }
                Ok(None) => {}
                Err(error) => {
                    error!(submission.id = %lease.id, %error, "cannot release a step");
                }
            }
        }
        let saved = self.save(now, &changes, false).await?;
        Ok(changed.into_iter().zip(saved).filter(|(_, saved)| !saved).map(|(one, _)| one).collect())
    }

    /// Makes the steps due again whose lease has run out. One that something else changes meanwhile is left
    /// for the next call, and one that its worker renews to that worker.
    pub(super) async fn rescue_some(&self) -> Result<Rescued, RedisError> {
        if self.compare_clocks().await?.is_some() {
            return Ok(Rescued::default());
        }
        let script = &self.scripts.expired;
        let response = self.run(script, self.script_call(script).arg(BATCH)).await?;
        let [now, expired] = tuple(response)?;
        let now = time(now)?;
        let (mut changes, mut damaged) = (Vec::new(), Vec::new());
        for one in array(expired)? {
            let [id, packed, claim] = tuple(one)?;
            let (id, claim) = (lossy(id)?, bytes(claim)?);
            let inspected = Inspected::leased(&bytes(packed)?, claim.clone(), now);
            let decided = inspected.and_then(|one| one.decide(|s, _| s.rescue(now)));
            match decided {
                Ok(change) => changes.extend(change),
                Err(error) => {
                    error!(
                        submission.id = id,
                        %error,
                        "corrupt record, its step will not run: restore a backup or resubmit"
                    );
                    damaged.push((id, claim));
                }
            }
        }
        if !damaged.is_empty() {
            let script = &self.scripts.drop;
            let script_call = self
                .script_call(script)
                .each(&damaged, |script_call, (id, claim)| script_call.arg(id).arg(claim));
            self.run(script, script_call).await?;
        }
        let saved = self.save(now, &changes, true).await?;
        let mut rescued = Rescued::default();
        for (change, _) in changes.iter().zip(saved).filter(|(_, saved)| *saved) {
            rescued.count(change.states.0, change.states.1);
        }
        Ok(rescued)
    }

    /// Reads submissions; what is damaged costs itself alone.
    async fn inspect(
        &self,
        ids: &[SubmissionId],
    ) -> Result<(Timestamp, Vec<Option<Result<Inspected, RedisError>>>), RedisError> {
        let script = &self.scripts.inspect;
        let script_call =
            self.script_call(script).each(ids, |script_call, id| script_call.arg(id.to_string()));
        let [now, inspected] = tuple(self.run(script, script_call).await?)?;
        let now = time(now)?;
        let read = |value| Inspected::read(value, now).transpose();
        Ok((now, array(inspected)?.into_iter().map(read).collect()))
    }

    /// Writes what was decided at `now`; returns of each whether nothing else came first.
    /// What is `of_expired` leases counts only if their workers have not renewed them.
    async fn save(
        &self,
        now: Timestamp,
        changes: &[Change],
        of_expired: bool,
    ) -> Result<Vec<bool>, RedisError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        saved(self.run(&self.scripts.save, self.saving(now, changes, of_expired)).await?)
    }

    /// The same for what an operator was promised.
    async fn save_durably(
        &self,
        now: Timestamp,
        changes: &[Change],
    ) -> Result<Vec<bool>, RedisError> {
        saved(self.run_durably(&self.scripts.save, self.saving(now, changes, false)).await?)
    }

    fn saving(&self, now: Timestamp, changes: &[Change], of_expired: bool) -> ScriptCall {
        let script_call = self.call_at(&self.scripts.save, now).flag(of_expired);
        script_call.each(changes, |script_call, change| {
            script_call
                .arg(change.id.to_string())
                .arg(&change.digest)
                .arg(&change.claim)
                .arg(&change.record)
                .arg(&change.next_claim)
                .maybe(change.effect.map(NameEffect::as_str))
                .maybe(change.late.map(duration_millis))
        })
    }
}

fn saved(response: Value) -> Result<Vec<bool>, RedisError> {
    Ok(array(response)?.into_iter().map(|saved| saved == Value::Int(1)).collect())
}

impl From<LifecycleError> for RedisError {
    fn from(error: LifecycleError) -> Self {
        Self::Store(StoreError::NotAllowed(error))
    }
}

impl From<IllegalTransitionError> for RedisError {
    fn from(illegal: IllegalTransitionError) -> Self {
        LifecycleError::from(illegal).into()
    }
}
