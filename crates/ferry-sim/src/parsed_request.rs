//! Requests taken apart.

use serde::Deserialize;

use super::exchange::Request;
use super::faults::Endpoint;

/// The body of `UploadData`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct UploadData {
    pub(super) name: String,
    pub(super) data: String,
    #[serde(default)]
    pub(super) event_data: Option<String>,
    pub(super) username: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) overwrite: serde_json::Value,
}

/// The query of `GetResults`.
#[derive(Debug, Default)]
pub(super) struct ResultsQuery {
    pub(super) token: String,
    pub(super) data_key: String,
    pub(super) key: String,
    /// True if a parameter is missing, doubled or unknown.
    pub(super) is_strange: bool,
}

/// A request to one of the endpoints.
#[derive(Debug)]
pub(super) struct ParsedRequest<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) request: &'a Request,
    pub(super) query: ResultsQuery,
    /// The body of an upload, if it can be read.
    pub(super) upload: Option<UploadData>,
}

impl<'a> ParsedRequest<'a> {
    /// Returns `None` for a path or a method that does not exist.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        let (path, query) = request.path_and_query();
        let query = results_query(query);
        let endpoint = match (request.method.as_str(), path) {
            ("POST", "/connect/token") => Endpoint::Token,
            ("POST", "/upload/UploadData") => Endpoint::Upload,
            ("GET", "/upload/GetResults") => match query.data_key.as_str() {
                "status" => Endpoint::Status,
                "feedback" => Endpoint::Feedback,
                _ => Endpoint::Results,
            },
            _ => return None,
        };
        let is_upload = endpoint == Endpoint::Upload && media_type(request) == "application/json";
        let upload = is_upload.then(|| serde_json::from_slice(&request.body).ok()).flatten();
        Some(Self { endpoint, request, query, upload })
    }

    pub(super) fn access_token(&self) -> Option<&str> {
        self.request.header("authorization").strip_prefix("Bearer ")
    }

    /// The dataset that the request is about, by name or processing token.
    pub(super) fn dataset(&self) -> Option<&str> {
        match self.endpoint {
            Endpoint::Token => None,
            Endpoint::Upload => self.upload.as_ref().map(|upload| upload.name.as_str()),
            Endpoint::Status | Endpoint::Feedback | Endpoint::Results => Some(&self.query.token),
        }
    }
}

/// The content type in lower case, without parameters.
pub(super) fn media_type(request: &Request) -> String {
    let content_type = request.header("content-type").to_ascii_lowercase();
    content_type.split(';').next().unwrap_or_default().trim().to_owned()
}

fn results_query(query: &str) -> ResultsQuery {
    let mut results = ResultsQuery::default();
    let mut names = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "token" => results.token = value.into_owned(),
            "dataKey" => results.data_key = value.into_owned(),
            "key" => results.key = value.into_owned(),
            _ => {}
        }
        names.push(name);
    }
    names.sort_unstable();
    results.is_strange = names != ["dataKey", "key", "token"];
    results
}
