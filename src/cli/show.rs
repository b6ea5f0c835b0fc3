//! Submissions as people read them.

use std::time::Duration;

use console::Style;

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::line::Line;
use super::ui::Ui;
use crate::app::App;
use ferry_types::contract::{SubmissionView, WaitingFor};
use ferry_types::domain::account::BlockReason;
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{SubmissionId, Timestamp, until};

/// Shows submissions that a command has changed.
pub(super) async fn all(ids: &[SubmissionId], app: &App, ui: &Ui) -> Result<Exit, CliError> {
    for id in ids {
        view(&fetch(app.store.as_ref(), *id).await?, app.clock.now(), ui)?;
    }
    Ok(Exit::Done)
}

/// A submission that was accepted just now, as a line for people.
pub(super) fn accepted(id: SubmissionId, name: &str) -> Line {
    let line = Line::from(id).and("  ").and(padded_state(State::Queued));
    line.and("  ").and(Line::from(name).truncated(32))
}

/// A submission, as a line for people or an object for programs.
pub(super) fn view(view: &SubmissionView, now: Timestamp, ui: &Ui) -> std::io::Result<()> {
    if ui.json { ui.object(view) } else { ui.out(line(view, now)) }
}

/// A state in its color.
pub(super) fn state(state: State) -> Line {
    let style = match state {
        State::Completed => Style::new().green(),
        State::Rejected => Style::new().yellow(),
        State::Failed => Style::new().red(),
        State::Held => Style::new().magenta(),
        State::Cancelled => Style::new().dim(),
        State::Queued | State::Uploading | State::Processing | State::Collecting => {
            Style::new().cyan()
        }
    };
    Line::styled(style, state.as_str())
}

/// A state in its color, as wide as any.
pub(super) fn padded_state(state: State) -> Line {
    self::state(state).padded(10)
}

/// Narrowest column of names.
const NAME: usize = 20;

/// One line: id, state, name, and what there is to say.
pub(super) fn line(view: &SubmissionView, now: Timestamp) -> Line {
    line_with(&Line::from(&view.name).truncated(32), view, now)
}

/// The same among lines that come one by one: each has the columns of the others.
pub(super) fn progress(view: &SubmissionView, now: Timestamp) -> Line {
    line_with(&Line::from(&view.name).truncated(NAME), view, now)
}

fn line_with(name: &Line, view: &SubmissionView, now: Timestamp) -> Line {
    let name = name.padded(NAME);
    let line = Line::from(view.id).and("  ").and(padded_state(view.state)).and("  ").and(name);
    line.and("  ").and(remark(view, now)).trimmed()
}

/// Why it is where it is, or what comes next.
pub(super) fn remark(view: &SubmissionView, now: Timestamp) -> String {
    if view.state.is_final() && !view.refetching {
        let took = view.finished_at.map_or(Duration::ZERO, |end| until(view.created_at, end));
        let took = format!("after {}, {}", duration(took), counted(view.polls, "poll"));
        return match &view.reason {
            Some(reason) => format!("{reason} ({took})"),
            None => took,
        };
    }
    let waits = view.waiting_for.as_ref().map(|waiting| waiting_for(waiting, view, now));
    // Why an account is paused is often what befell this very submission: once is enough.
    let is_new = |reason: &&String| waits.as_ref().is_none_or(|w| !w.contains(reason.as_str()));
    match (view.reason.as_ref().filter(is_new), waits) {
        (Some(reason), Some(waits)) => format!("{reason}; {waits}"),
        (Some(reason), None) => format!("{reason}; running"),
        (None, Some(waits)) => waits,
        (None, None) => "running".to_owned(),
    }
}

