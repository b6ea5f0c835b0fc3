//! The result of an operator's check of the Upload API: the status of a dataset is requested that does
//! not exist.

use reqwest::StatusCode;

use super::response::{Pages, PlatformResponse};
use super::scrub::Scrubber;
use super::shape::status_word;
use super::status_map::StatusMap;
use super::wire::TransportError;
use ferry_types::domain::outcome::PlatformError;

/// A processing token that no Platform issues, and a path that no Upload API has.
pub(super) const NO_SUCH: &str = "ferry-doctor";

/// The result of a check of the Upload API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCheck {
    /// The Platform answered; also in words, where that needs showing.
    Answered(Option<String>),
    /// It does not answer, or something else does.
    Failed {
        /// The problem.
        what: String,
        /// The way out.
        hint: &'static str,
    },
}

const DENIED: &str = "check api_key; if that is about the processing token, which is not a real one, \
                     all is well";

const NOT_THE_API: &str = "check api_url: it is not the URL of the Upload API";

/// The meaning of `response`; `other` is that to a path that the Upload API does not have.
pub(super) fn judge(
    response: &PlatformResponse,
    other: Option<&PlatformResponse>,
    words: &StatusMap,
    scrubber: &Scrubber,
) -> ApiCheck {
    let failed = |what: String, hint| ApiCheck::Failed { what, hint };
    let shown = response.shown(scrubber, &[]);
    let said = format!("it says ({}): {shown}", response.status.as_u16());
    let with_body = format!("{}: {shown}", response.described("api_url"));
    match response.status.as_u16() {
        300..400 => failed(response.described("api_url"), NOT_THE_API),
        _ if response.is_web_page(Pages::Never) => failed(with_body, NOT_THE_API),
        200..300 if status_word(&response.text(), words).is_some() => ApiCheck::Answered(None),
        429 => ApiCheck::Answered(Some(response.described("api_url"))),
        404 if response.body.is_empty() || other.is_some_and(|other| is_alike(response, other)) => {
            failed(with_body, NOT_THE_API)
        }
        404 => ApiCheck::Answered(None),
        405 | 407 | 410 | 421 => failed(with_body, NOT_THE_API),
        200..300 => ApiCheck::Answered(Some(said)),
        400..500 => failed(said, DENIED),
        _ => failed(with_body, "the Platform, or a proxy before it, has an outage: try later"),
    }
}

/// True if both are answered alike: then what answers is a web server that knows neither path.
fn is_alike(response: &PlatformResponse, other: &PlatformResponse) -> bool {
    let without_path = |response: &PlatformResponse| {
        response.text().replace(NO_SUCH, "").replace("GetResults", "")
    };
    other.status == StatusCode::NOT_FOUND && without_path(other) == without_path(response)
}

pub(super) fn lost_answer(lost: TransportError) -> ApiCheck {
    let (what, hint) = match lost {
        TransportError::NotSent(what) => (what, "check api_url, and the way to the Platform"),
        TransportError::Unanswered(what)
        | TransportError::TimedOut(what)
        | TransportError::CutShort(what) => (what, "check the way to the Platform"),
        TransportError::Unreadable(what) => (what, NOT_THE_API),
        TransportError::TooLarge => {
            ("the response is too long for a status".to_owned(), NOT_THE_API)
        }
    };
    ApiCheck::Failed { what, hint }
}

pub(super) fn no_access(error: &PlatformError) -> ApiCheck {
    let hint = "check api_key, and what the account may do; a proxy or filter may also respond so";
    ApiCheck::Failed { what: error.to_string(), hint }
}
