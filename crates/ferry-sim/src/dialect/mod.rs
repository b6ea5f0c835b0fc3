//! Dialects: how a Platform may word, form and encode what it says. The documentation fixes the
//! words of success and little else, so each of these keeps to it.

mod encoding;
mod words;

use serde_json::json;

use super::exchange::Response;
use super::reply::{Rejection, Reply, RowError, Word};
use encoding::{Charset, Coding, charset_encoded, compressed};
use words::Language;

/// A manner of responding: statuses, words, forms and encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    name: &'static str,
    about: &'static str,
    language: Language,
    form: Form,
    /// Submitted, processing, completed, failed.
    words: [&'static str; 4],
    /// Status for a name that exists.
    name_exists: u16,
    /// Status for an upload without name or data.
    incomplete: u16,
    charset: Charset,
    coding: Option<Coding>,
    /// Header lines such as old servers and filters send them.
    raw_lines: &'static str,
    /// True if a request without a valid access token is redirected to a login page.
    login: bool,
}

/// Form of words and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Bare text.
    Text,
    /// A JSON string.
    Quoted,
    /// A JSON string in a JSON string.
    QuotedTwice,
    /// An object with one member.
    Object,
    /// An object with one member, and problem details for an error.
    Problem,
    /// Bare text, and a web page for an error.
    Page,
}

const CAMEL: [&str; 4] =
    ["Submitted", "Processing", "CompletedSuccessfully", "CompletedWithErrors"];
const UPPER: [&str; 4] =
    ["QUEUED", "IN_PROGRESS", "COMPLETED_SUCCESSFULLY", "COMPLETED_WITH_ERRORS"];
const LOWER: [&str; 4] = ["submitted", "running", "completedsuccessfully", "rejected"];
const SPACED: [&str; 4] =
    ["Queued", "In Progress", "Completed Successfully", "Completed with errors"];

/// Lines that hyper does not write: folded, with blanks before the colon, without a colon, with a
/// byte that is no text. `Dialect::raw_lines` adds many more.
const ODD_LINES: &str = "X-Folded: one\r\n two\r\n\tthree\r\nX-Spaced : one\r\n\
                         a line without a colon\r\nX-Latin: M\u{fc}ller\r\n";

impl Dialect {
    /// As the documentation shows it.
    pub const PLAIN: Self = Self {
        name: "plain",
        about: "bare text in English",
        language: Language::English,
        form: Form::Text,
        words: CAMEL,
        name_exists: 409,
        incomplete: 422,
        charset: Charset::Utf8,
        coding: None,
        raw_lines: "",
        login: false,
    };

    /// Every dialect.
    pub const ALL: [Self; 8] = [
        Self::PLAIN,
        Self {
            name: "quoted",
            about: "JSON strings in English",
            form: Form::Quoted,
            ..Self::PLAIN
        },
        Self {
            name: "german",
            about: "400 for a name that exists, German in Windows-1252, capitals, gzip",
            language: Language::German,
            words: UPPER,
            name_exists: 400,
            incomplete: 400,
            charset: Charset::Windows1252,
            coding: Some(Coding::Gzip),
            ..Self::PLAIN
        },
        Self {
            name: "japanese",
            about: "422 for a name that exists, Japanese as JSON strings in UTF-16, deflate",
            language: Language::Japanese,
            form: Form::Quoted,
            words: LOWER,
            name_exists: 422,
            charset: Charset::Utf16,
            coding: Some(Coding::Deflate),
            ..Self::PLAIN
        },
        Self {
            name: "french",
            about: "objects, and problem details in French, byte order marks, brotli",
            language: Language::French,
            form: Form::Problem,
            words: SPACED,
            charset: Charset::Utf8Marked,
            coding: Some(Coding::Brotli),
            ..Self::PLAIN
        },
        Self {
            name: "silent",
            about: "400 for a name that exists, no message at all, JSON strings in JSON strings, zstd",
            language: Language::None,
            form: Form::QuotedTwice,
            words: LOWER,
            name_exists: 400,
            charset: Charset::Undeclared,
            coding: Some(Coding::Zstd),
            ..Self::PLAIN
        },
        Self {
            name: "legacy",
            about: "413 for a name that exists, web pages for errors, folded and odd header lines",
            form: Form::Page,
            name_exists: 413,
            incomplete: 400,
            charset: Charset::Undeclared1252,
            raw_lines: ODD_LINES,
            ..Self::PLAIN
        },
        Self {
            name: "portal",
            about: "422 for a name that exists, objects, a redirect to a login page instead of 401",
            form: Form::Object,
            words: UPPER,
            name_exists: 422,
            login: true,
            ..Self::PLAIN
        },
    ];

    /// Returns the dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name == name)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A description in one line.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Header lines to send as they are, each with its end; empty for most dialects.
    pub(super) fn raw_lines(&self) -> String {
        const LINES: usize = 200;
        if self.raw_lines.is_empty() {
            return String::new();
        }
        (0..LINES)
            .fold(self.raw_lines.to_owned(), |all, n| all + &format!("X-Filter-{n}: seen\r\n"))
    }

