//! The submissions, and what changes them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::events::KEPT;
use crate::fair::RoundRobin;
use crate::store_time::StoredTime;
use crate::{
    Accepted, BATCH, ClaimId, Commit, Committed, Event, Lease, MOST_PROCESSES, NewSubmission,
    POSTPONED, Payload, Rescued, SILENT_LISTED, Standing, StoreError, StoredProcess, TIMELINE,
};
use ferry_types::domain::account::{Health, HealthPolicy};
use ferry_types::domain::limits::LimitUsage;
use ferry_types::domain::outcome::Content;
use ferry_types::domain::submission::{
    IllegalTransitionError, LATE_UPLOAD, LateUpload, NameEffect, Ruled, SameName, State, StepKind,
    Submission, SubmissionParts, TimelineEntry,
};
use ferry_types::domain::{Heartbeat, SubmissionId, Timestamp, earlier, later, until};

#[derive(Debug, Clone, Default)]
pub(super) struct Data {
    pub(super) seq: u64,
    /// By the order of acceptance.
    pub(super) rows: BTreeMap<u64, Row>,
    pub(super) seqs: BTreeMap<SubmissionId, u64>,
    /// Those of each account.
    pub(super) by_account: BTreeMap<String, BTreeSet<u64>>,
    /// Those of each account and name.
    names: BTreeMap<(String, String), BTreeSet<u64>>,
    /// By account and name, the submission whose dataset may be at the Platform unknown.
    pub(super) marks: BTreeMap<(String, String), SubmissionId>,
    /// By account and name, the upload that may still arrive, or might once.
    pub(super) late: BTreeMap<(String, String), LateUpload>,
    pub(super) accounts: BTreeMap<String, MemoryAccount>,
    pub(super) turns: RoundRobin,
    pub(super) events: VecDeque<Event>,
    pub(super) newest: u64,
    /// Earlier epochs, newest first; the current one is their number.
    past_epochs: Vec<String>,
    /// Loss that a process reported and no operator has acknowledged yet.
    pub(super) lost: Option<String>,
    pub(super) time: StoredTime,
    /// Processes by id, each with its last heartbeat.
    pub(super) processes: BTreeMap<String, (Timestamp, Heartbeat)>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) submission: Submission,
    pub(super) fence: u64,
    pub(super) claimed_by: ClaimId,
    /// Beside the submission, since a renewal is not a rule of its life.
    pub(super) leased_until: Option<Timestamp>,
    pub(super) payload: Payload,
    pub(super) contents: BTreeMap<String, Content>,
    pub(super) timeline: Vec<TimelineEntry>,
    digest: String,
    idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct MemoryAccount {
    pub(super) health: Health,
    pub(super) limit_usage: LimitUsage,
}

impl Data {
    pub(super) fn beat(&mut self, heartbeat: Heartbeat, now: Timestamp) {
        let silent = earlier(now, SILENT_LISTED);
        self.processes.insert(heartbeat.id.clone(), (now, heartbeat));
        self.processes.retain(|_, (at, _)| *at >= silent);
        while self.processes.len() > MOST_PROCESSES {
            let oldest = self.processes.iter().min_by_key(|(_, (at, _))| *at);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else { return };
            self.processes.remove(&oldest);
        }
    }

    pub(super) fn processes(&self, now: Timestamp) -> Vec<StoredProcess> {
        let shown = |(at, heartbeat): &(Timestamp, Heartbeat)| StoredProcess {
            heartbeat: heartbeat.clone(),
            at: *at,
            age: until(*at, now),
        };
        let mut processes: Vec<_> = self.processes.values().map(shown).collect();
        processes.sort_by_key(|process| Reverse(process.at));
        processes
    }
}

impl Row {
    /// The submission, with the end of a lease that was renewed.
    pub(super) fn shown(&self) -> Submission {
        let leased_until = self.submission.leased_until.and(self.leased_until);
        SubmissionParts { leased_until, ..self.submission.clone().into_parts() }.into()
    }
}

impl Data {
    pub(super) fn epoch(&self) -> String {
        format!("{:016x}", self.past_epochs.len())
    }

