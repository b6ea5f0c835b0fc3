//! The webhooks of a state: their last delivery, the next one, and the act that delivers again.

use askama::Template;
use form_urlencoded::Serializer;

use super::account_filter::AccountFilter;
use super::acts::{Act, redeliver};
use super::frame::Frame;
use super::text::{Mark, Moment, visible};
use ferry_types::contract::{SubmissionView, WebhookView};
use ferry_types::domain::submission::WebhookState;

/// The filters of the page, as they stand in its URL.
#[derive(Debug)]
pub(crate) struct WebhookFilters {
    /// State of the webhooks.
    pub(crate) state: WebhookState,
    /// Accounts of their submissions.
    pub(crate) accounts: Vec<String>,
    /// True of a page that continues an earlier one.
    pub(crate) is_continued: bool,
}

impl WebhookFilters {
    fn path(&self, page: &str, more: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(more);
        query.extend_pairs(self.accounts.iter().map(|account| ("account", account)));
        format!("{page}?{}", query.finish())
    }
}

/// A webhook.
#[derive(Debug)]
pub(crate) struct WebhookRow {
    id: String,
    name: String,
    account: String,
    state: Mark,
    url: String,
    /// Time, number and result of the last delivery.
    last: Option<(Moment, String)>,
    next: Option<Moment>,
    act: Option<Act>,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "webhooks.html")]
pub(crate) struct WebhooksPage {
    frame: Frame,
    filters: WebhookFilters,
    accounts: AccountFilter,
    rows: Vec<WebhookRow>,
    older: Option<String>,
    newest: Option<String>,
    /// The plan that delivers all of them again.
    all: Option<String>,
}

impl WebhooksPage {
    /// The page of what was found.
    pub(crate) fn new(
        frame: Frame,
        filters: WebhookFilters,
        found: Vec<(SubmissionView, WebhookView)>,
        next: Option<String>,
    ) -> Self {
        let may_operate = frame.may_operate();
        let state = filters.state.as_str();
        let path = |cursor: &str| {
            let more = [("state", state), ("cursor", cursor)];
            filters.path("/console/webhooks", &more[..if cursor.is_empty() { 1 } else { 2 }])
        };
        let plan = || {
            let more = [("action", "redeliver"), ("of", "all"), ("webhook", state)];
            filters.path("/console/bulk", &more)
        };
        let rows: Vec<WebhookRow> =
            found.into_iter().map(|(view, webhook)| row(&view, &webhook, may_operate)).collect();
        Self {
            accounts: AccountFilter::new(&frame, &filters.accounts),
            older: next.map(|cursor| path(&cursor)),
            newest: filters.is_continued.then(|| path("")),
            all: (may_operate && !rows.is_empty()).then(plan),
            rows,
            frame,
            filters,
        }
    }
}

fn row(view: &SubmissionView, webhook: &WebhookView, may_operate: bool) -> WebhookRow {
    let last = webhook.deliveries.last().map(|delivery| {
        let status = delivery.status.map(|status| format!(" {status}")).unwrap_or_default();
        let said = format!("attempt {}: {}{status}", delivery.attempt, delivery.result.as_str());
        (delivery.at.into(), said)
    });
    WebhookRow {
        id: view.id.to_string(),
        name: visible(&view.name),
        account: visible(&view.account),
        state: view.state.into(),
        url: webhook.webhook_url.as_deref().map(visible).unwrap_or_default(),
        last,
        next: webhook.next_at.map(Moment::from),
        act: redeliver(view).filter(|_| may_operate),
    }
}
