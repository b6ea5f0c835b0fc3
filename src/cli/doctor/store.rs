//! Checks the store, and the accounts as it knows them. Each problem is one line, and the next check
//! follows.

use std::path::Path;

use super::finding::{bad, good, store_failed};
use crate::app::App;
use crate::config::{Config, StoreLocation};
use crate::words::counted;
use ferry_store::sqlite::{free_space, log_without_file};
use ferry_store::{CheckResult, Cursor, Filter, Store, StoreError, SubmissionDetail};
use ferry_types::domain::account::{Admission, BlockReason};
use ferry_types::domain::submission::State;

/// Submissions of one page.
const PAGE: usize = 200;

/// Submissions whose records are read, the newest.
const READ: usize = 20_000;

/// Submissions whose datasets are read, the newest, and the bytes of CSV after which no further page is.
const DATASETS: usize = 2000;
const DATASET_BYTES: u64 = 256 << 20;

/// Damaged records that are reported one by one.
const REPORTED: usize = 20;

/// Reports an SQLite file that is not there: to open it would create it.
pub(super) fn missing(config: &Config) -> Option<CheckResult> {
    let StoreLocation::Sqlite(path) = &config.store else { return None };
    let path = Path::new(path);
    if path.exists() {
        return None;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let shown = path.display();
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let text = format!("the store `{shown}` has no folder `{}`", folder.display());
        return Some(bad(&text, "create the folder, or correct `store`"));
    }
    if let Some(log) = log_without_file(path) {
        let text =
            format!("the store `{shown}` was deleted: its log `{}` is still there", log.display());
        return Some(bad(
            &text,
            "create no new store: a process may have the old file open, and docs/operations/backup.md \
             says how to get it back; \
             or take the loss with `--acknowledge`",
        ));
    }
    Some(CheckResult {
        hint: Some(
            "`ferry serve`, `ferry worker` and `ferry submit` create it; otherwise correct `store`"
                .to_owned(),
        ),
        ..good(format!("the store `{shown}` does not exist yet"))
    })
}

/// Reports the free space beside an SQLite file.
pub(super) fn space(config: &Config) -> Option<CheckResult> {
    match &config.store {
        StoreLocation::Sqlite(path) => free_space(Path::new(path)),
        StoreLocation::Redis(..) => None,
    }
}

