//! What an answer means: one row after the other of the table of what the Platform may say.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};

use super::scrub::Scrubber;
use crate::domain::outcome::{Content, Trouble};
use crate::domain::{Timestamp, until};

/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// How much of the Platform's words is kept, in characters.
const WORDS: usize = 500;

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) endpoint: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer to `UploadData`.
    pub(super) fn into_processing_token(
        self,
        scrubber: &Scrubber,
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
            404 | 405 | 410 => Trouble::Transient(format!(
                "{}: nothing answers there ({status}); check `api_url`",
                self.endpoint
            )),
            // These say that somebody did not wait for the upload to end, not that it failed.
            408 | 500.. if status != 503 => {
                Trouble::Ambiguous(format!("{}: answered {status}", self.endpoint))
            }
            425 | 503 => Trouble::Transient(format!("{}: answered {status}", self.endpoint)),
            400..500 => {
                let words = scrubber.clean(&self.text(), WORDS);
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
        let retry_after = self.retry_after(now);
        let asked = match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => retry_after.is_some(),
            _ => false,
        };
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
        if let Ok(seconds) = text.parse::<f64>() {
            let seconds = seconds.max(0.0).min(LONGEST.as_secs_f64());
            return seconds.is_finite().then(|| Duration::from_secs_f64(seconds));
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

    /// The processing token need not be a UUID, but must be fit to be asked with.
    fn processing_token(&self) -> Option<String> {
        self.word().filter(|word| !word.contains(char::is_whitespace))
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

fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc))
}
