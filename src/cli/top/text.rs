//! Lines and styles of the screen: the colors are those of the other commands.

use console::colors_enabled;
use ratatui::style::{Color, Style};
use ratatui::text::Line;

use ferry_types::domain::submission::State;

/// Lines of text in the width of the screen; those that are continued are indented.
pub(super) fn wrapped(text: &str, width: u16, style: Style) -> Vec<Line<'static>> {
    let indent = text.len() - text.trim_start().len() + 2;
    let indent = " ".repeat(indent.min(usize::from(width) / 2));
    let options = textwrap::Options::new(width.into()).subsequent_indent(&indent);
    // Ids and tokens stay whole.
    let options = options.word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(|line| Line::styled(line.into_owned(), style)).collect()
}

/// The style of something that is wrong.
pub(super) fn severe(severity: &str) -> Style {
    match severity {
        "bad" => colored(Color::Red).bold(),
        "warn" => colored(Color::Yellow),
        _ => Style::new(),
    }
}

/// The style of a state, as the other commands have it.
pub(super) fn of_state(state: State) -> Style {
    match state {
        State::Completed => colored(Color::Green),
        State::Rejected => colored(Color::Yellow),
        State::Failed => colored(Color::Red),
        State::Held => colored(Color::Magenta),
        State::Cancelled => Style::new().dim(),
        State::Queued | State::Uploading | State::Processing | State::Collecting => {
            colored(Color::Cyan)
        }
    }
}

/// A color, where colors are wanted.
fn colored(color: Color) -> Style {
    if colors_enabled() { Style::new().fg(color) } else { Style::new() }
}
