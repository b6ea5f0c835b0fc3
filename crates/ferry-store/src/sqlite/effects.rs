//! Effects of a transaction beside its rows: counts that change, events, and workers to wake once it is on the disk.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::error::SqliteError;
use super::events;
use crate::store_time::StoreTime;
use crate::{Event, Wakeups};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{State, StepKind, Submission};

/// Collected while a transaction runs.
#[derive(Debug)]
pub(super) struct Effects {
    time: StoreTime,
    moves: Vec<(String, State, i64)>,
    events: Vec<Event>,
    due: Vec<(StepKind, Timestamp)>,
    anything: bool,
}

/// A point to return to.
#[derive(Debug, Clone, Copy)]
pub(super) struct EffectsLen(usize, usize, usize);

impl Effects {
    /// Of a transaction that begins at this time.
    pub(super) fn at(time: StoreTime) -> Self {
        Self { time, moves: Vec::new(), events: Vec::new(), due: Vec::new(), anything: false }
    }

    /// The store's time at the beginning of the transaction.
    pub(super) fn now(&self) -> Timestamp {
        self.time.now
    }

    /// The same at an earlier time by the monotonic clock.
    pub(super) fn at_monotonic(&self, millis: i64) -> Timestamp {
        self.time.at_monotonic(millis)
    }

    /// Milliseconds by which the wall clock is ahead of it.
    pub(super) fn offset(&self) -> i64 {
        self.time.offset
    }

    /// A submission is in another state than before, perhaps.
    pub(super) fn moved(&mut self, submission: &Submission, before: State) {
        let s = submission;
        if s.state != before {
            self.counted(&s.account, before, -1);
            self.counted(&s.account, s.state, 1);
            self.append_event(s);
        }
    }

    fn append_event(&mut self, s: &Submission) {
        self.events.push(Event {
            cursor: 0,
            submission: s.id,
            account: s.account.clone(),
            name: s.name.clone(),
            state: s.state,
            reason: s.reason.as_ref().map(|reason| reason.code),
            at: s.updated_at,
        });
    }

    /// A submission was accepted.
    pub(super) fn accepted(&mut self, submission: &Submission) {
        self.counted(&submission.account, submission.state, 1);
        self.append_event(submission);
        self.waits(submission);
    }

    /// There are `more` submissions of `account` in `state`.
    pub(super) fn counted(&mut self, account: &str, state: State, more: i64) {
        self.moves.push((account.to_owned(), state, more));
    }

    /// A step will be due.
    fn scheduled(&mut self, kind: StepKind, due: Timestamp) {
        self.due.push((kind, due));
    }

    /// The step of a submission may be due, and no worker has it.
    pub(super) fn waits(&mut self, submission: &Submission) {
        if let (Some(kind), Some(due)) = (submission.step, submission.due_at)
            && submission.leased_until.is_none()
            && !submission.has_predecessor
        {
            self.scheduled(kind, due);
        }
    }

    /// Anything may be due.
    pub(super) fn wake_all(&mut self) {
        self.anything = true;
    }

    pub(super) fn mark(&self) -> EffectsLen {
        EffectsLen(self.moves.len(), self.due.len(), self.events.len())
    }

    /// Forgets what came after the mark. Workers that are woken for nothing do no harm.
    pub(super) fn rewind(&mut self, mark: EffectsLen) {
        self.moves.truncate(mark.0);
        self.due.truncate(mark.1);
        self.events.truncate(mark.2);
    }

    /// Writes the events, and the counts that changed.
    pub(super) fn save(&self, connection: &Connection) -> Result<(), SqliteError> {
        for event in &self.events {
            events::append(connection, event)?;
        }
        let mut sums: HashMap<(&str, State), i64> = HashMap::new();
        for (account, state, more) in &self.moves {
            *sums.entry((account, *state)).or_default() += more;
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO counts VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET submissions = submissions + excluded.submissions",
        )?;
        for ((account, state), more) in sums.into_iter().filter(|(_, more)| *more != 0) {
            statement.execute(params![account, state.as_str(), more])?;
        }
        Ok(())
    }

    /// Wakes the workers that have something new to do.
    pub(super) fn wake(&self, wakeups: &Wakeups) {
        if self.anything {
            wakeups.all();
        }
        for (kind, due) in &self.due {
            wakeups.scheduled(*kind, *due);
        }
    }
}
