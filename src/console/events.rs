//! The newest state changes, as they happen.

use askama::Template;
use form_urlencoded::Serializer;

use super::frame::Frame;
use super::list::Choice;
use super::text::{Mark, Moment, visible};
use ferry_types::domain::submission::{ReasonCode, State};
use ferry_types::domain::{SubmissionId, Timestamp};

/// A change of a state.
#[derive(Debug)]
pub(crate) struct Change {
    /// Its time.
    pub(crate) at: Timestamp,
    /// The submission.
    pub(crate) id: SubmissionId,
    /// Its dataset name.
    pub(crate) name: String,
    /// Its account.
    pub(crate) account: String,
    /// The state from then on.
    pub(crate) state: State,
    /// The reason, where there is one.
    pub(crate) reason: Option<ReasonCode>,
}

/// The filters of the page, as they stand in its URL.
#[derive(Debug, Default)]
pub(crate) struct EventFilters {
    /// States.
    pub(crate) states: Vec<State>,
    /// Dataset name.
    pub(crate) name: String,
    /// Account.
    pub(crate) account: String,
}

#[derive(Debug)]
struct Line {
    at: Moment,
    id: String,
    name: String,
    account: String,
    state: Mark,
    reason: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "events.html")]
pub(crate) struct EventsPage {
    frame: Frame,
    filters: EventFilters,
    choices: Vec<Choice>,
    changes: Vec<Line>,
    /// The parameters of the same stream.
    query: String,
}

impl EventsPage {
    /// The page of these changes, newest first.
    pub(crate) fn new(frame: Frame, filters: EventFilters, changes: Vec<Change>) -> Self {
        let line = |change: Change| Line {
            at: change.at.into(),
            id: change.id.to_string(),
            name: visible(&change.name),
            account: visible(&change.account),
            state: change.state.into(),
            reason: change.reason.map(|code| code.to_string()).unwrap_or_default(),
        };
        let mut query = Serializer::new(String::new());
        query.extend_pairs(filters.states.iter().map(|state| ("state", state.as_str())));
        let fields = [("name", &*filters.name), ("account", &filters.account)];
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        Self {
            choices: Choice::all(&filters.states),
            changes: changes.into_iter().map(line).collect(),
            query: if query.is_empty() { query } else { format!("?{query}") },
            frame,
            filters,
        }
    }
}
