//! The login, preferences, and pages that say what is wrong.

use askama::Template;

use super::frame::Frame;
use super::text::Sentence;

/// The login.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    frame: Frame,
    /// The page to show then.
    next: String,
    error: Option<Sentence>,
}

impl LoginPage {
    /// The form, with the error of the last attempt.
    pub(crate) fn new(frame: Frame, next: String, error: Option<&str>) -> Self {
        Self { frame, next, error: error.map(Sentence::from) }
    }
}

/// Preferences of the browser.
#[derive(Debug, Template)]
#[template(path = "preferences.html")]
pub(crate) struct PreferencesPage {
    frame: Frame,
}

impl PreferencesPage {
    /// The form.
    pub(crate) fn new(frame: Frame) -> Self {
        Self { frame }
    }
}

/// A request that was not done.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    frame: Frame,
    title: String,
    status: u16,
    detail: Sentence,
    /// The id of the request.
    request: String,
    /// The page to return to.
    back: String,
}

impl ProblemPage {
    /// The page of an error.
    pub(crate) fn new(
        frame: Frame,
        (status, title, detail): (u16, &str, &str),
        request: &str,
        back: String,
    ) -> Self {
        let title = title.to_owned();
        Self { frame, title, status, detail: detail.into(), request: request.to_owned(), back }
    }
}
