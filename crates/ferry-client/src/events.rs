//! Listens to what changes, and goes on where it was when the connection breaks.

use std::fmt;
use std::pin::Pin;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

use super::messages::{Message, Messages};
use super::sending::{self, ClientRequest, RequestSender};
use super::{Client, ClientError};
use ferry_types::contract::{EventId, Problem, ProblemKind, StateEvent};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::State;

/// Which events to hear.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of submissions that come into one of these states; any if empty.
    pub states: Vec<State>,
    /// Of submissions with exactly this Name.
    pub name: Option<String>,
    /// Of submissions of this account.
    pub account: Option<String>,
    /// Of this submission alone.
    pub submission: Option<SubmissionId>,
    /// Of submissions with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Those after this one, as [`EventStream::last`] said, or all that are retained after
    /// [`EventId::START`]; those from now on if none.
    pub after: Option<EventId>,
}

type Opening = Pin<Box<dyn Future<Output = Result<Response, ClientError>> + Send>>;

/// The connection; where it breaks, the next one is on its way.
enum Link {
    Open(Response),
    Opening(Opening),
}

/// What changes, event by event, in their order: none is left out or comes twice, whatever becomes of
/// connections and servers meanwhile.
pub struct EventStream {
    sender: RequestSender,
    query: EventQuery,
    link: Link,
    messages: Messages,
    /// Connections in a row that broke without a word.
    silent: u32,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("query", &self.query).finish_non_exhaustive()
    }
}

impl Client {
    /// Listens to what changes from now on, or from after an earlier event. What happens once this has
    /// returned is told.
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
    /// The next event, however long that takes. A connection that is lost is made anew, tried as often as
    /// any call. An error ends nothing: whoever asks again goes on after the last event that was told.
    /// Only a [`ProblemKind::Gone`] stays one: what came next is not kept any more, or the store lost
    /// data or is another one. List the submissions, and listen anew. Dropped before it is ready, it takes nothing out of the stream.
    pub async fn next(&mut self) -> Result<StateEvent, ClientError> {
        loop {
            let message = self.message().await?;
            match message.event.as_str() {
                "" | "message" => {
                    let event = serde_json::from_str(&message.data);
                    return event.map_err(|error| foreign(&format!("an event: {error}")));
                }
                "gone" => return Err(gone(&message.data)),
                // It only says where the stream is.
                _ => {}
            }
        }
    }

    /// The id of the last event that was told, or passed over as not asked for: kept, it is where another
    /// stream goes on (`after`).
    pub fn last(&self) -> EventId {
        self.query.after.clone().unwrap_or_default()
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
            self.open_anew();
            // A server that stops ends its streams; another one, or the next, goes on.
            let broken = ended?;
            self.silent += 1;
            if self.silent > self.sender.tries {
                return Err(ClientError::Unreachable(broken));
            }
        }
    }

    /// Begins to connect again, from after the last message on.
    fn open_anew(&mut self) {
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
    pairs.extend(query.account.iter().map(|account| ("account", account.clone())));
    pairs.extend(query.labels.iter().map(|(key, value)| ("label", format!("{key}={value}"))));
    pairs.extend(query.submission.iter().map(|id| ("id", id.to_string())));
    pairs.extend(query.after.iter().map(|after| ("after", after.to_string())));
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    let response = sender.open(&ClientRequest::get(url)).await?;
    match sending::text(&response, CONTENT_TYPE) {
        Some(kind) if kind.starts_with("text/event-stream") => Ok(response),
        _ => Err(foreign("no stream of events")),
    }
}

/// What came after the last event is not kept any more.
fn gone(data: &str) -> ClientError {
    let describe: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let detail = describe["detail"].as_str().unwrap_or_default();
    ClientError::Problem(Box::new(Problem::new(ProblemKind::Gone, detail)))
}
