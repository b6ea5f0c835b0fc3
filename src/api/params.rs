//! The parameters of a URL: what is not understood is an error, never ignored.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Uri;

use super::error::ApiError;
use ferry_types::contract::ProblemKind;
use ferry_types::domain::Timestamp;

/// A time in the words of RFC 3339, or what was expected.
pub(super) fn time(text: &str) -> Result<Timestamp, &'static str> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| "expected a time such as 2026-01-31T18:00:00Z")
}

/// Parameters that were not asked for yet.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The value of a parameter that stands there once at most.
    pub(super) fn take(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        let mut values = self.take_all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(ApiError::invalid(format!("the parameter `{name}` stands there twice"))),
        }
    }

    /// All values of a parameter.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<String> {
        let (taken, left) =
            std::mem::take(&mut self.0).into_iter().partition(|(other, _)| other == name);
        self.0 = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    pub(super) fn number(&mut self, name: &str, expected: &str) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let wrong = |_| ApiError::invalid(format!("the parameter `{name}`: expected {expected}"));
        value.parse().map(Some).map_err(wrong)
    }

    /// A parameter that stands there without a value, or with `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.take(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("" | "true") => Ok(true),
            Some(_) => Err(ApiError::invalid(format!(
                "the parameter `{name}`: expected `true` or `false`"
            ))),
        }
    }

    pub(super) fn duration(&mut self, name: &str) -> Result<Option<Duration>, ApiError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        humantime::parse_duration(&value).map(Some).map_err(|_| {
            let what = format!("the parameter `{name}`: expected a duration such as 500ms or 30s");
            ApiError::invalid(what)
        })
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(value) = self.take(name)? else { return Ok(None) };
        let wrong = |what| ApiError::invalid(format!("the parameter `{name}`: {what}"));
        time(&value).map(Some).map_err(wrong)
    }

    /// The labels that something must have, each as `label=KEY=VALUE`.
    pub(super) fn labels(&mut self) -> Result<BTreeMap<String, String>, ApiError> {
        let mut labels = BTreeMap::new();
        for label in self.take_all("label") {
            let (key, value) = label
                .split_once('=')
                .ok_or_else(|| ApiError::invalid("the parameter `label`: expected KEY=VALUE"))?;
            if labels.insert(key.to_owned(), value.to_owned()).is_some_and(|other| other != value) {
                let what = "the parameter `label`: nothing has two values of one label";
                return Err(ApiError::invalid(what));
            }
        }
        Ok(labels)
    }

    /// What is left, in its order.
    pub(super) fn rest(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub(super) fn done(self) -> Result<(), ApiError> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(40).flat_map(char::escape_debug).collect();
                let what = format!("there is no parameter `{name}` here");
                Err(ApiError::new(ProblemKind::InvalidRequest, what))
            }
        }
    }
}
