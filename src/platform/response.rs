//! Meaning of each response of the Platform: one row after the other of the table of responses.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};

use super::endpoint::STATUS;
use super::endpoint::TOKEN;
use super::scrub::Scrubber;
use super::shape::{begins_as_page, is_web_page, object, processing_token};
use super::wire::WireResponse;
use crate::charset::text;
use ferry_client::http::retry_after;
use ferry_types::domain::Timestamp;
use ferry_types::domain::outcome::{AcceptedUpload, Content, PlatformError};

/// Maximum number of the Platform's words that a reason quotes, in characters.
const WORDS: usize = 500;

/// Maximum length of a response that cannot be read, as it is shown, in characters.
const SHOWN: usize = 200;

/// Of so many characters of a text, at most one cannot be shown.
const ODD: usize = 16;

/// Length of the beginning of a body that shows whether it is a web page, in bytes.
const BEGINNING: usize = 1024;

/// Errors of RFC 6749 §5.2 and RFC 6750 §3.1 that only a person can fix.
const CREDENTIAL_ERRORS: [&str; 7] = [
    "access_denied",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// A response, read to its end.
#[derive(Debug)]
pub(super) struct PlatformResponse {
    pub(super) endpoint: &'static str,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl PlatformResponse {
    pub(super) fn new(endpoint: &'static str, response: WireResponse) -> Self {
        let WireResponse { status, headers, body } = response;
        Self { endpoint, status, headers, body }
    }

    /// The response to `UploadData`; `rows` is what was sent, which the Platform may repeat.
    pub(super) fn into_accepted(
        self,
        scrubber: &Scrubber,
        rows: &[&str],
        now: Timestamp,
    ) -> Result<AcceptedUpload, PlatformError> {
        if self.status.is_success() {
            return self.accepted(scrubber, rows, now);
        }
        let status = self.status.as_u16();
        if let Some(mut error) = self.throttled(now) {
            if let PlatformError::Throttled { ambiguous, .. } = &mut error {
                *ambiguous = status == 503;
            }
            return Err(error);
        }
        Err(match status {
            404 | 405 | 410 | 421 => {
                let words = self.words(scrubber, rows);
                let endpoint = self.endpoint;
                let what =
                    format!("{endpoint}: nothing is there ({status}); check `api_url`{words}");
                PlatformError::WrongAddress { status, what }
            }
            407 => PlatformError::Transient(format!(
                "{}: the proxy on the way requires credentials (407)",
                self.endpoint
            )),
            // A gateway says so of an upload that it passed on and saw no end of (Envoy responds 503
            // to that), a service of one that it stored before it failed; 302 and 303 may mean "done,
            // look there". Retried like any transient error, but on record as ambiguous, or a later
            // "already exists" about our own upload would be taken for a rejection. After 101 the response
            // follows in another protocol, and 460 and 499 are a balancer's words for a client that left.
            101 | 302 | 303 | 408 | 460 | 499 | 500.. => {
                PlatformError::Ambiguous(self.quoted(scrubber, rows))
            }
            400 | 409 | 413 | 422 => {
                PlatformError::Rejected { status, words: self.readable(scrubber, rows, WORDS) }
            }
            // They speak of the connection, the account or the form of the request.
            400..=424 | 426..500 => {
                PlatformError::WrongAddress { status, what: self.quoted(scrubber, rows) }
            }
            _ => PlatformError::Transient(self.quoted(scrubber, rows)),
        })
    }

    fn accepted(
        &self,
        scrubber: &Scrubber,
        rows: &[&str],
        now: Timestamp,
    ) -> Result<AcceptedUpload, PlatformError> {
        // Of 206 the rest is missing, and perhaps a part of the token.
        let is_whole = self.status != StatusCode::PARTIAL_CONTENT;
        let token = is_whole.then(|| processing_token(&self.text())).flatten();
        let Some(processing_token) = token else {
            let shown = self.shown(scrubber, rows);
            let (endpoint, status) = (self.endpoint, self.status.as_u16());
            return Err(PlatformError::Unreadable(format!(
                "{endpoint}: the response ({status}) holds no processing token: {shown}"
            )));
        };
        Ok(AcceptedUpload { processing_token, retry_after: self.retry_after(now) })
    }

    /// The response to `GetResults`, if it is what was asked for. A web page is that of a proxy, or asks
    /// a person to sign in.
    pub(super) fn into_found(
        self,
        pages: Pages,
        scrubber: &Scrubber,
        now: Timestamp,
    ) -> Result<Self, PlatformError> {
        let (endpoint, status) = (self.endpoint, self.status.as_u16());
        if self.status.is_success() {
            // Others are to be understood like 200 (RFC 9110 §15).
            let what = if matches!(status, 202 | 204..=206) {
                format!("{endpoint}: responded {status}, which is no result yet")
            } else if self.body.is_empty() {
                format!("{endpoint}: responded {status} and nothing else")
            } else if self.is_web_page(pages) {
                let shown = self.shown(scrubber, &[]);
                format!("{endpoint}: responded {status} with a web page: {shown}")
            } else {
                return Ok(self);
            };
            let retry_after = self.retry_after(now).filter(|delay| !delay.is_zero());
            return Err(PlatformError::NotYet { retry_after, what });
        }
        if let Some(error) = self.throttled(now) {
            return Err(error);
        }
        let what = self.quoted(scrubber, &[]);
        Err(match status {
            404 => PlatformError::UnknownToken,
            // A proxy or gateway says so, and not the Platform.
            407 | 408 | 425 | 502..=504 => PlatformError::Transient(what),
            300.. if endpoint != STATUS => {
                PlatformError::Declined { may_be_outage: status >= 500, what }
            }
            _ => PlatformError::Transient(what),
        })
    }

    /// The status, and of a redirect where to; `setting` holds the URL that was asked.
    pub(super) fn described(&self, setting: &str) -> String {
        let (endpoint, status) = (self.endpoint, self.status.as_u16());
        match self.redirect_target() {
            Some(target) => {
                format!("{endpoint}: responded {status}, a redirect to {target}; check `{setting}`")
            }
            None => format!("{endpoint}: responded {status}"),
        }
    }

    /// The same of a response of the Upload API, with its words.
    fn quoted(&self, scrubber: &Scrubber, rows: &[&str]) -> String {
        format!("{}{}", self.described("api_url"), self.words(scrubber, rows))
    }

    /// The words of the response after a colon; nothing if it has none.
    fn words(&self, scrubber: &Scrubber, rows: &[&str]) -> String {
        if self.body.is_empty() {
            return String::new();
        }
        format!(": {}", self.shown(scrubber, rows))
    }

    /// Returns the host of a redirect alone, because a path or a query may hold secrets.
    fn redirect_target(&self) -> Option<String> {
        const HERE: &str = "https://same.invalid/";
        let location = self.headers.get(LOCATION).filter(|_| self.status.is_redirection())?;
        let location = String::from_utf8_lossy(location.as_bytes());
        let target = Url::parse(HERE).ok()?.join(location.trim()).ok();
        let host = target.as_ref().and_then(|target| Some((target.scheme(), target.host_str()?)));
        Some(match host {
            Some((_, "same.invalid")) => "another path of the same host".to_owned(),
            Some((scheme, host)) => {
                let port = target.as_ref().and_then(Url::port);
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("`{scheme}://{host}{port}`")
            }
            None => "nowhere".to_owned(),
        })
    }

    /// The challenge of a denial, behind a semicolon; nothing if it has none.
    pub(super) fn challenge(&self, scrubber: &Scrubber) -> String {
        let Some(challenge) = self.headers.get(WWW_AUTHENTICATE) else { return String::new() };
        let challenge = String::from_utf8_lossy(challenge.as_bytes());
        format!("; `WWW-Authenticate: {}`", scrubber.clean(&challenge, &[], SHOWN))
    }

    /// True if the response blames the credentials: by an error of OAuth in JSON, or
    /// by a bearer challenge that names one. Proxies and filters respond 401 and 403 without.
    pub(super) fn denies_credentials(&self) -> bool {
        let said = object(&self.text());
        let error = said.as_ref().and_then(|said| said.get("error")?.as_str());
        let is_error = |error: &str| CREDENTIAL_ERRORS.contains(&error);
        let challenges = self.headers.get_all(WWW_AUTHENTICATE).iter();
        let mut challenges = challenges.filter_map(|challenge| challenge.to_str().ok());
        error.is_some_and(is_error)
            || challenges.any(|challenge| {
                let challenge = challenge.trim_start();
                let is_bearer =
                    challenge.get(..6).is_some_and(|s| s.eq_ignore_ascii_case("bearer"));
                is_bearer && CREDENTIAL_ERRORS.iter().any(|error| challenge.contains(error))
            })
    }

    /// Throttling: 429, or 503 with `Retry-After`.
    pub(super) fn throttled(&self, now: Timestamp) -> Option<PlatformError> {
        let asked_for = match self.status {
            StatusCode::TOO_MANY_REQUESTS => self.retry_after(now),
            StatusCode::SERVICE_UNAVAILABLE => Some(self.retry_after(now)?),
            _ => return None,
        };
        // "At once", or a time that has passed, must not become a busy loop.
        let retry_after = asked_for.filter(|delay| !delay.is_zero());
        let shown = |delay| humantime::format_duration(delay);
        let how_long = retry_after.map_or(String::new(), |delay| format!(" for {}", shown(delay)));
        let what = format!("{}: throttled{how_long} ({})", self.endpoint, self.status.as_u16());
        let is_rate = self.status == StatusCode::TOO_MANY_REQUESTS && self.endpoint != TOKEN;
        Some(PlatformError::Throttled { retry_after, ambiguous: false, is_rate, what })
    }

    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after(&self.headers, now)
    }

    /// True if it calls itself a web page.
    pub(super) fn declares_page(&self) -> bool {
        self.content_type().is_some_and(|declared| declared.to_ascii_lowercase().contains("html"))
    }

    pub(super) fn is_web_page(&self, pages: Pages) -> bool {
        let beginning = &self.body[..self.body.len().min(BEGINNING)];
        let content_type = self.content_type();
        let text = text(content_type, beginning);
        let declares_page =
            content_type.map(|declared| declared.to_ascii_lowercase().contains("html"));
        match (pages, declares_page) {
            (Pages::IfDeclaredOtherwise, Some(false)) => {
                content_type.is_some_and(is_general) && is_web_page(&text)
            }
            (Pages::IfDeclaredOtherwise, Some(true)) => is_web_page(&text) || begins_as_page(&text),
            _ => is_web_page(&text),
        }
    }

    /// Returns the text of the response, fit to be shown; `rows` are those that were sent.
    pub(super) fn shown(&self, scrubber: &Scrubber, rows: &[&str]) -> String {
        match self.readable(scrubber, rows, SHOWN) {
            shown if shown.is_empty() => "nothing".to_owned(),
            shown => format!("`{shown}`"),
        }
    }

    /// The same in at most `limit` characters, or the size of what is no text.
    fn readable(&self, scrubber: &Scrubber, rows: &[&str], limit: usize) -> String {
        let text = self.text();
        let is_odd = |c: &char| (c.is_control() && !c.is_whitespace()) || *c == '\u{fffd}';
        let odd = text.chars().filter(is_odd).count();
        if text.contains('\0') || (odd > 1 && odd * ODD > text.chars().count()) {
            return format!("{} bytes that are no text", self.body.len());
        }
        scrubber.clean(&text, rows, limit)
    }

    fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
    }

    pub(super) fn text(&self) -> String {
        text(self.content_type(), &self.body)
    }

    pub(super) fn into_content(self) -> Content {
        let content_type = self.content_type().map(str::to_owned);
        Content { content_type, bytes: self.body }
    }
}

/// True for a type that servers give to what they do not know, or that a result may have: a web page is none of
/// its own.
fn is_general(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name.starts_with("text/")
        || ["csv", "json", "octet-stream"].iter().any(|word| name.ends_with(word))
}

/// Condition on which a body may be a web page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pages {
    /// A status and feedback never are.
    Never,
    /// A result is opaque: what declares itself as something of its own is no page.
    IfDeclaredOtherwise,
}
