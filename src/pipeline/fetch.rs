//! Fetches the results or the feedback of a submission.

use super::collect::{Collected, has_results};
use crate::platform::{Platform, RequestError, RequestGuard, Withheld};
use ferry_types::domain::outcome::PlatformError;
use ferry_types::domain::submission::{FEEDBACK_KEY, Submission};

/// A submission past its upload has a token; without one the Platform responds that it knows none.
pub(super) fn token(submission: &Submission) -> &str {
    submission.processing_token.as_deref().unwrap_or_default()
}

/// The result of a round of fetches.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) collected: Collected,
    /// The next request was withheld, because the account is throttled.
    pub(super) is_cut_short: bool,
}

/// Fetches each key that is not stored yet, or all that are to be fetched again. What concerns the
/// whole account ends the round. An error means that nothing was fetched, or that it cannot be stored.
pub(super) async fn fetch(
    platform: &Platform,
    submission: &Submission,
    guard: &dyn RequestGuard,
) -> Result<Fetched, Withheld> {
    let token = token(submission);
    let Fetched { mut collected, mut is_cut_short } = Fetched::default();
    for key in wanted(submission) {
        let content = match key {
            FEEDBACK_KEY => platform.feedback(token, guard).await,
            key => {
                let has_others = !collected.contents.is_empty() || has_results(submission);
                platform.result(token, key, has_others, guard).await
            }
        };
        let error = match content {
            Ok(content) => {
                collected.contents.push((key.to_owned(), content));
                continue;
            }
            Err(RequestError::Platform(error)) => error,
            Err(RequestError::Withheld(Withheld::Throttled(_)))
                if !collected.contents.is_empty() =>
            {
                is_cut_short = true;
                break;
            }
            Err(RequestError::Withheld(withheld)) => return Err(withheld),
        };
        let concerns_all = matches!(
            error,
            PlatformError::Throttled { .. }
                | PlatformError::Credentials(_)
                | PlatformError::Unsent(_)
        );
        collected.missing.push((key.to_owned(), error));
        if concerns_all {
            break;
        }
    }
    Ok(Fetched { collected, is_cut_short })
}

fn wanted(submission: &Submission) -> Vec<&str> {
    if submission.rejection.is_some() {
        return vec![FEEDBACK_KEY];
    }
    let is_stored = |key: &str| submission.results.iter().any(|stored| stored.key == key);
    let is_wanted = |key: &&str| submission.is_refetching() || !is_stored(key);
    submission.result_keys.iter().map(String::as_str).filter(is_wanted).collect()
}
