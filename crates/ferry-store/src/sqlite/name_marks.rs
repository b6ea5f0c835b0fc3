//! Marks of names: the submission of a name whose dataset may be at the Platform unknown, and the one whose
//! upload may still arrive.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::SqliteError;
use super::records::{millis, value};
use ferry_types::domain::submission::{LATE_UPLOAD, LateUpload, NameEffect, Submission};
use ferry_types::domain::{SubmissionId, Timestamp, later, timestamp};

/// Applies the effect of a change of a submission.
pub(super) fn apply(
    connection: &Connection,
    of: &Submission,
    effect: NameEffect,
) -> Result<(), SqliteError> {
    let (name, id) = ([&of.account, &of.name], &of.id.to_string());
    let own = [name[0], name[1], id];
    let execute = |sql, parameters: &[&String]| {
        let parameters = rusqlite::params_from_iter(parameters);
        connection.prepare_cached(sql)?.execute(parameters)
    };
    match effect {
        NameEffect::Marks => execute("INSERT OR REPLACE INTO name_marks VALUES (?1, ?2, ?3)", &own),
        NameEffect::Settles => {
            execute("DELETE FROM name_marks WHERE account = ?1 AND name = ?2", &name)
        }
        NameEffect::SettlesOwn => execute(
            "DELETE FROM name_marks WHERE account = ?1 AND name = ?2 AND submission = ?3",
            &own,
        ),
    }?;
    Ok(())
}

/// Mark of the name of a submission.
pub(super) fn find(
    connection: &Connection,
    of: &Submission,
) -> Result<Option<SubmissionId>, SqliteError> {
    let sql = "SELECT submission FROM name_marks WHERE account = ?1 AND name = ?2";
    // A mark that cannot be read is one all the same.
    let mark = |row: &Row<'_>| Ok(value(row, 0).unwrap_or(of.id));
    let mark =
        connection.prepare_cached(sql)?.query_row([&of.account, &of.name], mark).optional()?;
    Ok(mark)
}

/// The upload of a submission may still arrive.
pub(super) fn set_late(
    connection: &Connection,
    of: &Submission,
    now: Timestamp,
) -> Result<(), SqliteError> {
    connection
        .prepare_cached("DELETE FROM late_uploads WHERE until <= ?1")?
        .execute([millis(now)])?;
    let sql = "INSERT OR REPLACE INTO late_uploads VALUES (?1, ?2, ?3, ?4)";
    let until = millis(later(now, LATE_UPLOAD));
    connection.prepare_cached(sql)?.execute(params![
        of.account,
        of.name,
        of.id.to_string(),
        until
    ])?;
    Ok(())
}

/// The upload of the name of a submission that may still arrive.
pub(super) fn late(
    connection: &Connection,
    of: &Submission,
) -> Result<Option<LateUpload>, SqliteError> {
    let sql = "SELECT submission, until FROM late_uploads WHERE account = ?1 AND name = ?2";
    // One that cannot be read is no longer than any other.
    let late = |row: &Row<'_>| {
        let until = row.get(1).map(timestamp).ok();
        Ok(value(row, 0).ok().zip(until).map(|(of, until)| LateUpload { of, until }))
    };
    let late =
        connection.prepare_cached(sql)?.query_row([&of.account, &of.name], late).optional()?;
    Ok(late.flatten())
}

/// Marks the name of a row that cannot be read, unless its upload never began. It may still arrive, too.
pub(super) fn mark_damaged(
    connection: &Connection,
    seq: i64,
    now: Timestamp,
) -> Result<(), SqliteError> {
    let until = millis(later(now, LATE_UPLOAD));
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO late_uploads SELECT account, name, id, ?2 FROM submissions
             WHERE seq = ?1 AND upload_attempts IS NOT 0",
        )?
        .execute([seq, until])?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO name_marks SELECT account, name, id FROM submissions
             WHERE seq = ?1 AND upload_attempts IS NOT 0",
        )?
        .execute([seq])?;
    Ok(())
}
