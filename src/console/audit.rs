//! The audit log: who did what, newest first.

use askama::Template;
use form_urlencoded::Serializer;

use super::frame::Frame;
use super::text::{Moment, Sentence, visible};
use ferry_types::contract::{AuditRecordView, AuditView};

/// The filters of the page, as they stand in its URL.
#[derive(Debug, Default)]
pub(crate) struct AuditFilters {
    /// Name of the key or the user.
    pub(crate) actor: String,
    /// A part of the action.
    pub(crate) action: String,
    /// The id of the request.
    pub(crate) request: String,
    /// True of a page that continues an earlier one.
    pub(crate) is_continued: bool,
}

impl AuditFilters {
    fn path(&self, cursor: &str) -> String {
        let mut query = Serializer::new(String::new());
        let fields = [
            ("actor", &*self.actor),
            ("action", &self.action),
            ("request", &self.request),
            ("cursor", cursor),
        ];
        query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        format!("/console/audit?{}", query.finish())
    }
}

/// A record.
#[derive(Debug)]
struct Line {
    number: u64,
    at: Moment,
    actor: String,
    via: String,
    action: String,
    details: String,
    outcome: String,
    client: String,
    request: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    frame: Frame,
    filters: AuditFilters,
    lines: Vec<Line>,
    error: Option<Sentence>,
    older: Option<String>,
    newest: Option<String>,
    unreadable: u64,
}

impl AuditPage {
    /// The page of these records, or of the error for which there are none.
    pub(crate) fn new(
        frame: Frame,
        filters: AuditFilters,
        found: Result<AuditView, String>,
    ) -> Self {
        let (found, error) = match found {
            Ok(found) => (found, None),
            Err(error) => (AuditView::default(), Some(error.as_str().into())),
        };
        Self {
            lines: found.records.iter().map(line).collect(),
            error,
            older: found.next_cursor.map(|cursor| filters.path(&cursor)),
            newest: filters.is_continued.then(|| filters.path("")),
            unreadable: found.unreadable,
            frame,
            filters,
        }
    }
}

fn line(record: &AuditRecordView) -> Line {
    let text = |text: &Option<String>| text.as_deref().map(visible).unwrap_or_default();
    Line {
        number: record.n,
        at: record.at.into(),
        actor: visible(&record.actor),
        via: visible(&record.via),
        action: visible(&record.action),
        details: text(&record.details),
        outcome: record.outcome.as_deref().map_or_else(|| "intent".to_owned(), visible),
        client: text(&record.client),
        request: text(&record.request),
    }
}
