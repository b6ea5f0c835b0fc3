//! `ferry status`: where a submission is, and how it came there.

use clap::Args;
use serde::Serialize;

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::line::Line;
use super::show;
use super::target::Targets;
use super::ui::Ui;
use super::watch::until_settled;
use crate::app::App;
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::{LastRequest, TimelineEntry};

/// Show state, reason and timeline of submissions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ferry status 01KDXB8W4S9ZT2M3Q5R7V1C6HY
  ferry status --json 01KDXB8W4S9ZT2M3Q5R7V1C6HY | jq .timeline")]
pub(super) struct Status {
    #[command(flatten)]
    targets: Targets,
    /// Follow them until finished or held, as `ferry watch` does.
    #[arg(short, long)]
    follow: bool,
}

#[derive(Serialize)]
struct WithTimeline {
    #[serde(flatten)]
    view: SubmissionView,
    timeline: Vec<TimelineEntry>,
}

impl Status {
    pub(super) async fn run(self, app: App, ui: &Ui) -> Result<Exit, CliError> {
        let ids = self.targets.find(app.store.as_ref()).await?;
        let mut exit = Exit::Done;
        if self.follow {
            exit = Exit::of(&until_settled(&ids, None, &app, ui).await?);
        }
        for id in ids {
            let view = fetch(app.store.as_ref(), id).await?;
            let timeline = app.store.timeline(id).await?;
            if ui.json {
                ui.object(&WithTimeline { view, timeline })?;
                continue;
            }
            for line in describe(&view, &timeline, app.clock.now()) {
                ui.out(line)?;
            }
        }
        Ok(exit)
    }
}

/// A submission and its timeline, in lines.
pub(super) fn describe(
    view: &SubmissionView,
    timeline: &[TimelineEntry],
    now: Timestamp,
) -> Vec<Line> {
    let mut rows = vec![
        ("name", Line::from(&view.name)),
        ("account", Line::from(&view.account)),
        ("state", show::state(view.state)),
        ("", words::remark(view, now).into()),
        (
            "progress",
            format!(
                "{}, {}",
                words::counted(view.upload_attempts, "upload"),
                words::counted(view.polls, "poll")
            )
            .into(),
        ),
        ("deadline", words::time(view.deadline).into()),
    ];
    if let Some(id) = view.revision_of {
        rows.push(("revision of", id.into()));
    }
    if let Some(token) = &view.processing_token {
        rows.push(("token", token.into()));
    }
    if let Some(LastRequest { at, step, response }) = &view.last_request {
        let text = format!("{}, {step}: {response}", words::time(*at));
        rows.push(("last request", text.into()));
    }
    for (key, value) in &view.labels {
        rows.push(("label", format!("{key}={value}").into()));
    }
    for stored in &view.results {
        let size = words::size(stored.bytes);
        let result = format!("{} ({size}): `ferry results {}`", stored.key, view.id);
        rows.push(("result", result.into()));
    }
    if let Some(stored) = &view.feedback {
        let size = words::size(stored.bytes);
        rows.push(("feedback", format!("{size}: `ferry feedback {}`", view.id).into()));
    }
    if let Some(next) = words::next(view) {
        rows.push(("next", next.into()));
    }
    let mut lines = vec![Line::from(view.id)];
    lines.extend(
        rows.into_iter().map(|(label, text)| Line::from(format!("  {label:<12} ")).and(text)),
    );
    lines.push("  timeline".into());
    lines.extend(timeline.iter().map(timeline_line));
    lines
}

fn timeline_line(entry: &TimelineEntry) -> Line {
    let line = Line::from(format!("    {}  ", words::time(entry.at)));
    if entry.message.is_empty() {
        line.and(show::state(entry.state))
    } else {
        line.and(show::padded_state(entry.state)).and("  ").and(&entry.message)
    }
}
