//! Follows state changes, and continues at its position when a connection breaks.

use std::fmt;
use std::pin::Pin;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use super::client::Client;
use super::error::ClientError;
use super::messages::{Message, Messages};
use super::sending::{self, ClientRequest, RequestSender};
use ferry_types::contract::{Problem, ProblemKind, StateEvent};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// The events to stream.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of submissions that come into one of these states; any if empty.
    pub states: Vec<State>,
    /// Of submissions with exactly this name.
    pub name: Option<String>,
    /// Of submissions of one of these accounts; of all that the key sees if empty.
    pub accounts: Vec<String>,
    /// Of this submission alone.
    pub submission: Option<SubmissionId>,
    /// Of submissions with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Those after this position, from [`EventStream::last`], or all that are retained after
    /// [`EventQuery::START`]; those from now on if none.
    pub after: Option<String>,
}

impl EventQuery {
    /// Position before the first event.
    pub const START: &str = "0";
}

type Opening = Pin<Box<dyn Future<Output = Result<Response, ClientError>> + Send>>;

/// The connection; where it breaks, the next one is on its way.
enum Link {
    Open(Response),
    Opening(Opening),
}

/// State changes in their order: none is left out or comes twice, whatever happens to connections and
/// servers meanwhile.
pub struct EventStream {
    sender: RequestSender,
    query: EventQuery,
    link: Link,
    messages: Messages,
    /// Connections in a row that broke without a message.
    silent: u32,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("query", &self.query).finish_non_exhaustive()
    }
}

impl Client {
    /// Streams state changes from now on, or after an earlier event. Every change after this has returned
    /// is in the stream.
    pub async fn events(&self, query: &EventQuery) -> Result<EventStream, ClientError> {
        let (sender, query) = (self.sender.clone(), query.clone());
        let link = Link::Open(open(&sender, &query).await?);
        let messages = Messages::default();
        let mut stream = EventStream { sender, query, link, messages, silent: 0 };
        let greeting = stream.message().await?;
        if greeting.event != "ready" || greeting.id.is_none() {
            return Err(foreign("a stream without a greeting"));
        }
        Ok(stream)
    }
}

impl EventStream {
    /// Returns the next event, however long that takes. A lost connection is opened again, with as many
    /// attempts as any request. An error ends nothing: the next call continues after the last event. Only
    /// a [`ProblemKind::Gone`] is returned again: the next events are not retained, or the store lost data
    /// or is another one. List the submissions then, and open another stream. Dropped before it is ready,
    /// this takes nothing out of the stream.
    pub async fn next(&mut self) -> Result<StateEvent, ClientError> {
        loop {
            let message = self.message().await?;
            match message.event.as_str() {
                "" | "message" => {
                    let event = serde_json::from_str(&message.data);
                    return event.map_err(|error| foreign(&format!("an event: {error}")));
                }
                "gone" => return Err(gone(&message.data)),
                // It only has the position of the stream.
                _ => {}
            }
        }
    }

    /// Position after the last event, or after one that the filter left out: another stream of the same
    /// API key continues `after` it. It is opaque, and one position may be written in several ways.
    pub fn last(&self) -> String {
        self.query.after.clone().unwrap_or_else(|| EventQuery::START.to_owned())
    }

    async fn message(&mut self) -> Result<Message, ClientError> {
        loop {
            if let Some(message) = self.messages.next() {
                if let Some(id) = &message.id {
                    self.query.after = Some(id.clone());
                }
                self.silent = 0;
                return Ok(message);
            }
            let ended = match &mut self.link {
                Link::Opening(opening) => match opening.await {
                    Ok(response) => {
                        self.link = Link::Open(response);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Link::Open(response) => match response.chunk().await {
                    Ok(Some(bytes)) if self.messages.push(&bytes).is_ok() => continue,
                    Ok(Some(_)) => Err(foreign("what is longer than any event")),
                    Ok(None) => Ok("the stream ended".to_owned()),
                    Err(error) => Ok(sending::describe(error)),
                },
            };
            self.reopen();
            // A server that stops ends its streams; another one continues them.
            let broken = ended?;
            self.silent += 1;
            if self.silent > self.sender.max_attempts {
                return Err(ClientError::Unreachable(broken));
            }
        }
    }

    /// Begins to connect again, from after the last message on.
    fn reopen(&mut self) {
        self.messages = Messages::default();
        let (sender, query, silent) = (self.sender.clone(), self.query.clone(), self.silent);
        self.link = Link::Opening(Box::pin(async move {
            sending::delay(silent).await;
            open(&sender, &query).await
        }));
    }
}

fn foreign(what: &str) -> ClientError {
    ClientError::Foreign { status: 200, what: what.to_owned() }
}

async fn open(sender: &RequestSender, query: &EventQuery) -> Result<Response, ClientError> {
    let mut url = sender.url("/v1/events");
    let mut pairs: Vec<(&str, String)> = Vec::new();
    pairs.extend(query.states.iter().map(|state| ("state", state.to_string())));
    pairs.extend(query.name.iter().map(|name| ("name", name.clone())));
    pairs.extend(query.accounts.iter().map(|account| ("account", account.clone())));
    pairs.extend(query.labels.iter().map(|(key, value)| ("label", format!("{key}={value}"))));
    pairs.extend(query.submission.iter().map(|id| ("id", id.to_string())));
    pairs.extend(query.after.iter().map(|after| ("after", after.clone())));
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    let response = sender.open(&ClientRequest::get(url)).await?;
    match sending::text(&response, CONTENT_TYPE) {
        Some(kind) if kind.starts_with("text/event-stream") => Ok(response),
        _ => Err(foreign("no stream of events")),
    }
}

/// The events after the last one are not retained.
fn gone(data: &str) -> ClientError {
    let describe: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let detail = describe["detail"].as_str().unwrap_or_default();
    ClientError::Problem(Box::new(Problem::new(ProblemKind::Gone, detail)))
}
