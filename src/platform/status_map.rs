//! The meaning of the Platform's status words: only success is documented, so the rest is configurable.

use ferry_types::domain::outcome::Status;

/// The longest part of a status word that is stored.
const KEPT: usize = 64;

/// Status words in lower case; one that ends in `*` stands for all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusMap {
    /// Mean that the results can be fetched.
    pub success: Vec<String>,
    /// Mean that the Platform decided against the dataset; looked at after `success`.
    pub failed: Vec<String>,
    /// Mean that the Platform has not decided. Any other word does too, but is worth a note.
    pub pending: Vec<String>,
}

impl Default for StatusMap {
    fn default() -> Self {
        let map = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            success: map("completedsuccessfully"),
            failed: map("completed* failed error rejected invalid cancelled"),
            pending: map("queued pending submitted processing inprogress running"),
        }
    }
}

impl StatusMap {
    /// The meaning of `status`, whatever its letter case, and with or without blanks and punctuation.
    ///
    /// What stands behind a mark, or behind a blank and has a digit, says more about a success, such as a time
    /// or a count. A word that only begins like success means neither that nor failure.
    pub fn classify(&self, status: &str) -> Status {
        let status = &status.replace("%20", " ");
        let (plain, shown) = (plain(status), Self::shown(status));
        let success = matches(&self.success, &plain);
        let failed = matches(&self.failed, &plain);
        // Of two that match, the longer one means it.
        let is_longer = |length: usize| failed.is_none_or(|failed| length > failed);
        let phrase =
            phrases(status).filter_map(|phrase| matches(&self.success, &self::plain(phrase))).max();
        let like_success = self.success.iter().map(|word| self::plain(word));
        let like_success =
            like_success.filter(|word| plain.starts_with(word)).map(|word| word.len()).max();
        if success.is_some() || phrase.is_some_and(is_longer) {
            Status::Done
        } else if failed.is_some() && !like_success.is_some_and(is_longer) {
            Status::Failed { status: shown }
        } else {
            let known = matches(&self.pending, &plain).is_some();
            Status::Pending { status: shown, known, retry_after: None }
        }
    }

    /// The form of `status` in reasons.
    pub fn shown(status: &str) -> String {
        status.to_lowercase().chars().take(KEPT).collect()
    }

    /// True if the configuration lists `status`.
    pub fn knows(&self, status: &str) -> bool {
        !matches!(self.classify(status), Status::Pending { known: false, .. })
    }
}

/// The beginnings of a status before its first mark, and before the first blank that a digit follows, where
/// there is a digit behind them.
fn phrases(status: &str) -> impl Iterator<Item = &str> {
    let is_of_phrase = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_-".contains(c);
    let is_digit = |c: char| c.is_ascii_digit();
    let marked = status.find(|c| !is_of_phrase(c));
    let counted = status.find(is_digit).filter(|at| status[..*at].ends_with(char::is_whitespace));
    let ends = [marked, counted].into_iter().flatten();
    ends.filter(move |end| status[*end..].contains(is_digit)).map(|end| &status[..end])
}

/// The length of the longest pattern that matches.
fn matches(patterns: &[String], status: &str) -> Option<usize> {
    let matching = patterns.iter().filter_map(|pattern| {
        let word = plain(pattern);
        let is_match = match pattern.strip_suffix('*') {
            Some(_) => status.starts_with(&word),
            None => !status.is_empty() && word == status,
        };
        is_match.then_some(word.len())
    });
    matching.max()
}

/// Letters and digits in lower case.
fn plain(status: &str) -> String {
    status.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_goes_before_the_words_that_begin_like_it() {
        let map = StatusMap::default();
        assert_eq!(map.classify("CompletedSuccessfully"), Status::Done);
        let failed = Status::Failed { status: "completedwitherrors".into() };
        assert_eq!(map.classify("CompletedWithErrors"), failed);
    }

    #[test]
    fn blanks_case_and_punctuation_between_words_do_not_matter() {
        let map = StatusMap::default();
        for status in
            ["Completed Successfully", "COMPLETED_SUCCESSFULLY", "completed-successfully."]
        {
            assert_eq!(map.classify(status), Status::Done, "{status}");
        }
        let failed = Status::Failed { status: "completed with errors".into() };
        assert_eq!(map.classify("Completed with Errors"), failed);
        let pending =
            Status::Pending { status: "in progress".into(), known: true, retry_after: None };
        assert_eq!(map.classify("In Progress"), pending);
        assert!(!map.knows("---") && !map.knows(""));
    }

    #[test]
    fn what_follows_a_success_says_more_about_it() {
        let map = StatusMap::default();
        for status in [
            "completedsuccessfully, 2 rows",
            "completedsuccessfully (2 rows)",
            "CompletedSuccessfully;2",
            "Completed successfully. 2 rows.",
            "completedsuccessfully 2025-03-03T10:00:00Z",
            "completed%20successfully",
            "CompletedSuccessfully: 2 rows",
        ] {
            assert_eq!(map.classify(status), Status::Done, "{status}");
        }
        for status in ["completedsuccessfullyish", "completedsuccessfully with errors"] {
            assert!(
                matches!(map.classify(status), Status::Pending { known: false, .. }),
                "{status}"
            );
        }
        for status in ["completed with 2 errors", "completed, failed", "completed (2 rows)"] {
            assert!(matches!(map.classify(status), Status::Failed { .. }), "{status}");
        }
    }

    #[test]
    fn an_unknown_word_is_pending_and_said_to_be_unknown() {
        let map = StatusMap::default();
        let known = Status::Pending { status: "running".into(), known: true, retry_after: None };
        assert_eq!(map.classify("RUNNING"), known);
        let unknown =
            Status::Pending { status: "warming up".into(), known: false, retry_after: None };
        assert_eq!(map.classify("Warming up"), unknown);
    }
}
