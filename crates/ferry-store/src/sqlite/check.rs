//! Checks an open file.

use super::error::SqliteError;
use super::read::RecordReader;
use crate::CheckResult;

/// Reports whether the file is whole, and, of one that is written, whether its journal is the right one.
pub(super) fn check(
    reader: &RecordReader<'_>,
    is_written: bool,
) -> Result<Vec<CheckResult>, SqliteError> {
    let text =
        |pragma: &str| reader.connection.query_row(pragma, [], |row| row.get::<_, String>(0));
    let whole = text("PRAGMA quick_check(1)")?;
    let mode = text("PRAGMA journal_mode")?;
    let is_whole = CheckResult {
        ok: whole == "ok",
        text: format!("the file is whole: {whole}"),
        hint: (whole != "ok").then(|| {
            "stop all workers, and restore the file from a backup or repair it with sqlite3's \
             `.recover`"
                .to_owned()
        }),
    };
    let is_synced = CheckResult {
        ok: mode == "wal",
        text: format!("every accepted submission is synced to the disk (journal: {mode})"),
        hint: (mode != "wal").then(|| "another program changed the file's journal mode".to_owned()),
    };
    Ok([is_whole].into_iter().chain(is_written.then_some(is_synced)).collect())
}
