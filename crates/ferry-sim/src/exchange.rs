//! Requests and responses as plain data.

use std::time::Duration;

/// A request to the Platform.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The sender, as the log of requests names it.
    pub caller: String,
    /// The method, in capitals.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, or an empty text.
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Path, and query.
    pub(super) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

/// A response of the Platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, encoded as the headers say.
    pub body: Vec<u8>,
}

/// Way of a response to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once and whole.
    Whole,
    /// The connection breaks instead.
    Broken,
    /// After a delay.
    Late(Duration),
    /// Byte by byte, with a delay before each.
    Slow(Duration),
    /// The connection breaks in the middle of the body.
    Cut,
    /// With so many bytes instead of the body.
    Enormous(u64),
}

/// A request that the Platform executed, and the response to deliver.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The response.
    pub response: Response,
    /// The way of the response.
    pub delivery: Delivery,
    /// Number of the request, counted from 1; 0 for a request to a path that does not exist.
    pub number: u64,
    /// Name and processing token of the upload that the response reports as stored.
    pub(super) reports: Option<(String, String)>,
}
