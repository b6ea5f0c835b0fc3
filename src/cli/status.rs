//! `ferry status`: where a submission is, and how it came there.

use clap::Args;
use serde::Serialize;

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::show;
use super::ui::Ui;
use crate::app::App;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::TimelineEntry;

/// Show state, reason and timeline of submissions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry status 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry status --json 01KDXB8W4S9ZT2M3Q5R7V1C6HY | jq .timeline")]
pub(super) struct Status {
    /// The submissions.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<SubmissionId>,
}

#[derive(Serialize)]
struct WithTimeline {
    #[serde(flatten)]
    view: SubmissionView,
    timeline: Vec<TimelineEntry>,
}

impl Status {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        for id in self.ids {
            let view = fetch(app.store.as_ref(), id).await?;
            let timeline = app.store.timeline(id).await?;
            if ui.json {
                ui.object(&WithTimeline { view, timeline })?;
                continue;
            }
            for line in describe(&view, &timeline, &app) {
                ui.out(line)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn describe(view: &SubmissionView, timeline: &[TimelineEntry], app: &App) -> Vec<String> {
    let now = app.clock.now();
    let mut rows = vec![
        ("name", view.name.clone()),
        ("account", view.account.clone()),
        ("state", show::state(view.state)),
        ("", show::remark(view, now)),
        (
            "progress",
            format!(
                "{}, {}",
                show::counted(view.upload_attempts, "upload"),
                show::counted(view.polls, "poll")
            ),
        ),
        ("deadline", show::time(view.deadline)),
    ];
    if let Some(id) = view.revision_of {
        rows.push(("revision of", id.to_string()));
    }
    if let Some(token) = &view.processing_token {
        rows.push(("token", token.clone()));
    }
    for (key, value) in &view.labels {
        rows.push(("label", format!("{key}={value}")));
    }
    for stored in &view.results {
        let size = show::size(stored.bytes);
        rows.push(("result", format!("{} ({size}): `ferry results {}`", stored.key, view.id)));
    }
    if let Some(stored) = &view.feedback {
        let size = show::size(stored.bytes);
        rows.push(("feedback", format!("{size}: `ferry feedback {}`", view.id)));
    }
    if let Some(next) = show::next(view) {
        rows.push(("next", next));
    }
    let mut lines = vec![view.id.to_string()];
    lines.extend(rows.iter().map(|(label, text)| format!("  {label:<11} {text}")));
    lines.push("  timeline".to_owned());
    lines.extend(timeline.iter().map(|entry| {
        let message =
            if entry.message.is_empty() { String::new() } else { format!("  {}", entry.message) };
        let state = if message.is_empty() {
            show::state(entry.state)
        } else {
            show::padded_state(entry.state)
        };
        format!("    {}  {state}{message}", show::time(entry.at))
    }));
    lines
}
