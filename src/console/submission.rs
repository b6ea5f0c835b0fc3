//! One submission: its state and why, its timeline, and what was stored for it.

use std::time::Duration;

use askama::Template;

use super::acts::{Act, of_submission};
use super::frame::Frame;
use super::list::Row;
use super::rows::{SeenRows, may_be_table, result_path, rows_path};
use super::text::{Mark, Moment, Sentence, visible};
use crate::words;
use ferry_types::contract::{SubmissionView, WaitingFor, WebhookView};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::{State, StoredContent, TimelineEntry};
use ferry_types::domain::{SubmissionId, Timestamp, until};

/// A submission with its history.
#[derive(Debug)]
pub(crate) struct Detail {
    /// The submission.
    pub(crate) view: SubmissionView,
    /// Its timeline, oldest first.
    pub(crate) timeline: Vec<TimelineEntry>,
    /// Its webhook.
    pub(crate) webhook: WebhookView,
    /// Size of the stored dataset.
    pub(crate) payload_bytes: u64,
    /// The first rows of a small result, and its key.
    pub(crate) preview: Option<(String, SeenRows)>,
    /// Its newest revisions, each with its state.
    pub(crate) revisions: Vec<(SubmissionId, State)>,
}

/// A line of the timeline; the same ones in a row are one.
#[derive(Debug)]
pub(crate) struct Line {
    /// Time of the change.
    pub(crate) at: Moment,
    /// The state from then on.
    pub(crate) state: Mark,
    /// Description of what happened.
    pub(crate) message: Sentence,
    /// Time since the line before.
    pub(crate) after: String,
    /// Number of the same ones.
    pub(crate) times: u64,
}

/// A stored result or feedback.
#[derive(Debug)]
pub(crate) struct Stored {
    key: String,
    size: String,
    link: String,
    /// The page of its rows, if it may be a table.
    rows: Option<String>,
}

/// The stored dataset.
#[derive(Debug)]
pub(crate) struct Dataset {
    size: String,
    link: String,
    rows: String,
}

/// The first rows of a result.
#[derive(Debug)]
pub(crate) struct Preview {
    key: String,
    rows: SeenRows,
    /// The page of all rows, if there are more.
    all: Option<String>,
}

/// A delivery of the webhook.
#[derive(Debug)]
pub(crate) struct Attempt {
    at: Moment,
    number: u32,
    result: &'static str,
    status: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "submission.html")]
pub(crate) struct SubmissionPage {
    frame: Frame,
    row: Row,
    next: Option<Sentence>,
    until: Option<Moment>,
    /// Names and values: the values are foreign text.
    facts: Vec<(&'static str, String)>,
    deadline: Moment,
    finished: Option<Moment>,
    last_request: Option<(Moment, String)>,
    revision_of: Option<String>,
    revisions: Vec<(String, Mark)>,
    labels: Vec<(String, String)>,
    timeline: Vec<Line>,
    dataset: Dataset,
    results: Vec<Stored>,
    feedback: Option<Stored>,
    preview: Option<Preview>,
    webhook: Option<String>,
    next_delivery: Option<Moment>,
    attempts: Vec<Attempt>,
    acts: Vec<Act>,
    /// The page of the decision about a held one.
    decide: Option<String>,
    /// The page that corrects it.
    correct: Option<String>,
    /// The reason for which an act was not done.
    conflict: Option<Sentence>,
}

impl SubmissionPage {
    /// The page of a submission.
    pub(crate) fn new(frame: Frame, detail: Detail, now: Timestamp) -> Self {
        let Detail { view, timeline, webhook, payload_bytes, preview, revisions } = detail;
        let may_decide = frame.may_operate() && view.state == State::Held;
        let acts = frame.may_operate().then(|| of_submission(&view, webhook.webhook_url.is_some()));
        let is_corrected = frame.may_submit() && view.state.is_final() && !view.refetching;
        let results = view.results.iter().map(|stored| stored_as(&view, stored));
        let feedback = view.feedback.as_ref();
        Self {
            frame,
            row: Row::new(&view, now),
            next: words::next(&view).as_deref().map(Sentence::from),
            until: view.waiting_for.as_ref().and_then(end_of).map(Moment::from),
            facts: facts(&view),
            deadline: view.deadline.into(),
            finished: view.finished_at.map(Moment::from),
            last_request: view.last_request.as_ref().map(|last| {
                (last.at.into(), visible(&format!("{}: {}", last.step, last.response)))
            }),
            revision_of: view.revision_of.map(|id| id.to_string()),
            revisions: revisions
                .iter()
                .map(|(id, state)| (id.to_string(), (*state).into()))
                .collect(),
            labels: view.labels.iter().map(|(k, v)| (visible(k), visible(v))).collect(),
            timeline: folded(timeline),
            results: results.collect(),
            feedback: feedback.map(|stored| Stored {
                link: format!("/console/submissions/{}/feedback", view.id),
                rows: None,
                ..stored_as(&view, stored)
            }),
            dataset: Dataset {
                size: words::size(payload_bytes),
                link: format!("/console/submissions/{}/data", view.id),
                rows: format!("/console/submissions/{}/rows", view.id),
            },
            preview: preview.map(|(key, rows)| Preview {
                all: rows.has_more().then(|| rows_path(&view, &key)),
                key: visible(&key),
                rows,
            }),
            webhook: webhook.webhook_url.as_deref().map(visible),
            next_delivery: webhook.next_at.map(Moment::from),
            attempts: attempts(&webhook),
            acts: acts.unwrap_or_default(),
            decide: may_decide.then(|| format!("/console/submissions/{}/resolve", view.id)),
            correct: is_corrected.then(|| format!("/console/submissions/{}/correct", view.id)),
            conflict: None,
        }
    }

