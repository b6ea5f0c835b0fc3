//! Marks of names: the submission of a name whose dataset may be at the Platform unknown.

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::SqliteError;
use super::records::value;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{NameEffect, Submission};

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

/// Marks the name of a row that cannot be read, unless its upload never began.
pub(super) fn mark_damaged(connection: &Connection, seq: i64) -> Result<(), SqliteError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO name_marks SELECT account, name, id FROM submissions
             WHERE seq = ?1 AND upload_attempts IS NOT 0",
        )?
        .execute([seq])?;
    Ok(())
}
