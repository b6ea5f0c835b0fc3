//! Span of a producer's own trace, in the form of the W3C header `traceparent`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A span of a producer, to which what Ferry does for its submission is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("pattern" = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"))]
#[serde(try_from = "String", into = "String")]
pub struct TraceParent {
    /// The trace; never zero.
    pub trace: u128,
    /// The span in it; never zero.
    pub span: u64,
    /// True if the producer records this trace.
    pub is_sampled: bool,
}

/// The text does not say where a trace stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the form of the header `traceparent`, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)]
pub struct InvalidTraceParentError;

impl FromStr for TraceParent {
    type Err = InvalidTraceParentError;

    /// Later versions of the form may be longer; what they begin with is known.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParentError> {
        let mut parts = text.split('-');
        let mut part = |digits| hex(parts.next(), digits).ok_or(InvalidTraceParentError);
        let (version, trace) = (part(2)?, part(32)?);
        let (span, flags) = (part(16)? as u64, part(2)?);
        let is_longer = parts.next().is_some();
        if version == 0xff || (version == 0 && is_longer) || trace == 0 || span == 0 {
            return Err(InvalidTraceParentError);
        }
        Ok(Self { trace, span, is_sampled: flags & 1 == 1 })
    }
}

fn hex(part: Option<&str>, digits: usize) -> Option<u128> {
    let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let part = part.filter(|part| part.len() == digits && part.bytes().all(is_digit))?;
    u128::from_str_radix(part, 16).ok()
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.is_sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl TryFrom<String> for TraceParent {
    type Error = InvalidTraceParentError;

    fn try_from(text: String) -> Result<Self, InvalidTraceParentError> {
        text.parse()
    }
}

impl From<TraceParent> for String {
    fn from(parent: TraceParent) -> Self {
        parent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_alike() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parent.to_string(), GOOD);
        assert!(parent.is_sampled);
        let newer = GOOD.replacen("00", "cc", 1) + "-what-comes-later";
        assert_eq!(newer.parse(), Ok(parent));
        assert!(!GOOD.replace("-01", "-02").parse::<TraceParent>().unwrap().is_sampled);
    }

    #[test]
    fn what_is_no_span_is_invalid() {
        for text in [
            "",
            "00",
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            &format!("{GOOD}-more"),
            &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &GOOD.replace("4bf9", "+bf9"),
            &GOOD[..54],
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParentError), "{text}");
        }
    }
}
