//! What an answer means: one row after the other of the table of what the Platform may say.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

use super::scrub::Scrubber;
use ferry_types::domain::outcome::{Content, Trouble};
use ferry_types::domain::{Timestamp, until};

/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// How much of the Platform's words is kept, in characters.
const WORDS: usize = 500;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) endpoint: &'static str,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer to `UploadData`; `rows` is what was sent, which the Platform may repeat.
    pub(super) fn into_processing_token(
        self,
        scrubber: &Scrubber,
        rows: &[&str],
        now: Timestamp,
    ) -> Result<String, Trouble> {
        if self.status.is_success() {
            return self.processing_token().ok_or_else(|| {
                Trouble::Ambiguous(format!(
                    "{}: the answer holds no processing token",
                    self.endpoint
                ))
            });
        }
        if let Some(trouble) = self.slow_down(now) {
            return Err(trouble);
        }
        let status = self.status.as_u16();
        Err(match status {
            403 => Trouble::Credentials(format!("{}: access refused (403)", self.endpoint)),
            404 | 405 | 410 | 421 => Trouble::Transient(format!(
                "{}: nothing answers there ({status}); check `api_url`",
                self.endpoint
            )),
            407 => Trouble::Transient(format!(
                "{}: the proxy on the way wants credentials (407)",
                self.endpoint
            )),
            // A gateway says so of an upload that it passed on and saw no end of (Envoy answers 503
            // to that), a service of one that it stored before it failed; 303 means "done, look
            // there". Retried like any transient trouble, but with the doubt on record, or a later
            // "already exists" about our own upload would be taken for a refusal.
            303 | 408 | 500.. => {
                Trouble::Ambiguous(format!("{}: answered {status}", self.endpoint))
            }
            425 => Trouble::Transient(format!("{}: answered {status}", self.endpoint)),
            400..500 => {
                let words = scrubber.clean(&self.text(), rows, WORDS);
                let exists = status == 409 || words.to_lowercase().contains("already exists");
                Trouble::Refused { status, words, already_exists: exists }
            }
            _ => Trouble::Transient(format!("{}: answered {status}", self.endpoint)),
        })
    }

    /// The answer to `GetResults`, if it is what was asked for.
    pub(super) fn into_found(self, now: Timestamp) -> Result<Self, Trouble> {
        if self.status.is_success() {
            return Ok(self);
        }
        if let Some(trouble) = self.slow_down(now) {
            return Err(trouble);
        }
        Err(match self.status.as_u16() {
            403 => Trouble::Credentials(format!("{}: access refused (403)", self.endpoint)),
            404 => Trouble::UnknownToken,
            status => Trouble::Transient(format!("{}: answered {status}", self.endpoint)),
        })
    }

    /// Whether the Platform wants to be left alone: 429, or 503 that says how long.
    pub(super) fn slow_down(&self, now: Timestamp) -> Option<Trouble> {
        let asked_for = self.retry_after(now);
        let asked = match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => asked_for.is_some(),
            _ => false,
        };
        // "At once", or a time that has passed, must not become a busy loop.
        let retry_after = asked_for.filter(|pause| !pause.is_zero());
        let what = || {
            let how_long = retry_after.map_or(String::new(), |pause| format!(" for {pause:?}"));
            format!("{}: asked to wait{how_long} ({})", self.endpoint, self.status.as_u16())
        };
        asked.then(|| Trouble::SlowDown { retry_after, what: what() })
    }

    /// `Retry-After`, in seconds or as a date; a date counts from the answer's own, since the two
    /// clocks may differ.
    fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
            let seconds = text.parse::<f64>().ok()?.clamp(0.0, LONGEST.as_secs_f64());
            return Some(Duration::from_secs_f64(seconds));
        }
        let answered = self.headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        Some(until(answered.unwrap_or(now), http_date(text)?).min(LONGEST))
    }

    /// A single word, bare or as a JSON string; none if the answer is anything else.
    pub(super) fn word(&self) -> Option<String> {
        let text = self.text();
        let word = match serde_json::from_str::<String>(text.trim()) {
            Ok(unquoted) => unquoted.trim().to_owned(),
            Err(_) => text.trim().to_owned(),
        };
        let plausible = !word.is_empty()
            && word.chars().count() <= 200
            && !word.contains(['<', '{', '[', '"'])
            && !word.chars().any(char::is_control);
        plausible.then_some(word)
    }

    /// The processing token need not be a UUID, but must be fit to be asked with: `OK`, `null` and
    /// `true` are none.
    fn processing_token(&self) -> Option<String> {
        self.word().filter(|word| {
            !word.contains(char::is_whitespace) && word.contains(|c: char| c.is_ascii_digit())
        })
    }

    pub(super) fn into_content(self) -> Content {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Content { content_type: content_type.map(str::to_owned), bytes: self.body }
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.trim_start_matches('\u{feff}').to_owned()
    }
}

/// A date in the form that is in use, or in one of the two that RFC 9110 §5.6.7 still wants read.
fn http_date(text: &str) -> Option<Timestamp> {
    let old = |form| NaiveDateTime::parse_from_str(text, form).ok().map(|date| date.and_utc());
    DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|date| date.with_timezone(&Utc))
        .or_else(|| old("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| old("%a %b %e %H:%M:%S %Y"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::timestamp;

    #[test]
    fn a_date_is_read_in_all_three_forms_of_http() {
        let expected = Some(timestamp(784_111_777_000));
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
        assert_eq!(http_date("Sun Nov  6 08:49:37 1994"), expected);
        assert_eq!(http_date("soon"), None);
    }
}