    /// The response that says `reply` in this dialect.
    pub(super) fn response(&self, reply: &Reply) -> Response {
        match reply {
            Reply::AccessToken { token, seconds } => {
                let token_type = if self.login { "bearer" } else { "Bearer" };
                let seconds = if self.login { json!(seconds.to_string()) } else { json!(seconds) };
                let token = json!({ "access_token": token, "token_type": token_type, "expires_in": seconds });
                self.encoded(200, "application/json", &token.to_string(), Charset::Utf8)
            }
            Reply::TokenError { status, error } => {
                let error = json!({ "error": error }).to_string();
                self.encoded(*status, "application/json", &error, Charset::Utf8)
            }
            Reply::Stored { token } => self.said(200, "token", token),
            Reply::Status(word) => self.said(200, "status", self.word(*word)),
            Reply::Feedback(row_errors) => self.feedback(row_errors),
            Reply::Result { content_type, body } => {
                // A result is opaque: its bytes are the same in every dialect.
                let body = body.clone().into_bytes();
                self.compressed(200, (*content_type).to_owned(), body)
            }
            Reply::Rejection { why: Rejection::Unauthorized, .. } if self.login => {
                let mut response = self.encoded(302, "text/html", LOGIN_PAGE, Charset::Utf8);
                let location = "https://login.example.com/?return=%2Fupload".to_owned();
                response.headers.push(("location".to_owned(), location));
                response
            }
            Reply::Rejection { why, name } => self.rejection(*why, name),
            Reply::Dictated { status, headers, body } => {
                let mut response = Self::PLAIN.encoded(*status, "text/plain", body, Charset::Utf8);
                let is_given =
                    |name: &str| headers.iter().any(|(h, _)| h.eq_ignore_ascii_case(name));
                response.headers.retain(|(name, _)| !is_given(name));
                response.headers.extend(headers.iter().cloned());
                response
            }
        }
    }

    pub(super) fn word(&self, word: Word) -> &'static str {
        match word {
            Word::Submitted => self.words[0],
            Word::Processing => self.words[1],
            Word::Completed => self.words[2],
            Word::Failed => self.words[3],
            Word::Odd => self.language.odd_word(),
        }
    }

    /// A word or a token, in an object the value of `member`.
    fn said(&self, status: u16, member: &str, text: &str) -> Response {
        match self.form {
            Form::Text | Form::Page => self.encoded(status, "text/plain", text, self.charset),
            Form::Quoted => self.json(status, &json!(text)),
            Form::QuotedTwice => self.json(status, &json!(json!(text).to_string())),
            Form::Object | Form::Problem => self.json(status, &json!({ member: text })),
        }
    }

    fn feedback(&self, row_errors: &[RowError]) -> Response {
        let lines = row_errors.iter().map(|RowError { row, value, about }| {
            format!("{row}|{value}|{}", self.language.defect(*about))
        });
        let lines: Vec<String> = lines.collect();
        let text = lines.iter().fold(String::new(), |all, line| all + line + "\n");
        match self.form {
            Form::Text | Form::Page => self.encoded(200, "text/plain", &text, self.charset),
            Form::Quoted | Form::QuotedTwice => self.json(200, &json!(text)),
            Form::Object | Form::Problem => self.json(200, &json!(lines)),
        }
    }

    fn rejection(&self, why: Rejection, name: &str) -> Response {
        let status = self.status(why);
        let text = self.language.rejection(why, name);
        match (self.form, &*text) {
            (Form::Text, _) | (_, "") => self.encoded(status, "text/plain", &text, self.charset),
            (Form::Page, _) => {
                let page =
                    format!("<!DOCTYPE html>\n<html><body><h1>{status}</h1>{text}</body></html>");
                self.encoded(status, "text/html", &page, self.charset)
            }
            (Form::Problem, _) => {
                let problem = json!({ "type": "about:blank", "status": status, "detail": text });
                let problem = problem.to_string();
                self.encoded(status, "application/problem+json", &problem, self.charset)
            }
            _ => self.said(status, "message", &text),
        }
    }

    fn status(&self, why: Rejection) -> u16 {
        match why {
            Rejection::NameExists => self.name_exists,
            Rejection::Incomplete => self.incomplete,
            Rejection::NoSuchPath | Rejection::UnknownToken => 404,
            Rejection::Unauthorized => 401,
            Rejection::UnknownKey => 403,
            Rejection::NotAnUpload
            | Rejection::BadOverwrite
            | Rejection::OtherUsername
            | Rejection::BadQuery => 400,
            Rejection::TooLarge => 413,
            Rejection::NotReady | Rejection::DataRejected => 409,
            Rejection::Throttled => 429,
        }
    }

    fn json(&self, status: u16, value: &serde_json::Value) -> Response {
        self.encoded(status, "application/json", &value.to_string(), self.charset)
    }

    fn encoded(&self, status: u16, media_type: &str, text: &str, charset: Charset) -> Response {
        let (content_type, body) = charset_encoded(charset, media_type, text);
        self.compressed(status, content_type, body)
    }

    fn compressed(&self, status: u16, content_type: String, body: Vec<u8>) -> Response {
        let mut headers = vec![("content-type".to_owned(), content_type)];
        let body = match self.coding.filter(|_| !body.is_empty()) {
            None => body,
            Some(coding) => {
                headers.push(("content-encoding".to_owned(), coding.name().to_owned()));
                compressed(coding, &body)
            }
        };
        Response { status, headers, body }
    }
}

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><body>Please log in</body></html>";
