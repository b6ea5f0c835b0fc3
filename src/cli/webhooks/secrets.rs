//! The secrets that sign webhooks of an account, from the configuration.

use crate::cli::error::CliError;
use crate::cli::global::{Global, sources};
use crate::config::webhook_targets;
use crate::secret::Secret;
use crate::webhook::SigningKey;

/// Returns the account and its keys: of the one that is named, or of the only one that has a secret. None if
/// none has.
pub(super) fn keys_of(
    account: Option<&str>,
    global: &Global,
) -> Result<Option<(String, Vec<SigningKey>)>, CliError> {
    let targets = webhook_targets(&sources(global)?);
    let mut found = targets.into_iter().filter(|(name, receiver)| {
        account.is_none_or(|account| account == name) && !receiver.secrets.is_empty()
    });
    let first = found.next();
    if let (Some((one, _)), Some((other, _))) = (&first, found.next()) {
        let what = format!("several accounts have a `webhook_secret`: `{one}`, `{other}`");
        return Err(CliError::usage(what).hint("name one with --account"));
    }
    match (first, account) {
        (None, Some(account)) => {
            let what = format!("account `{account}` has no `webhook_secret`");
            Err(CliError::usage(what).hint("print the configuration: `ferry config show`"))
        }
        (None, None) => Ok(None),
        (Some((name, receiver)), _) => {
            let keys = receiver.secrets.iter().map(Secret::get).collect();
            Ok(Some((name, keys)))
        }
    }
}
