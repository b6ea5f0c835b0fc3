//! What a transaction brings about beside its rows: counts that change, and workers to wake once it
//! is on the disk.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::fault::Fault;
use crate::domain::Timestamp;
use crate::domain::submission::{State, StepKind};
use crate::store::Wakeups;

/// Collected while a transaction runs.
#[derive(Debug, Default)]
pub(super) struct Effects {
    moves: Vec<(String, State, i64)>,
    due: Vec<(StepKind, Timestamp)>,
    anything: bool,
}

/// A point to return to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize, usize);

impl Effects {
    /// A submission of `account` went from one state to another.
    pub(super) fn moved(&mut self, account: &str, from: State, to: State) {
        if from != to {
            self.counted(account, from, -1);
            self.counted(account, to, 1);
        }
    }

    /// There are `more` submissions of `account` in `state`.
    pub(super) fn counted(&mut self, account: &str, state: State, more: i64) {
        self.moves.push((account.to_owned(), state, more));
    }

    /// A step will be due.
    pub(super) fn scheduled(&mut self, kind: StepKind, due: Timestamp) {
        self.due.push((kind, due));
    }

    /// Anything may be due.
    pub(super) fn wake_all(&mut self) {
        self.anything = true;
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.moves.len(), self.due.len())
    }

    /// Forgets what came after the mark. Workers that are woken for nothing do no harm.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.moves.truncate(mark.0);
        self.due.truncate(mark.1);
    }

    /// Writes the counts that changed.
    pub(super) fn save_counts(&self, connection: &Connection) -> Result<(), Fault> {
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