    /// Takes the store as it is, under a new epoch.
    pub(super) fn renew_epoch(&mut self) {
        self.past_epochs.insert(0, self.epoch());
        self.lost = None;
    }

    /// Identifies the history, with the event at `number`.
    pub(super) fn standing(&self, number: u64) -> Standing {
        let content = |Event { submission, state, at, .. }: &Event| {
            format!("{submission} {state} {}", at.timestamp_millis())
        };
        let requested = self.events.binary_search_by_key(&number, |event| event.cursor);
        let requested = requested.ok().and_then(|position| self.events.get(position));
        let standing = Standing {
            event: self.events.back().map(content).unwrap_or_default(),
            requested: requested.map(content),
            reported: self.lost.clone(),
            ..Standing::default()
        };
        let epochs = [vec![self.epoch()], self.past_epochs.clone()].concat();
        standing.with_epochs(&epochs.join(" "), self.newest)
    }

    pub(super) fn seq_of(&self, id: SubmissionId) -> Option<u64> {
        self.seqs.get(&id).copied()
    }

    pub(super) fn row(&self, id: SubmissionId) -> Option<&Row> {
        self.rows.get(&self.seq_of(id)?)
    }

    /// The row that `lease` still owns.
    pub(super) fn owned_row(&mut self, lease: &Lease) -> Option<&mut Row> {
        let row = self.rows.get_mut(self.seqs.get(&lease.id)?)?;
        let is_owned = row.fence == lease.fence
            && row.claimed_by == lease.claimed_by
            && row.submission.step == Some(lease.kind)
            && row.submission.leased_until.is_some();
        is_owned.then_some(row)
    }

    pub(super) fn spoil(&mut self, id: SubmissionId, change: impl FnOnce(&mut SubmissionParts)) {
        let seq = self.seq_of(id);
        if let Some(row) = seq.and_then(|seq| self.rows.get_mut(&seq)) {
            let mut parts = row.submission.clone().into_parts();
            change(&mut parts);
            row.submission = parts.into();
        }
    }

    /// Those of the same account and name that are not final.
    pub(super) fn unfinished(&self, of: &Submission) -> impl Iterator<Item = (u64, SubmissionId)> {
        let same = self.of_name(of).filter(|(_, s)| !s.state.is_final());
        same.map(|(seq, s)| (seq, s.id))
    }

    /// Those of the same account and name, in their order.
    fn of_name(&self, of: &Submission) -> impl Iterator<Item = (u64, &Submission)> {
        let seqs = self.names.get(&(of.account.clone(), of.name.clone()));
        let seqs = seqs.into_iter().flatten();
        seqs.filter_map(|seq| Some((*seq, &self.rows.get(seq)?.submission)))
    }

    pub(super) fn same_name(&self, seq: u64) -> SameName {
        let Some(row) = self.rows.get(&seq) else { return SameName::default() };
        let of = &row.submission;
        let find = |matches: &dyn Fn(u64) -> bool| {
            self.unfinished(of).find(|(seq, _)| matches(*seq)).map(|(_, id)| id)
        };
        let mut newer = self.of_name(of).filter(|(other, _)| *other > seq).map(|(_, s)| s);
        SameName {
            predecessor: find(&|other| other < seq),
            newer_unfinished: find(&|other| other > seq),
            newer_uploaded: newer.find(|s| s.is_maybe_at_platform()).map(|s| s.id),
        }
    }

