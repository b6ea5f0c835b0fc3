//! The result of an operator's check of the Upload API: the status of a dataset is requested that does
//! not exist.

use std::collections::HashMap;

use super::response::{Pages, PlatformResponse};
use super::scrub::Scrubber;
use super::shape::status_word;
use super::status_map::StatusMap;
use super::wire::TransportError;
use ferry_types::domain::outcome::PlatformError;

/// A processing token that no Platform issues.
pub(super) const NO_SUCH: &str = "ferry-doctor";

/// The path of a status between two that no Upload API has, in the order of their requests.
pub(super) const PATHS: [&str; 3] = ["GetNothing", "GetResults", "GetNowhere"];

/// The result of a check of the Upload API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiCheck {
    /// The Platform responded; also in words, where that needs showing.
    Responded(Option<String>),
    /// It does not respond, or something else does.
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

/// True if the response may be that of a server that responds so to all paths.
pub(super) fn may_be_of_any_path(response: &PlatformResponse, words: &StatusMap) -> bool {
    match response.status.as_u16() {
        404 => true,
        200..300 => !is_known_status(response, words),
        _ => false,
    }
}

/// Any server may respond with a word: it has to be one that the configuration knows.
fn is_known_status(response: &PlatformResponse, words: &StatusMap) -> bool {
    status_word(&response.text(), words).is_some_and(|word| words.knows(&word))
}

/// The meaning of `response`; `around` are those to [`PATHS`], if they were requested.
pub(super) fn judge(
    response: &PlatformResponse,
    around: &[PlatformResponse],
    words: &StatusMap,
    scrubber: &Scrubber,
) -> ApiCheck {
    let failed = |what: String, hint| ApiCheck::Failed { what, hint };
    let shown = response.shown(scrubber, &[]);
    let said = format!("it says ({}): {shown}", response.status.as_u16());
    let with_body = format!("{}: {shown}", response.described("api_url"));
    match response.status.as_u16() {
        300..400 => failed(response.described("api_url"), NOT_THE_API),
        _ if response.is_web_page(Pages::Never) || response.declares_page() => {
            failed(with_body, NOT_THE_API)
        }
        200..300 if is_known_status(response, words) => ApiCheck::Responded(None),
        429 => ApiCheck::Responded(Some(response.described("api_url"))),
        404 | 200..300 if response.body.is_empty() => failed(with_body, NOT_THE_API),
        404 | 200..300 if are_alike(around) => failed(with_body, NOT_THE_API),
        404 => ApiCheck::Responded(None),
        202 | 204..=206 | 405 | 407 | 410 | 421 => failed(with_body, NOT_THE_API),
        200..300 => ApiCheck::Responded(Some(said)),
        400..500 => failed(said, DENIED),
        _ => failed(with_body, "the Platform, or a proxy before it, has an outage: try later"),
    }
}

/// True for responses of a server that knows none of [`PATHS`]: that to the status differs from the others
/// no more than they do from each other. Ids, times and counters differ each time, in any language.
fn are_alike(around: &[PlatformResponse]) -> bool {
    let [before, response, after] = around else { return false };
    let are_of_one_status = before.status == response.status && after.status == response.status;
    let [before, response, after] = [before, response, after].map(text_without_path);
    let most = differences(&before, &after);
    are_of_one_status
        && differences(&before, &response) <= most
        && differences(&response, &after) <= most
}

fn text_without_path(response: &PlatformResponse) -> String {
    let text = response.text().to_lowercase();
    PATHS.iter().fold(text, |text, path| text.replace(&path.to_lowercase(), ""))
}

/// Number of words that one text has and the other has not.
fn differences(one: &str, other: &str) -> i64 {
    let is_mark = |c: char| !c.is_alphanumeric() && !"-_.:+/=~%".contains(c);
    let mut counts: HashMap<&str, i64> = HashMap::new();
    for (text, count) in [(one, 1), (other, -1)] {
        for word in text.split(is_mark).filter(|word| !word.is_empty()) {
            *counts.entry(word).or_default() += count;
        }
    }
    counts.values().map(|count| count.abs()).sum()
}

pub(super) fn lost_response(lost: TransportError) -> ApiCheck {
    let (what, hint) = match lost {
        TransportError::NotSent(what) => (what, "check api_url, and the way to the Platform"),
        TransportError::NoResponse(what)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::endpoint::STATUS;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    /// True if a server that responds so to these three paths is not taken for the Upload API.
    fn is_any_server(bodies: [&str; 3]) -> bool {
        let around = bodies.map(|body| PlatformResponse {
            endpoint: STATUS,
            status: StatusCode::NOT_FOUND,
            headers: HeaderMap::new(),
            body: body.into(),
        });
        are_alike(&around)
    }

    #[test]
    fn a_404_that_differs_by_ids_times_and_paths_alone_is_that_of_a_web_server() {
        for bodies in [
            [r#"{"id":"a1b2-77"}"#, r#"{"id":"c3d4-78"}"#, r#"{"id":"e5f6-79"}"#],
            ["nichts da: qpwo", "nichts da: eiru", "nichts da: tyzm"],
            [
                r#"{"path":"/api/getnothing","at":"12:00:00Z","code":40400}"#,
                r#"{"path":"/api/GetResults","at":"12:00:01Z","code":40400}"#,
                r#"{"path":"/api/GetNowhere","at":"12:00:01Z","code":40400}"#,
            ],
            ["Kein Weg GetNothing?key=1", "Kein Weg GetResults?key=1", "Kein Weg GetNowhere?key=1"],
        ] {
            assert!(is_any_server(bodies), "{bodies:?}");
        }
    }

    #[test]
    fn a_404_in_other_words_or_with_another_code_is_that_of_the_platform() {
        for bodies in [
            [
                r#"{"code":40400,"id":"a1"}"#,
                r#"{"code":40401,"id":"b2"}"#,
                r#"{"code":40400,"id":"c3"}"#,
            ],
            ["no route 7", "unknown token ferry-doctor 8", "no route 9"],
            ["", "token inconnu", ""],
        ] {
            assert!(!is_any_server(bodies), "{bodies:?}");
        }
    }
}