    /// The same after an act that the state no longer allows.
    pub(crate) fn after_conflict(self, why: &str) -> Self {
        Self { conflict: Some(why.into()), ..self }
    }
}

/// The time at which a wait ends by itself.
fn end_of(waiting: &WaitingFor) -> Option<Timestamp> {
    match waiting {
        WaitingFor::DueTime { at, .. } => Some(*at),
        WaitingFor::Account(
            BlockReason::Throttled { until }
            | BlockReason::LimitReached { until }
            | BlockReason::BreakerOpen { until },
        ) => Some(*until),
        _ => None,
    }
}

fn facts(view: &SubmissionView) -> Vec<(&'static str, String)> {
    let progress = [(view.upload_attempts, "upload"), (view.polls, "poll")];
    let progress = progress.map(|(count, what)| words::counted(count, what)).join(", ");
    let mut facts = vec![
        ("account", visible(&view.account)),
        ("progress", progress),
        ("priority", view.priority.to_string()),
        ("overwrite", if view.overwrite { "yes" } else { "no" }.to_owned()),
        ("result keys", visible(&view.result_keys.join(", "))),
    ];
    facts.extend(view.reason_code.map(|code| ("reason code", code.to_string())));
    facts.extend(view.processing_token.as_deref().map(|token| ("token", visible(token))));
    facts
}

fn stored_as(view: &SubmissionView, stored: &StoredContent) -> Stored {
    let may_be_table = may_be_table(stored.content_type.as_deref());
    Stored {
        key: visible(&stored.key),
        size: words::size(stored.bytes),
        link: result_path(view, &stored.key),
        rows: may_be_table.then(|| rows_path(view, &stored.key)),
    }
}

pub(super) fn folded(timeline: Vec<TimelineEntry>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut last: Option<TimelineEntry> = None;
    for entry in timeline {
        let before = last.as_ref();
        let is_same =
            |last: &TimelineEntry| last.state == entry.state && last.message == entry.message;
        match lines.last_mut() {
            Some(line) if before.is_some_and(is_same) => line.times += 1,
            _ => {
                let waited = before.map(|last| until(last.at, entry.at));
                let waited = waited.filter(|waited| *waited >= Duration::from_secs(1));
                lines.push(Line {
                    at: entry.at.into(),
                    state: entry.state.into(),
                    message: entry.message.as_str().into(),
                    after: waited
                        .map(|waited| format!("after {}", words::duration(waited)))
                        .unwrap_or_default(),
                    times: 1,
                });
            }
        }
        last = Some(entry);
    }
    lines
}

fn attempts(webhook: &WebhookView) -> Vec<Attempt> {
    let attempt = |delivery: &ferry_types::domain::submission::Delivery| Attempt {
        at: delivery.at.into(),
        number: delivery.attempt,
        result: delivery.result.as_str(),
        status: delivery.status.map(|status| status.to_string()).unwrap_or_default(),
    };
    webhook.deliveries.iter().map(attempt).collect()
}