    pub(super) fn accept(
        &mut self,
        new: &NewSubmission,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let digest = new.digest();
        let known = new.idempotency_key.as_ref().and_then(|key| {
            let mut of_account = self.rows.values().filter(|r| r.submission.account == new.account);
            of_account.find(|row| row.idempotency_key.as_ref() == Some(key))
        });
        if let Some(known) = known {
            let id = known.submission.id;
            let same = known.digest == digest;
            return Ok(if same { Accepted::Duplicate(id) } else { Accepted::Conflict(id) });
        }
        if self.seqs.contains_key(&new.id) {
            return Err(StoreError::Taken(new.id));
        }
        let first = new.submission(now, false);
        let has_predecessor = self.unfinished(&first).next().is_some();
        let submission = new.submission(now, has_predecessor);
        self.seq += 1;
        self.seqs.insert(new.id, self.seq);
        let name = (new.account.clone(), new.name.clone());
        self.names.entry(name).or_default().insert(self.seq);
        self.by_account.entry(new.account.clone()).or_default().insert(self.seq);
        self.accounts.entry(new.account.clone()).or_default();
        self.append_event(&submission);
        let timeline = vec![submission.acceptance()];
        let row = Row {
            submission,
            fence: 0,
            claimed_by: ClaimId::default(),
            leased_until: None,
            payload: new.payload.clone(),
            contents: BTreeMap::new(),
            timeline,
            digest,
            idempotency_key: new.idempotency_key.clone(),
        };
        self.rows.insert(self.seq, row);
        Ok(Accepted::New(new.id))
    }

    /// The upload of the name of a submission that may still arrive.
    pub(super) fn late(&self, of: &Submission) -> Option<LateUpload> {
        self.late.get(&(of.account.clone(), of.name.clone())).copied()
    }

    /// Changes a submission by a rule. Returns the states before and after.
    pub(super) fn apply<E>(
        &mut self,
        seq: u64,
        now: Timestamp,
        rule: impl FnOnce(&mut Submission) -> Ruled<E>,
    ) -> Result<Option<(State, State)>, E> {
        let Some(row) = self.rows.get_mut(&seq) else { return Ok(None) };
        let mut after = row.submission.clone();
        let entry = rule(&mut after)?;
        let before = std::mem::replace(&mut row.submission, after.clone());
        let effect = after.effect_on_name(&before);
        if after.may_arrive_late(&before) {
            let late = LateUpload { of: after.id, until: later(now, LATE_UPLOAD) };
            self.late.insert((after.account.clone(), after.name.clone()), late);
        }
        let before = before.state;
        row.timeline.extend(entry);
        if row.timeline.len() > TIMELINE {
            row.timeline.remove(1);
        }
        if after.state != before {
            self.append_event(&after);
        }
        self.mark(&after, effect);
        if after.state.is_final() && !before.is_final() {
            self.follow_next(&after);
        }
        Ok(Some((before, after.state)))
    }

    fn mark(&mut self, of: &Submission, effect: Option<NameEffect>) {
        let name = (of.account.clone(), of.name.clone());
        match effect {
            None => {}
            Some(NameEffect::Marks) => drop(self.marks.insert(name, of.id)),
            Some(NameEffect::SettlesOwn) if self.marks.get(&name) != Some(&of.id) => {}
            Some(NameEffect::Settles | NameEffect::SettlesOwn) => drop(self.marks.remove(&name)),
        }
    }

