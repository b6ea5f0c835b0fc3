//! The newest state changes, as they happen.

use askama::Template;
use form_urlencoded::Serializer;

use super::account_filter::AccountFilter;
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
    /// Accounts.
    pub(crate) accounts: Vec<String>,
    /// True of a page that continues an earlier one.
    pub(crate) is_continued: bool,
}

impl EventFilters {
    /// The filters as parameters.
    fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.states.iter().map(|state| ("state", state.as_str())));
        query.extend_pairs(self.accounts.iter().map(|account| ("account", account)));
        let name = Some(("name", &*self.name)).filter(|(_, name)| !name.is_empty());
        query.extend_pairs(name.iter().chain(more));
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }
}

#[derive(Debug)]
struct Line {
    /// Differs for each change, and is the same each time.
    key: String,
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
    accounts: AccountFilter,
    changes: Vec<Line>,
    /// The parameters of the same stream.
    query: String,
    older: Option<String>,
    newest: Option<String>,
}

impl EventsPage {
    /// The page of these changes, newest first; `next` is the position of older ones.
    pub(crate) fn new(
        frame: Frame,
        filters: EventFilters,
        changes: Vec<Change>,
        next: Option<&str>,
    ) -> Self {
        let line = |change: Change| Line {
            key: format!("{}-{}-{}", change.id, change.at.timestamp_millis(), change.state),
            at: change.at.into(),
            id: change.id.to_string(),
            name: visible(&change.name),
            account: visible(&change.account),
            state: change.state.into(),
            reason: change.reason.map(|code| code.to_string()).unwrap_or_default(),
        };
        let path = |more: &[(&str, &str)]| format!("/console/events{}", filters.query(more));
        Self {
            choices: Choice::all(&filters.states),
            accounts: AccountFilter::new(&frame, &filters.accounts),
            changes: changes.into_iter().map(line).collect(),
            query: filters.query(&[]),
            older: next.map(|cursor| path(&[("cursor", cursor)])),
            newest: filters.is_continued.then(|| path(&[])),
            frame,
            filters,
        }
    }
}
