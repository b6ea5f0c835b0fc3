//! Draws the screen of `ferry top`. Whatever is foreign in it is escaped: nothing of it reaches the terminal raw.

use console::measure_text_width;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::model::{Mode, Model};
use super::sections;
use super::selected::Selected;
use super::text::{severe, wrapped};
use crate::cli::pause::REASON;
use ferry_types::domain::escape;

const HELP: &str = "\
Keys
  Up Down k j      move the cursor over accounts and submissions
  PageUp PageDown  move faster, or scroll
  Enter i          inspect the account or the submission
  p                pause the account, after the question for a reason
  r                resume the account, after a question
  ? h              this help
  Esc q            back; from the overview, q ends
  Ctrl-C           end

Terms
  ready      due steps: they wait for a worker, a blocked account or a predecessor
  scheduled  steps that are due later, such as the next poll
  running    steps in a slot of a worker
  oldest     time for which the oldest ready step has been due
  held       held for a decision: `ferry resolve ID`

Pausing and resuming are recorded in the audit log, if there is one. `ferry worker` runs steps;
this screen runs none.";

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let asks = matches!(model.mode, Mode::Pause { .. } | Mode::Resume(_));
    let footer = if asks { 2 } else { 1 };
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(footer.min(frame.area().height.saturating_sub(1))),
    ]);
    let [title, body, foot] = areas.areas(frame.area());
    draw_title(frame, model, title);
    match &model.mode {
        Mode::Help => {
            let lines = HELP.lines().flat_map(|line| wrapped(line, body.width, Style::new()));
            scrolling(frame, lines.collect(), model, body);
        }
        Mode::Inspect(selected) => {
            let lines = inspected(model, selected, body.width);
            scrolling(frame, lines, model, body);
        }
        Mode::Overview | Mode::Pause { .. } | Mode::Resume(_) => {
            sections::draw(frame, model, body);
        }
    }
    draw_footer(frame, model, foot);
}

fn draw_title(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let read = model.reading.as_ref().map(|reading| reading.at);
    let time = read.map_or("reading".to_owned(), |at| at.format("%H:%M:%S UTC").to_string());
    let left = format!("ferry top  {}", escape(&model.location));
    let width = usize::from(area.width).saturating_sub(time.len() + 2);
    let left: String = left.chars().take(width).collect();
    let line = format!("{left:<width$}  {time}");
    frame.render_widget(Line::styled(line, Style::new().bold()), area);
}

/// The lines of what is inspected, once they are read.
fn inspected(model: &Model, selected: &Selected, width: u16) -> Vec<Line<'static>> {
    let read = model.reading.as_ref().and_then(|reading| reading.inspected.as_ref());
    // They are escaped since they became lines of the command line.
    let lines = match read {
        Some((of, lines)) if of == selected => lines.join("\n"),
        _ => "reading".to_owned(),
    };
    let wrong = model.error.iter().flat_map(|error| {
        let what = format!("the store cannot be read: {}", escape(error));
        wrapped(&what, width, severe("bad"))
    });
    wrong.chain(lines.lines().flat_map(|line| wrapped(line, width, Style::new()))).collect()
}

/// Lines that the keys scroll.
fn scrolling(frame: &mut Frame<'_>, lines: Vec<Line<'_>>, model: &mut Model, area: Rect) {
    let last = (lines.len() as u16).saturating_sub(area.height);
    model.scrolled = model.scrolled.min(last);
    frame.render_widget(Paragraph::new(lines).scroll((model.scrolled, 0)), area);
}

fn draw_footer(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let lines = match (&model.mode, &model.message) {
        (Mode::Pause { account, reason }, _) => {
            let (account, reason) = (escape(account), escape(reason));
            let question = format!("pause account `{account}`, reason [{REASON}]: {reason}_");
            // The end of a long reason is what is written now.
            let over = measure_text_width(&question).saturating_sub(area.width.into());
            let shown: String = question.chars().skip(over).collect();
            vec![Line::from(shown).bold(), Line::from("Enter pauses it  Esc does not")]
        }
        (Mode::Resume(account), _) => {
            let question = format!("resume account `{}`?", escape(account));
            vec![Line::from(question).bold(), Line::from("Enter resumes it  Esc does not")]
        }
        (_, Some(message)) => vec![Line::from(escape(message)).bold()],
        (Mode::Overview, None) => {
            vec![Line::from("Up Down Enter inspect  p pause  r resume  ? help  q quit").dim()]
        }
        (Mode::Help | Mode::Inspect(_), None) => {
            vec![Line::from("Up Down scroll  p pause  r resume  Esc back").dim()]
        }
    };
    frame.render_widget(Paragraph::new(lines), area);
}
