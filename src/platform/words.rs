//! What the Platform's status words mean: only success is documented, so the rest is configurable.

use ferry_types::domain::outcome::Status;

/// The longest part of a status word that is kept.
const KEPT: usize = 64;

/// Status words in lower case; one that ends in `*` stands for all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusWords {
    /// Mean that the results can be fetched.
    pub success: Vec<String>,
    /// Mean that the Platform decided against the dataset; looked at after `success`.
    pub failed: Vec<String>,
    /// Mean that the Platform has not decided. Any other word does too, but is worth a note.
    pub pending: Vec<String>,
}

impl Default for StatusWords {
    fn default() -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            success: words("completedsuccessfully"),
            failed: words("completed* failed error rejected invalid cancelled"),
            pending: words("queued pending submitted processing inprogress running"),
        }
    }
}

impl StatusWords {
    /// What `word` means, whatever its letter case, and with or without blanks and punctuation.
    pub fn classify(&self, word: &str) -> Status {
        let (plain, shown) = (plain(word), word.to_lowercase().chars().take(KEPT).collect());
        if matches(&self.success, &plain) {
            Status::Done
        } else if matches(&self.failed, &plain) {
            Status::Failed { word: shown }
        } else {
            Status::Pending { word: shown, known: matches(&self.pending, &plain) }
        }
    }

    /// True if the configuration lists `word`.
    pub fn knows(&self, word: &str) -> bool {
        !matches!(self.classify(word), Status::Pending { known: false, .. })
    }
}

fn matches(patterns: &[String], word: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => word.starts_with(&plain(beginning)),
        None => !word.is_empty() && plain(pattern) == word,
    })
}

/// Letters and digits in lower case.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_goes_before_the_words_that_begin_like_it() {
        let words = StatusWords::default();
        assert_eq!(words.classify("CompletedSuccessfully"), Status::Done);
        let failed = Status::Failed { word: "completedwitherrors".into() };
        assert_eq!(words.classify("CompletedWithErrors"), failed);
    }

    #[test]
    fn blanks_case_and_punctuation_between_words_do_not_matter() {
        let words = StatusWords::default();
        for word in ["Completed Successfully", "COMPLETED_SUCCESSFULLY", "completed-successfully."]
        {
            assert_eq!(words.classify(word), Status::Done, "{word}");
        }
        let failed = Status::Failed { word: "completed with errors".into() };
        assert_eq!(words.classify("Completed with Errors"), failed);
        let pending = Status::Pending { word: "in progress".into(), known: true };
        assert_eq!(words.classify("In Progress"), pending);
        assert!(!words.knows("---") && !words.knows(""));
    }

    #[test]
    fn an_unknown_word_is_pending_and_said_to_be_unknown() {
        let words = StatusWords::default();
        let known = Status::Pending { word: "running".into(), known: true };
        assert_eq!(words.classify("RUNNING"), known);
        let unknown = Status::Pending { word: "warming up".into(), known: false };
        assert_eq!(words.classify("Warming up"), unknown);
    }
}