    /// The next submission of the name has its turn.
    fn follow_next(&mut self, ended: &Submission) {
        let next = self.unfinished(ended).next();
        if let Some(row) = next.and_then(|(seq, _)| self.rows.get_mut(&seq))
            && row.submission.has_predecessor
        {
            row.submission.follow(ended.updated_at);
        }
    }

    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        policy: &HealthPolicy,
        now: Timestamp,
    ) -> Committed {
        let Some(seq) = self.seq_of(commit.lease.id) else { return Committed::Stale };
        let transition = &commit.transition;
        let committed = match self.owned_row(&commit.lease) {
            None => Committed::Stale,
            Some(_) => match self.apply(seq, now, |submission| submission.apply(transition, now)) {
                Ok(states) => {
                    states.map_or(Committed::Stale, |(from, to)| Committed::Done(from, to))
                }
                Err(illegal) => Committed::Illegal(illegal),
            },
        };
        let is_done = matches!(committed, Committed::Done(..));
        if let Some(row) = self.rows.get_mut(&seq) {
            if is_done {
                row.contents.extend(transition.contents.iter().cloned());
            }
            if is_done || transition.signal.outlives_its_step() {
                let account = self.accounts.entry(row.submission.account.clone()).or_default();
                account.health.record(&transition.signal, commit.lease.kind, now, policy);
            }
        }
        committed
    }

    pub(super) fn rescue(&mut self, now: Timestamp) -> Result<Rescued, IllegalTransitionError> {
        let is_lost = |row: &Row| {
            row.submission.leased_until.is_some() && row.leased_until.is_some_and(|end| end < now)
        };
        let lost = self.rows.iter().filter(|(_, row)| is_lost(row)).map(|(seq, _)| *seq);
        let mut rescued = Rescued::default();
        for seq in lost.take(BATCH).collect::<Vec<_>>() {
            if let Some((before, after)) =
                self.apply(seq, now, |submission| submission.rescue(now))?
            {
                rescued.count(before, after);
            }
        }
        Ok(rescued)
    }

    /// Starts that producers named are by the wall clock, which just stepped. The end of a wait for a late
    /// upload is none.
    pub(super) fn move_starts(&mut self, step: i64, now: Timestamp) {
        for row in self.rows.values_mut() {
            let name = (row.submission.account.clone(), row.submission.name.clone());
            let late = self.late.get(&name).map(|late| late.until);
            if late.is_none_or(|late| row.submission.due_at != Some(late)) {
                row.submission.move_start(step, now);
            }
        }
    }

    /// Makes the polls and fetches of an account due that the Platform postponed; returns how many.
    pub(super) fn bring_forward(&mut self, account: &str, now: Timestamp) -> usize {
        let postponed = later(now, POSTPONED);
        let is_postponed = |s: &Submission| {
            s.account == account
                && s.leased_until.is_none()
                && matches!(s.step, Some(StepKind::Poll | StepKind::Collect))
                && s.due_at.is_some_and(|due| due > postponed)
        };
        let mut moved = 0;
        for row in self.rows.values_mut().filter(|row| is_postponed(&row.submission)) {
            row.submission.bring_forward(now);
            moved += 1;
        }
        moved
    }

    pub(super) fn sweep(&mut self, retention: Duration, now: Timestamp) -> u64 {
        let duration = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let before =
            ferry_types::domain::timestamp(now.timestamp_millis().saturating_sub(duration));
        let is_old = |row: &Row| row.submission.finished_at.is_some_and(|at| at < before);
        let mut old: Vec<_> = self.rows.iter().filter(|(_, row)| is_old(row)).collect();
        old.sort_by_key(|(_, row)| row.submission.finished_at);
        let old: Vec<u64> = old.into_iter().take(BATCH).map(|(seq, _)| *seq).collect();
        for seq in &old {
            self.forget(*seq);
        }
        while self.events.len() > 1 && self.events.front().is_some_and(|event| event.at < before) {
            self.events.pop_front();
        }
        old.len() as u64
    }

    fn forget(&mut self, seq: u64) {
        let Some(row) = self.rows.remove(&seq) else { return };
        self.seqs.remove(&row.submission.id);
        let name = (row.submission.account.clone(), row.submission.name.clone());
        if let Some(seqs) = self.names.get_mut(&name) {
            seqs.remove(&seq);
        }
        if let Some(seqs) = self.by_account.get_mut(&row.submission.account) {
            seqs.remove(&seq);
        }
    }

    /// Removes a batch that was not accepted as a whole: submissions after `seq`, and their events.
    pub(super) fn forget_after(&mut self, seq: u64) {
        let new: Vec<u64> = self.rows.range(seq + 1..).map(|(seq, _)| *seq).collect();
        for seq in &new {
            self.forget(*seq);
        }
        self.events.truncate(self.events.len() - new.len());
        (self.seq, self.newest) = (seq, self.newest - new.len() as u64);
    }

    /// Appends an event.
    pub(super) fn append_event(&mut self, submission: &Submission) {
        self.newest += 1;
        self.events.push_back(Event {
            cursor: self.newest,
            submission: submission.id,
            account: submission.account.clone(),
            name: submission.name.clone(),
            state: submission.state,
            reason: submission.reason.as_ref().map(|reason| reason.code),
            at: submission.updated_at,
        });
        if self.events.len() as u64 > KEPT {
            self.events.pop_front();
        }
    }
}
