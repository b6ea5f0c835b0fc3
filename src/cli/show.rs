//! Submissions as people read them.

use console::Style;

use super::error::{CliError, Exit};
use super::follow::fetch;
use super::line::Line;
use super::ui::Ui;
use crate::app::App;
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::submission::State;
use ferry_types::domain::{SubmissionId, Timestamp};

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
    line.and("  ").and(words::remark(view, now)).trimmed()
}

/// Shows the outcomes of submissions that were waited for; the first ones that ended badly with a hint.
pub(super) fn outcome(views: &[SubmissionView], now: Timestamp, ui: &Ui) -> std::io::Result<()> {
    const HINTS: usize = 3;
    for view in views {
        self::view(view, now, ui)?;
    }
    let ended = views.iter().filter(|view| view.state.is_final());
    ended.filter_map(words::next).take(HINTS).for_each(|next| ui.hint(&next));
    Ok(())
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