/// Declares every unfinished submission ambiguous, and failed ones that a retry would upload; returns
/// how many were not before.
pub(super) async fn declare_ambiguous(store: &dyn Store) -> Result<u64, StoreError> {
    let states = State::ALL.into_iter().filter(|s| !s.is_final() || *s == State::Failed).collect();
    let filter = Filter { states, ..Filter::default() };
    let (mut declared, mut cursor) = (0, None);
    loop {
        let page = store.list(&filter, cursor, PAGE).await?;
        for found in page.found.iter().filter(|found| !found.submission.upload_ambiguous) {
            match store.declare_ambiguous(found.submission.id).await {
                Ok(after) => declared += u64::from(after.submission.upload_ambiguous),
                // Removed, or damaged, meanwhile: the checks report it.
                Err(StoreError::NotFound(_) | StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(declared);
        }
    }
}

/// Runs all checks of a store that is open.
pub(super) async fn check(app: &App) -> Vec<CheckResult> {
    // A store that cannot be read fails every other check for the same reason.
    if let Err(error) = app.store.stats().await {
        return vec![store_failed(&error)];
    }
    let store = app.store.as_ref();
    let checks = [
        store.check().await,
        store.probe_write().await.map(|()| vec![good("the store takes writes".to_owned())]),
        damaged(store).await,
        datasets(store).await,
        history(store).await,
        accounts(app).await,
    ];
    let failed = |error| vec![store_failed(&error)];
    let found = checks.into_iter().flat_map(|found| found.unwrap_or_else(failed));
    let mut found: Vec<_> = found.collect();
    // What fails several checks is one problem.
    found.dedup_by(|next, found| next.text == found.text);
    found
}

/// Reads the records of the newest submissions, and reports those that are damaged.
async fn damaged(store: &dyn Store) -> Result<Vec<CheckResult>, StoreError> {
    let (mut read, mut found, mut cursor) = (0, Vec::new(), None);
    loop {
        let page = store.list(&Filter::default(), cursor, PAGE).await?;
        read += page.found.len() + page.damaged.len();
        found.extend(page.damaged);
        cursor = page.next;
        if cursor.is_none() || read >= READ {
            break;
        }
    }
    let scope = scope(read, cursor);
    if found.is_empty() {
        return Ok(vec![good(format!("the records of {scope} can be read"))]);
    }
    let hint = "restore a backup, or submit its dataset again; all other submissions are unharmed";
    let mut findings: Vec<CheckResult> =
        found.iter().take(REPORTED).map(|record| bad(&record.to_string(), hint)).collect();
    if let Some(more) = found.len().checked_sub(REPORTED).filter(|more| *more > 0) {
        let text = format!("{more} more records of {scope} are damaged");
        findings.push(bad(&text, "`ferry list --all` names them"));
    }
    Ok(findings)
}

/// Reads the datasets of the newest submissions, and reports those that are damaged.
async fn datasets(store: &dyn Store) -> Result<Vec<CheckResult>, StoreError> {
    let (mut read, mut bytes, mut found, mut cursor) = (0, 0, Vec::new(), None);
    let cursor = loop {
        let page = store.list(&Filter::default(), cursor, PAGE).await?;
        for SubmissionDetail { submission, .. } in page.found {
            read += 1;
            bytes += submission.payload_bytes;
            match store.payload(submission.id).await {
                Ok(_) => {}
                Err(StoreError::Damaged { id, cause }) => {
                    found.push(format!("the dataset of submission {id} is damaged: {cause}"));
                }
                // Retention may have removed what was finished since the list was read.
                Err(StoreError::NotFound(_)) if submission.state.is_final() => {}
                Err(StoreError::NotFound(id)) => {
                    found.push(format!("the dataset of submission {id} is missing"));
                }
                Err(error) => return Err(error),
            }
        }
        if page.next.is_none() || read >= DATASETS || bytes >= DATASET_BYTES {
            break page.next;
        }
        cursor = page.next;
    };
    let scope = scope(read, cursor);
    if found.is_empty() {
        return Ok(vec![good(format!("the datasets of {scope} can be read"))]);
    }
    let hint = "restore a backup, or submit the dataset again: `ferry resubmit ID FILE`";
    let mut findings: Vec<_> = found.iter().take(REPORTED).map(|text| bad(text, hint)).collect();
    if let Some(more) = found.len().checked_sub(REPORTED).filter(|more| *more > 0) {
        findings.push(bad(&format!("{more} more datasets of {scope} are damaged"), hint));
    }
    Ok(findings)
}

fn scope(read: usize, cursor: Option<Cursor>) -> String {
    match cursor {
        Some(_) => format!("the newest {read} submissions, and not of older ones,"),
        None => counted(read as u64, "submission"),
    }
}

/// Reports the newest event, and a loss that a process detected.
async fn history(store: &dyn Store) -> Result<Vec<CheckResult>, StoreError> {
    let standing = store.look().await?;
    let newest = match standing.newest {
        newest if newest.epoch.is_empty() => "the store never had an event".to_owned(),
        newest => format!("the newest event of the store is `{newest}`"),
    };
    let loss = standing.reported.map(|loss| {
        let hint = "decide which data counts, as docs/operations/backup.md says under `After a loss`; after a restore add `--after-restore --acknowledge`, otherwise `--acknowledge`";
        bad(&format!("a process reported: {loss}"), hint)
    });
    Ok([good(newest)].into_iter().chain(loss).collect())
}

/// Reports accounts that are paused, or not configured here.
async fn accounts(app: &App) -> Result<Vec<CheckResult>, StoreError> {
    let mut findings = Vec::new();
    let now = app.clock.now();
    let configured = app.config.account_names();
    for stats in app.store.stats().await?.accounts {
        let name = &stats.account;
        let unfinished = stats.states.iter().any(|(state, _)| !state.is_final());
        if unfinished && !configured.is_empty() && !configured.contains(name) {
            findings.push(bad(
                &format!("the store has unfinished submissions of account `{name}`, which is not configured here"),
                "run a worker that has this account configured",
            ));
        }
        if let Admission::Blocked(BlockReason::Paused { reason }) =
            stats.health.admit(now, &app.config.health)
        {
            findings.push(bad(
                &format!("account `{name}` is paused: {reason}"),
                &format!("fix the cause, then run `ferry resume {name}`"),
            ));
        }
    }
    Ok(findings)
}
