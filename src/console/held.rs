//! The decision about a held submission: what is known of its uploads, and what each decision does.

use askama::Template;

use super::acts::{Act, resolutions};
use super::frame::Frame;
use super::list::Row;
use super::submission::{Line, folded};
use super::text::{Moment, Sentence, number, visible};
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::TimelineEntry;

/// A text of the dataset, as it was sent.
#[derive(Debug)]
pub(crate) struct Text {
    /// `data` or `event_data`.
    pub(crate) name: &'static str,
    /// Number of its rows.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "held.html")]
pub(crate) struct HeldPage {
    frame: Frame,
    row: Row,
    reason: Sentence,
    /// Names and values.
    facts: Vec<(&'static str, String)>,
    created: Moment,
    texts: Vec<(&'static str, String, String, String)>,
    timeline: Vec<Line>,
    /// The other submissions of the name.
    others: String,
    acts: Vec<Act>,
}

impl HeldPage {
    /// The page of a held submission; `texts` is empty if the store does not have its dataset.
    pub(crate) fn new(
        frame: Frame,
        view: &SubmissionView,
        texts: &[Text],
        timeline: Vec<TimelineEntry>,
        now: Timestamp,
    ) -> Self {
        let text = |text: &Text| {
            (text.name, number(text.rows), words::size(text.bytes), text.sha256.clone())
        };
        let mut others = form_urlencoded::Serializer::new(String::new());
        others.append_pair("account", &view.account).append_pair("name", &view.name);
        Self {
            frame,
            row: Row::new(view, now),
            reason: view.reason.as_deref().unwrap_or("the reason is not known").into(),
            facts: facts(view),
            created: view.created_at.into(),
            texts: texts.iter().map(text).collect(),
            timeline: folded(timeline),
            others: format!("/console/submissions?{}", others.finish()),
            acts: resolutions(view),
        }
    }
}

fn facts(view: &SubmissionView) -> Vec<(&'static str, String)> {
    let overwrite = if view.overwrite { "allowed by the producer" } else { "not allowed" };
    let mut facts = vec![
        ("account", visible(&view.account)),
        ("uploads sent", number(view.upload_attempts.into())),
        ("overwrite", overwrite.to_owned()),
    ];
    facts.extend(view.reason_code.map(|code| ("reason code", code.to_string())));
    facts.extend(view.processing_token.as_deref().map(|token| ("token", visible(token))));
    facts
}
