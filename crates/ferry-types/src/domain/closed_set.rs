//! Closed sets of words: each has one text, and a text that is none of them says which there are.

/// The text is none of the words of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {what}: expected {}", expected.join(", "))]
pub struct UnknownValueError {
    /// The set, as people know it.
    pub what: &'static str,
    /// The text.
    pub found: String,
    /// The words of the set.
    pub expected: &'static [&'static str],
}

/// Declares an enum whose values are words: `ALL`, `as_str`, `Display` and `FromStr` come with it, and
/// with `in json` serde and a schema.
///
/// ```
/// ferry_types::closed_set! {
///     /// A direction.
///     pub enum Direction: "direction" {
///         /// To the left.
///         Left = "left",
///         /// To the right.
///         Right = "right",
///     }
/// }
///
/// assert_eq!("left".parse(), Ok(Direction::Left));
/// let error = "up".parse::<Direction>().expect_err("it is none of them");
/// assert_eq!(error.to_string(), "`up` is not a direction: expected left, right");
/// ```
#[macro_export]
macro_rules! closed_set {
    (
        $(#[$meta:meta])* $vis:vis enum $type:ident: $what:literal in json {
            $($(#[$about:meta])* $value:ident = $text:literal,)+
        }
    ) => {
        $crate::closed_set! {
            $(#[$meta])*
            #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            $vis enum $type: $what {
                $($(#[$about])* #[serde(rename = $text)] $value = $text,)+
            }
        }
    };
    (
        $(#[$meta:meta])* $vis:vis enum $type:ident: $what:literal {
            $($(#[$about:meta])* $value:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $type {
            $($(#[$about])* $value,)+
        }

        impl $type {
            /// Every one, in its order.
            $vis const ALL: [Self; [$($text),+].len()] = [$(Self::$value),+];

            /// The word for it.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::domain::UnknownValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$value),)+
                    _ => Err($crate::domain::UnknownValueError {
                        what: $what,
                        found: text.to_owned(),
                        expected: &[$($text),+],
                    }),
                }
            }
        }
    };
}
