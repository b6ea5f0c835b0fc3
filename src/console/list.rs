//! The list of submissions, and the rows that other pages show, too.

use askama::Template;
use form_urlencoded::Serializer;

use super::account_filter::AccountFilter;
use super::acts::{BULK, BulkChoice};
use super::frame::Frame;
use super::text::{Mark, Moment, Sentence, visible};
use crate::words;
use ferry_types::contract::{SubmissionPage as Listed, SubmissionView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{State, WaitReason};

/// A submission in a list.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its id.
    pub(crate) id: String,
    /// Its state.
    pub(crate) state: Mark,
    /// Dataset name.
    pub(crate) name: String,
    /// Account.
    pub(crate) account: String,
    /// Reason for the state, and what comes next.
    pub(crate) remark: Sentence,
    /// Time of acceptance.
    pub(crate) created: Moment,
}

impl Row {
    pub(super) fn new(view: &SubmissionView, now: Timestamp) -> Self {
        Self {
            id: view.id.to_string(),
            state: view.state.into(),
            name: visible(&view.name),
            account: visible(&view.account),
            remark: words::remark(view, now).as_str().into(),
            created: view.created_at.into(),
        }
    }
}

/// The filters of the list, as they stand in its URL.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// States.
    pub(crate) states: Vec<State>,
    /// Dataset name.
    pub(crate) name: String,
    /// Accounts.
    pub(crate) accounts: Vec<String>,
    /// Label, as KEY=VALUE.
    pub(crate) label: String,
    /// Accepted at this time or later.
    pub(crate) created_after: String,
    /// Accepted before this time.
    pub(crate) created_before: String,
    /// State of the webhook.
    pub(crate) webhook: String,
    /// Reason to wait.
    pub(crate) waiting_for: String,
    /// Filters for which the form has a field only when they are there: further labels, and whose revisions are
    /// listed.
    pub(crate) others: Vec<(&'static str, String)>,
    /// True of a page that continues an earlier one.
    pub(crate) is_continued: bool,
}

impl Filters {
    /// The fields of a form with these filters.
    pub(crate) fn fields(&self) -> Vec<(&'static str, &str)> {
        let states = self.states.iter().map(|state| ("state", state.as_str()));
        let accounts = self.accounts.iter().map(|account| ("account", account.as_str()));
        let fields = [
            ("name", &*self.name),
            ("label", &self.label),
            ("created_after", &self.created_after),
            ("created_before", &self.created_before),
            ("webhook", &self.webhook),
            ("waiting_for", &self.waiting_for),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let others = self.others.iter().map(|(name, value)| (*name, &**value));
        states.chain(accounts).chain(fields).chain(others).collect()
    }

    /// The path of the page with these filters, which continues at `cursor`.
    pub(crate) fn path(&self, cursor: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.fields());
        if !cursor.is_empty() {
            query.append_pair("cursor", cursor);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/console/submissions{mark}{query}")
    }

    /// The reasons to wait, as words and as people read them, and whether each is chosen.
    fn reasons(&self) -> [(&'static str, &'static str, bool); WaitReason::ALL.len()] {
        WaitReason::ALL.map(|reason| {
            let text = match reason {
                WaitReason::DueTime => "its due time",
                WaitReason::Worker => "a worker",
                WaitReason::Paused => "the end of a pause",
                WaitReason::Throttled => "the end of a throttling",
                WaitReason::LimitReached => "a limit of its account",
                WaitReason::BreakerOpen => "the circuit breaker",
                WaitReason::Predecessor => "an earlier one of its name",
                WaitReason::Resolution => "a decision",
            };
            (reason.as_str(), text, self.waiting_for == reason.as_str())
        })
    }

    /// The further fields of the form: name, label and value.
    fn further(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let words = |name| if name == "label" { "And label" } else { "Revisions of" };
        self.others.iter().map(move |(name, value)| (*name, words(*name), &**value))
    }

    fn is_empty(&self) -> bool {
        self.path("") == "/console/submissions"
    }
}

/// A state among the filters.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The state.
    pub(crate) state: Mark,
    /// True if it is chosen.
    pub(crate) is_chosen: bool,
}

impl Choice {
    /// All states, of which these are chosen.
    pub(super) fn all(chosen: &[State]) -> Vec<Self> {
        let choice =
            |state: State| Self { state: state.into(), is_chosen: chosen.contains(&state) };
        State::ALL.into_iter().map(choice).collect()
    }
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "submissions.html")]
pub(crate) struct ListPage {
    frame: Frame,
    filters: Filters,
    choices: Vec<Choice>,
    accounts: AccountFilter,
    rows: Vec<Row>,
    /// Records that cannot be read: id and cause.
    damaged: Vec<(String, String)>,
    older: Option<String>,
    newest: Option<String>,
    /// The acts on many of them; none if they are not offered.
    acts: &'static [BulkChoice],
}

impl ListPage {
    /// The page of what was found.
    pub(crate) fn new(frame: Frame, filters: Filters, found: Listed, now: Timestamp) -> Self {
        let damaged = found.damaged.into_iter();
        Self {
            choices: Choice::all(&filters.states),
            accounts: AccountFilter::new(&frame, &filters.accounts),
            rows: found.submissions.iter().map(|view| Row::new(view, now)).collect(),
            damaged: damaged.map(|record| (record.id, record.cause)).collect(),
            older: found.next_cursor.map(|cursor| filters.path(&cursor)),
            newest: filters.is_continued.then(|| filters.path("")),
            acts: if frame.may_operate() { &BULK } else { &[] },
            frame,
            filters,
        }
    }
}
