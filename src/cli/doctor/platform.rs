//! Checks the accounts' credentials, and that the Upload API responds.

use std::sync::Arc;

use super::finding::{bad, good};
use crate::app::platform;
use crate::config::Config;
use crate::platform::{ApiCheck, Platform};
use ferry_store::CheckResult;
use ferry_types::domain::outcome::PlatformError;

/// Returns a client of each account, and the accounts that none can be made for.
pub(super) fn platforms(config: &Config) -> (Vec<Platform>, Vec<CheckResult>) {
    let mut platforms = Vec::new();
    let without_secrets = config.without_secrets.keys();
    let mut unusable: Vec<CheckResult> = without_secrets.map(|name| no_secrets(name)).collect();
    for account in config.accounts.values() {
        match platform(account, &config.limits, &Arc::default()) {
            Ok(platform) => platforms.push(platform),
            Err(error) => {
                let hint = format!("correct the settings of account `{}`", account.name);
                unusable.push(bad(&error.to_string(), &hint));
            }
        }
    }
    (platforms, unusable)
}

fn no_secrets(account: &str) -> CheckResult {
    bad(
        &format!("account `{account}` has no secrets here: nothing can be uploaded from here"),
        "`ferry serve --no-workers` needs none; elsewhere set its `client_secret` and `api_key`",
    )
}

/// Gets an access token.
pub(super) async fn credentials(platform: &Platform) -> CheckResult {
    let account = platform.account();
    match platform.check_credentials().await {
        Ok(()) => good(format!("account `{account}` gets a token")),
        Err(error) => {
            let hint = match error {
                PlatformError::Credentials(_) => "check client_id and client_secret",
                PlatformError::Throttled { .. } => "wait, and try again",
                _ => "check token_url, and the way to the Platform",
            };
            bad(&format!("account `{account}` cannot get an access token: {error}"), hint)
        }
    }
}

/// Asks for the status of a dataset that does not exist.
pub(super) async fn upload_api(platform: &Platform) -> CheckResult {
    let account = platform.account();
    let usable = format!("account `{account}` can use the Upload API");
    match platform.check_api().await {
        ApiCheck::Responded(None) => good(usable),
        ApiCheck::Responded(Some(said)) => {
            let hint = "check api_key, unless that is about an unknown processing token";
            CheckResult { hint: Some(hint.to_owned()), ..good(format!("{usable}: {said}")) }
        }
        ApiCheck::Failed { what, hint } => {
            bad(&format!("account `{account}` cannot use the Upload API: {what}"), hint)
        }
    }
}
