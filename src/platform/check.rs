//! Checks the Upload API for an operator: by the status of a dataset that does not exist.

use reqwest::StatusCode;

use super::answer::{Answer, Pages};
use super::shape::status_word;
use super::wire::{self, Lost};
use super::{Platform, SHORT, STATUS};
use ferry_types::domain::outcome::Trouble;

/// A processing token that no Platform issues.
const NO_TOKEN: &str = "ferry-doctor";

/// What the Upload API answers.
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

const NOT_THE_API: &str = "check api_url: what answers there is not the Upload API";

impl Platform {
    /// Asks for the status of a dataset that does not exist.
    pub async fn check_api(&self) -> ApiCheck {
        let url = self.results_url(NO_TOKEN, "status");
        let answer = match self.ask(STATUS, SHORT, &[], |http| http.get(url())).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(lost)) => return lost_answer(lost),
            Err(trouble) => return no_access(&trouble),
        };
        let failed = |what: String, hint| ApiCheck::Failed { what, hint };
        let shown = answer.shown(&self.scrubber, &[]);
        let said = format!("it says ({}): {shown}", answer.status.as_u16());
        let with_body = format!("{}: {shown}", answer.described("api_url"));
        match answer.status.as_u16() {
            300..400 => failed(answer.described("api_url"), NOT_THE_API),
            _ if answer.is_web_page(Pages::Never) => failed(with_body, NOT_THE_API),
            200..300 if status_word(&answer.text(), &self.account.status_words).is_some() => {
                ApiCheck::Answered(None)
            }
            429 => ApiCheck::Answered(Some(answer.described("api_url"))),
            404 if answer.body.is_empty() || self.answers_anything_so(&answer).await => {
                failed(with_body, NOT_THE_API)
            }
            404 => ApiCheck::Answered(None),
            405 | 407 | 410 | 421 => failed(with_body, NOT_THE_API),
            200..300 | 400..500 => ApiCheck::Answered(Some(said)),
            _ => failed(with_body, "the Platform, or a proxy before it, is in trouble: try later"),
        }
    }

    /// True if a path that the Upload API does not have is answered alike: then what answers is a web
    /// server that knows neither.
    async fn answers_anything_so(&self, answer: &Answer) -> bool {
        let url = wire::below(&self.api_url, NO_TOKEN);
        let other = self.ask(STATUS, SHORT, &[], |http| http.get(url.clone())).await;
        let Ok(Ok(other)) = other else { return false };
        let path_is_not_told = |answer: &Answer| {
            let text = answer.text();
            text.replace(NO_TOKEN, "").replace("GetResults", "")
        };
        other.status == StatusCode::NOT_FOUND
            && path_is_not_told(&other) == path_is_not_told(answer)
    }
}

fn lost_answer(lost: Lost) -> ApiCheck {
    let (what, hint) = match lost {
        Lost::NotSent(what) => (what, "check api_url, and the way to the Platform"),
        Lost::Unanswered(what) => (what, "check the way to the Platform"),
        Lost::Unreadable(what) => (what, NOT_THE_API),
        Lost::TooLarge => {
            (format!("{STATUS}: the answer is longer than {SHORT} bytes"), NOT_THE_API)
        }
    };
    ApiCheck::Failed { what, hint }
}

fn no_access(trouble: &Trouble) -> ApiCheck {
    let hint = "check api_key, and what the account may do; a proxy or filter may also answer so";
    ApiCheck::Failed { what: trouble.to_string(), hint }
}