/// The reason that a submission waits, in words.
pub(super) fn waiting_for(waiting: &WaitingFor, view: &SubmissionView, now: Timestamp) -> String {
    match waiting {
        WaitingFor::DueTime { at, step } => {
            let next = match step {
                StepKind::Upload => "upload",
                StepKind::Poll => "poll",
                StepKind::Collect => "fetch",
                StepKind::Deliver => "webhook",
            };
            let wait = until(now, *at);
            // Far away, the time itself says more.
            if wait > Duration::from_hours(1) {
                format!("next {next} at {}", time(*at))
            } else {
                format!("next {next} in {}", duration(wait))
            }
        }
        WaitingFor::Worker { .. } => "waits for a worker".to_owned(),
        WaitingFor::Account(BlockReason::Paused { reason }) => {
            format!(
                "account `{0}` is paused: {reason}; `ferry resume {0}` resumes it",
                view.account
            )
        }
        WaitingFor::Account(BlockReason::Throttled { until: at }) => {
            format!(
                "the Platform throttles account `{}` for {}",
                view.account,
                duration(until(now, *at))
            )
        }
        WaitingFor::Account(BlockReason::LimitReached { until: at }) => {
            let delay = duration(until(now, *at));
            format!("account `{}` is at its limit for {delay}", view.account)
        }
        WaitingFor::Account(BlockReason::BreakerOpen { until: at }) => {
            let delay = duration(until(now, *at));
            format!("circuit breaker of account `{}` is open, next probe in {delay}", view.account)
        }
        WaitingFor::Predecessor { submission } => {
            format!("waits for {submission} of the same name; `ferry status {submission}`")
        }
        WaitingFor::Resolution => {
            format!("decide with `ferry resolve {} --overwrite`, `--retry` or `--fail`", view.id)
        }
    }
}

/// The next action of an operator for one that ended badly, or whose account is not configured; while one waits for
/// something else, its remark says so.
pub(super) fn next(view: &SubmissionView) -> Option<String> {
    let id = view.id;
    match view.state {
        State::Rejected if view.feedback.is_none() => {
            Some(format!("`ferry resubmit {id} FILE` submits it again, overwriting the dataset"))
        }
        State::Rejected => Some(format!(
            "`ferry feedback {id}` shows the rows; `ferry resubmit {id} FILE` submits the corrected file"
        )),
        State::Failed => Some(format!("`ferry retry {id}` retries the step that failed")),
        _ if matches!(view.waiting_for, Some(WaitingFor::Worker { .. })) => {
            Some("`ferry worker` runs it, unless a worker is busy with others".to_owned())
        }
        _ => None,
    }
}

/// Shows the outcomes of submissions that were waited for; the first ones that ended badly with a hint.
pub(super) fn outcome(views: &[SubmissionView], now: Timestamp, ui: &Ui) -> std::io::Result<()> {
    const HINTS: usize = 3;
    for view in views {
        self::view(view, now, ui)?;
    }
    let ended = views.iter().filter(|view| view.state.is_final());
    ended.filter_map(next).take(HINTS).for_each(|next| ui.hint(&next));
    Ok(())
}

/// A time, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A span, as exact as a person wants it.
pub(super) fn duration(duration: Duration) -> String {
    /// From two days on, only days are counted.
    const DAYS: u64 = 2 * 86_400;
    let rounded = match duration.as_secs() {
        0 => Duration::from_millis(duration.as_millis() as u64),
        1..10 => Duration::from_millis(duration.as_millis() as u64 / 100 * 100),
        10..3600 => Duration::from_secs(duration.as_secs()),
        seconds @ 3600..DAYS => Duration::from_secs(seconds / 60 * 60),
        seconds => return format!("{} days", seconds / 86_400),
    };
    humantime::format_duration(rounded).to_string()
}

/// `1 poll`, `2 polls`.
pub(super) fn counted(count: impl Into<u64>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// A size in bytes.
pub(super) fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Rows in columns as wide as their widest cell; the last one is left as it is.
pub(super) fn table(rows: &[Vec<Line>]) -> Vec<Line> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(Line::width).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Line>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| cell.padded(*width));
        let joined = cells.reduce(|line, cell| line.and("  ").and(cell));
        joined.unwrap_or_default().trimmed()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_as_exact_as_its_length_deserves() {
        let shown = |millis| duration(Duration::from_millis(millis));
        let hour = 3_600_000;
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(234), "234ms");
        assert_eq!(shown(1234), "1s 200ms");
        assert_eq!(shown(61_234), "1m 1s");
        assert_eq!(shown(hour + 61_234), "1h 1m");
        assert_eq!(shown(47 * hour), "1day 23h");
        assert_eq!(shown(49 * hour), "2 days");
    }
}
