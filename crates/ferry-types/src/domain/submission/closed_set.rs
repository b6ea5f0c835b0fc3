//! Closed sets of words: each has one text, and a text that is none of them says which there are.

/// The text is none of the words of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {what}: expected {expected}")]
pub struct UnknownValueError {
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) expected: String,
}

/// Text to word and back.
macro_rules! closed_set {
    ($type:ident, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::domain::submission::UnknownValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|word| word.as_str() == text).ok_or_else(|| {
                    $crate::domain::submission::UnknownValueError {
                        what: $what,
                        found: text.to_owned(),
                        expected: Self::ALL.map(Self::as_str).join(", "),
                    }
                })
            }
        }
    };
}
pub(super) use closed_set;
