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
    pub fn classify(&self, status: &str) -> Status {
        let (plain, shown) = (plain(status), Self::shown(status));
        if matches(&self.success, &plain) {
            Status::Done
        } else if matches(&self.failed, &plain) {
            Status::Failed { status: shown }
        } else {
            Status::Pending { status: shown, known: matches(&self.pending, &plain) }
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

fn matches(patterns: &[String], status: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => status.starts_with(&plain(beginning)),
        None => !status.is_empty() && plain(pattern) == status,
    })
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
        let pending = Status::Pending { status: "in progress".into(), known: true };
        assert_eq!(map.classify("In Progress"), pending);
        assert!(!map.knows("---") && !map.knows(""));
    }

    #[test]
    fn an_unknown_word_is_pending_and_said_to_be_unknown() {
        let map = StatusMap::default();
        let known = Status::Pending { status: "running".into(), known: true };
        assert_eq!(map.classify("RUNNING"), known);
        let unknown = Status::Pending { status: "warming up".into(), known: false };
        assert_eq!(map.classify("Warming up"), unknown);
    }
}
