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
    /// What `word`, in any letter case, means.
    pub fn classify(&self, word: &str) -> Status {
        let word = word.to_lowercase();
        let is_one_of = |patterns: &[String]| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(beginning) => word.starts_with(beginning),
                None => *pattern == word,
            })
        };
        let known = is_one_of(&self.pending);
        let (success, failed) = (is_one_of(&self.success), is_one_of(&self.failed));
        let word = word.chars().take(KEPT).collect();
        if success {
            Status::Done
        } else if failed {
            Status::Failed { word }
        } else {
            Status::Pending { word, known }
        }
    }
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
    fn an_unknown_word_is_pending_and_said_to_be_unknown() {
        let words = StatusWords::default();
        let known = Status::Pending { word: "running".into(), known: true };
        assert_eq!(words.classify("RUNNING"), known);
        let unknown = Status::Pending { word: "warming up".into(), known: false };
        assert_eq!(words.classify("Warming up"), unknown);
    }
}
