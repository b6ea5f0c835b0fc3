//! Changes of a submission, the order of those of its name, and rows that cannot be read.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use tracing::error;

use super::effects::Effects;
use super::error::SqliteError;
use super::name_marks;
use super::records::{COLUMNS, SqliteRecord, append, cold, millis};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{Ruled, State, StepKind, Submission};

/// All records that `statement` yields, but those that cannot be read, which are set aside.
pub(super) fn records(
    connection: &Connection,
    effects: &mut Effects,
    statement: &mut CachedStatement<'_>,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SqliteRecord>, SqliteError> {
    let mut rows = statement.query(parameters)?;
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        match SqliteRecord::from_row(row) {
            Ok(record) => records.push(record),
            Err(error) if error.is_of_a_row() => damaged.push((row.get::<_, i64>(0)?, error)),
            Err(error) => return Err(error),
        }
    }
    drop(rows);
    for (seq, error) in damaged {
        set_aside(connection, effects, seq, &error)?;
    }
    Ok(records)
}

impl SqliteRecord {
    /// Changes the submission by a rule, and writes what follows from it.
    pub(super) fn change<E>(
        mut self,
        connection: &Connection,
        effects: &mut Effects,
        rule: impl FnOnce(&mut Submission) -> Ruled<E>,
    ) -> Result<State, SqliteError>
    where
        SqliteError: From<E>,
    {
        let before = self.submission.clone();
        let entry = rule(&mut self.submission)?;
        if let Some(entry) = entry {
            append(connection, self.seq, &entry)?;
        }
        if self.submission != before {
            self.save(before.state, connection, effects)?;
            if let Some(effect) = self.submission.effect_on_name(&before) {
                name_marks::apply(connection, &self.submission, effect)?;
            }
            if self.submission.may_arrive_late(&before) {
                name_marks::set_late(connection, &self.submission, effects.now())?;
            }
        }
        Ok(self.submission.state)
    }

    /// Writes what may have changed since it was loaded in state `before`, and gives the name to the next
    /// submission if this one has ended.
    fn save(
        &self,
        before: State,
        connection: &Connection,
        effects: &mut Effects,
    ) -> Result<(), SqliteError> {
        let s = &self.submission;
        // A column that is named is indexed again, even if it stays the same.
        let state = if s.state == before { "" } else { "state = ?1, " };
        let has_ended = s.state.is_final() && s.state != before;
        let ended = if !has_ended && s.state.is_final() == before.is_final() {
            ""
        } else {
            "finished_at = ?2, has_predecessor = ?3, "
        };
        let sql = format!(
            "UPDATE submissions SET {state}{ended}upload_attempts = ?4, updated_at = ?5, deadline = ?6,
                 step = ?7, due_at = ?8, leased_until = ?9, cold = ?10
             WHERE seq = ?11"
        );
        connection.prepare_cached(&sql)?.execute(params![
            s.state.as_str(),
            s.finished_at.map(millis),
            s.has_predecessor,
            s.upload_attempts,
            millis(s.updated_at),
            millis(s.deadline),
            s.step.map(StepKind::as_str),
            s.due_at.map(millis),
            s.leased_until.map(millis),
            cold(s),
            self.seq,
        ])?;
        effects.moved(s, before);
        effects.waits(s);
        if s.state.is_final() && !before.is_final() {
            follow_next(connection, effects, &s.account, &s.name, s.updated_at)?;
        }
        Ok(())
    }
}

/// Value of `has_predecessor` of a row that was set aside.
const SET_ASIDE: i64 = -1;

/// First submission of a name that is not final, and blocks those that come after it.
pub(super) enum First {
    /// There is none.
    Nothing,
    /// It can be read.
    Readable(Box<SqliteRecord>),
    /// It cannot be read, and a worker may be running its step.
    Running,
}

/// The first unfinished submission of the name. Rows before it that cannot be read are set aside.
pub(super) fn first(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
    name: &str,
) -> Result<First, SqliteError> {
    let sql = [
        "SELECT ",
        COLUMNS,
        " FROM submissions s INDEXED BY unfinished
          WHERE s.account = ?1 AND s.name = ?2 AND s.finished_at IS NULL AND s.has_predecessor >= 0
          ORDER BY s.seq LIMIT 1",
    ]
    .concat();
    loop {
        let read = |row: &Row<'_>| {
            let is_leased = row.get_ref("leased_until")?.as_i64_or_null().unwrap_or_default();
            Ok((row.get::<_, i64>(0)?, is_leased.is_some(), SqliteRecord::from_row(row)))
        };
        let found = connection.prepare_cached(&sql)?.query_row([account, name], read).optional()?;
        match found {
            None => return Ok(First::Nothing),
            Some((_, _, Ok(record))) => return Ok(First::Readable(Box::new(record))),
            Some((_, true, Err(error))) if error.is_of_a_row() => return Ok(First::Running),
            Some((seq, _, Err(error))) if error.is_of_a_row() => {
                put_aside(connection, effects, seq, &error)?;
            }
            Some((_, _, Err(error))) => return Err(error),
        }
    }
}

/// The earliest submission of the name that waited for another one has its turn.
pub(super) fn follow_next(
    connection: &Connection,
    effects: &mut Effects,
    account: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let First::Readable(mut next) = first(connection, effects, account, name)? else {
        return Ok(());
    };
    if next.submission.has_predecessor {
        next.submission.follow(now);
        let sql = "UPDATE submissions SET has_predecessor = 0, due_at = ?2 WHERE seq = ?1";
        let due = next.submission.due_at.map(millis);
        connection.prepare_cached(sql)?.execute(params![next.seq, due])?;
        effects.waits(&next.submission);
    }
    Ok(())
}

/// Takes a row that cannot be read out of the way of all others: its step will not run, and the next
/// submission of its name has its turn.
pub(super) fn set_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    error: &SqliteError,
) -> Result<(), SqliteError> {
    put_aside(connection, effects, seq, error)?;
    let mut statement =
        connection.prepare_cached("SELECT account, name FROM submissions WHERE seq = ?1")?;
    let name = statement.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)));
    match name.map_err(SqliteError::from) {
        Ok((account, name)) => {
            let (account, name): (String, String) = (account, name);
            let now = effects.now();
            follow_next(connection, effects, &account, &name, now)
        }
        // Those that wait for it have a name of their own, and are not found by this one.
        Err(error) if error.is_of_a_row() => Ok(()),
        Err(error) => Err(error),
    }
}

fn put_aside(
    connection: &Connection,
    effects: &mut Effects,
    seq: i64,
    error: &SqliteError,
) -> Result<(), SqliteError> {
    let sql = "SELECT id FROM submissions WHERE seq = ?1";
    let id = connection.prepare_cached(sql)?.query_row([seq], |row| row_id(row, 0, seq))?;
    error!(
        submission.id = id,
        %error,
        "corrupt record, its step will not run, and the next submission of its name has its turn: \
         restore a backup or resubmit"
    );
    name_marks::mark_damaged(connection, seq, effects.now())?;
    let sql = "UPDATE submissions SET due_at = NULL, leased_until = NULL, has_predecessor = ?2
         WHERE seq = ?1";
    connection.prepare_cached(sql)?.execute([seq, SET_ASIDE])?;
    effects.wake_all();
    Ok(())
}

/// The id of a row that may be damaged, for people.
pub(super) fn row_id(row: &Row<'_>, column: usize, seq: i64) -> rusqlite::Result<String> {
    let id = row.get_ref(column)?.as_str().map(str::to_owned);
    Ok(id.unwrap_or_else(|_| format!("in row {seq}")))
}
