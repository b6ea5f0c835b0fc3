//! Completes values on the command line: states, accounts, ids and names of keys, as the configuration and
//! the store of this folder have them. Whatever fails completes nothing.

use std::time::Duration;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::api::read_keys_if_any;
use crate::app::App;
use crate::config::{Config, Sources, StoreLocation};
use ferry_store::Filter;
use ferry_types::domain::escape;
use ferry_types::domain::submission::{State, Submission};

/// Submissions that are offered, the newest ones.
const MOST: usize = 200;

/// Longest wait for the store: a shell stands still meanwhile.
const LONGEST: Duration = Duration::from_secs(2);

/// The states of submissions.
pub(super) fn states() -> ArgValueCandidates {
    ArgValueCandidates::new(|| State::ALL.into_iter().map(|s| candidate(s.as_str())).collect())
}

/// The accounts that are configured or have submissions.
pub(super) fn accounts() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(config) = configuration() else { return Vec::new() };
        let mut names = config.account_names();
        let stored = in_store(config, async |app| {
            let stats = app.store.stats().await.ok()?;
            Some(stats.accounts.into_iter().map(|known| known.account).collect::<Vec<_>>())
        });
        names.extend(stored.unwrap_or_default());
        names.iter().map(|name| candidate(name)).collect()
    })
}

/// The ids of the newest submissions, with their names and states.
pub(super) fn ids() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &std::ffi::OsStr| {
        let typed = typed.to_string_lossy().to_uppercase();
        let found = configuration().and_then(|config| {
            in_store(config, async |app| app.store.list(&Filter::default(), None, MOST).await.ok())
        });
        let found = found.map(|page| page.found).unwrap_or_default().into_iter();
        let of_one = |submission: &Submission| {
            let id = submission.id.to_string();
            let help = format!("{} {}", submission.state, escape(&submission.name));
            id.starts_with(&typed).then(|| candidate(&id).help(Some(help.into())))
        };
        found.filter_map(|found| of_one(&found.submission)).collect()
    })
}

/// The names of the API keys.
pub(super) fn keys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let file = configuration().and_then(|config| config.api_keys);
        let keys = file.and_then(|file| read_keys_if_any(&file).ok()).unwrap_or_default();
        keys.iter().map(|key| candidate(&key.name)).collect()
    })
}

fn candidate(text: &str) -> CompletionCandidate {
    CompletionCandidate::new(text)
}

fn configuration() -> Option<Config> {
    Config::load(&Sources::of_process(None, Vec::new()).ok()?).ok()
}

/// Reads from the store, which is not made if it is missing.
fn in_store<T>(config: Config, read: impl AsyncFnOnce(App) -> Option<T>) -> Option<T> {
    if matches!(&config.store, StoreLocation::Sqlite(path) if !path.exists()) {
        return None;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let read = async { read(App::open_existing(config).ok()?).await };
    let found = runtime.block_on(async { tokio::time::timeout(LONGEST, read).await });
    runtime.shutdown_background();
    found.ok().flatten()
}
