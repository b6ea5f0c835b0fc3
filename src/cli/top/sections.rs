//! The sections of the overview, one below the other: what has no room is left out, what is wrong never.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, HighlightSpacing, Paragraph, Row, Table, TableState};

use super::model::Model;
use super::reading::Reading;
use super::text::{of_state, severe, wrapped};
use crate::queue::unfinished;
use crate::words;
use ferry_types::contract::{AccountView, StepView, SubmissionView};
use ferry_types::domain::dataset::grouped;
use ferry_types::domain::submission::{State, StepKind};
use ferry_types::domain::{escape, until};

/// Height from which on the steps are shown, with their header.
const STEPS_FROM: u16 = 18;
const STEPS: u16 = 1 + StepKind::ALL.len() as u16;

/// Width of an id.
const ID: u16 = 26;

/// Width from which on ids are shown whole.
const WIDE: u16 = 110;

/// Draws the overview.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let wrong = wrong(model, area.width);
    let Some(reading) = &model.reading else {
        frame.render_widget(Paragraph::new(wrong), area);
        return;
    };
    let summary = summary(reading, area.width);
    let accounts = reading.stats.accounts.len() as u16 + 1;
    let steps = if area.height >= STEPS_FROM { STEPS } else { 0 };
    // Something of each section is seen, however much is wrong.
    let most = (area.height / 3).max(1);
    let heights =
        [(wrong.len() as u16).min(most), (summary.len() as u16).min(area.height / 4), steps];
    let left = area.height.saturating_sub(heights.iter().sum());
    let accounts = accounts.min((left / 2).max(2));
    let areas = Layout::vertical(
        heights
            .map(Constraint::Length)
            .into_iter()
            .chain([Constraint::Length(accounts), Constraint::Fill(1)]),
    );
    let [wrong_area, summary_area, steps_area, accounts_area, failures_area] = areas.areas(area);
    frame.render_widget(Paragraph::new(wrong), wrong_area);
    frame.render_widget(Paragraph::new(summary), summary_area);
    if steps > 0 {
        draw_steps(frame, reading, steps_area);
    }
    draw_accounts(frame, model, reading, accounts_area);
    draw_failures(frame, model, reading, failures_area);
}

/// All that is wrong, in sentences.
fn wrong(model: &Model, width: u16) -> Vec<Line<'static>> {
    let found = model.wrong();
    if found.is_empty() {
        let said = if model.reading.is_some() { "All is fine." } else { "reading" };
        return vec![Line::from(said)];
    }
    let lines = found.iter().flat_map(|(severity, sentence)| {
        let sign = if *severity == "note" { "-" } else { "!" };
        wrapped(&format!("{sign} {}", escape(sentence)), width, severe(severity))
    });
    lines.collect()
}

/// The states, the slots, and the pace.
fn summary(reading: &Reading, width: u16) -> Vec<Line<'static>> {
    let stats = &reading.stats;
    let mut states: Vec<Vec<Span<'static>>> = vec![Vec::new()];
    let mut used = 0;
    for state in State::ALL {
        let count: u64 = stats.accounts.iter().filter_map(|one| one.states.get(&state)).sum();
        let text = format!("{} {state}", grouped(count));
        let style = if count > 0 { of_state(state) } else { Style::new().dim() };
        if used > 0 && used + 2 + text.len() > usize::from(width) {
            states.push(Vec::new());
            used = 0;
        }
        used += text.len() + 2;
        states.last_mut().into_iter().for_each(|line| {
            line.push(Span::styled(text.clone(), style));
            line.push("  ".into());
        });
    }
    let slots = match stats.total.running {
        1 => "1 slot in use".to_owned(),
        count => format!("{} slots in use", grouped(count)),
    };
    let oldest = stats.total.oldest_ready_seconds.map(age);
    let oldest =
        oldest.map_or("no step is ready".to_owned(), |age| format!("oldest ready step {age}"));
    let pace = match reading.pace {
        None => "measuring the pace".to_owned(),
        Some(pace) => format!("{:.1} finished a minute", pace * 60.0),
    };
    let drain = stats.drain_seconds.filter(|seconds| *seconds >= 1.0).map(age);
    let drain = drain.map(|drain| format!(", estimated drain time {drain}")).unwrap_or_default();
    let unfinished = format!("{} unfinished", grouped(stats.unfinished));
    let text = format!("{unfinished}, {slots}, {oldest}, {pace}{drain}");
    let states = states.into_iter().map(Line::from);
    states.chain(wrapped(&text, width, Style::new())).collect()
}

fn age(seconds: f64) -> String {
    words::duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
}

fn header(titles: impl IntoIterator<Item = String>) -> Row<'static> {
    Row::new(titles.into_iter().map(Cell::from)).bold().underlined()
}

/// The counts of steps, as cells: running, ready, scheduled, oldest.
fn counts(steps: &[StepView]) -> [String; 4] {
    let sum = |count: fn(&StepView) -> u64| grouped(steps.iter().map(count).sum());
    let oldest = steps.iter().filter_map(|step| step.oldest_ready_seconds).reduce(f64::max);
    let oldest = oldest.map_or("-".to_owned(), age);
    [sum(|step| step.running), sum(|step| step.ready), sum(|step| step.scheduled), oldest]
}

const COUNTS: [&str; 4] = ["RUNNING", "READY", "SCHEDULED", "OLDEST"];

fn columns<const COLUMNS: usize>(widths: [u16; COLUMNS]) -> impl Iterator<Item = Constraint> {
    widths.into_iter().map(Constraint::Length)
}

fn draw_steps(frame: &mut Frame<'_>, reading: &Reading, area: Rect) {
    let row = |kind: StepKind| {
        let accounts = reading.stats.accounts.iter();
        let steps: Vec<StepView> =
            accounts.filter_map(|one| one.steps.get(&kind)).copied().collect();
        Row::new([kind.to_string()].into_iter().chain(counts(&steps)))
    };
    let titles = ["STEP"].into_iter().chain(COUNTS).map(str::to_owned);
    let rows = StepKind::ALL.into_iter().map(row);
    table(frame, rows, columns([25, 7, 6, 9, 8]), header(titles), None, area);
}

fn draw_accounts(frame: &mut Frame<'_>, model: &Model, reading: &Reading, area: Rect) {
    let accounts = &reading.stats.accounts;
    let row = |account: &AccountView| {
        let steps: Vec<StepView> = account.steps.values().copied().collect();
        let style = if account.blocked_by.is_some() { severe("warn") } else { Style::new() };
        let cells = [escape(&account.account), grouped(unfinished(account))].into_iter();
        let cells = cells.chain(counts(&steps)).map(Cell::from);
        Row::new(cells.chain([Cell::from(escape(&account.condition)).style(style)]))
    };
    let title = format!("ACCOUNT ({})", accounts.len());
    let titles = [title, "UNFINISHED".to_owned()].into_iter();
    let titles = titles.chain(COUNTS.map(str::to_owned)).chain(["NOW".to_owned()]);
    let widths = columns([14, 10, 7, 6, 9, 8]).chain([Constraint::Fill(1)]);
    let place = Some(model.place()).filter(|place| *place < accounts.len());
    table(frame, accounts.iter().map(row), widths, header(titles), place, area);
}

fn draw_failures(frame: &mut Frame<'_>, model: &Model, reading: &Reading, area: Rect) {
    let is_wide = area.width >= WIDE;
    let row = |view: &SubmissionView| {
        let id = is_wide.then(|| Cell::from(view.id.to_string()));
        let age = words::duration(until(view.updated_at, model.now));
        let cells = [
            Cell::from(view.state.as_str()).style(of_state(view.state)),
            Cell::from(age),
            Cell::from(escape(&view.name)),
            Cell::from(escape(&words::remark(view, model.now))),
        ];
        Row::new(id.into_iter().chain(cells))
    };
    let titles = ["NEWEST FAILURES", "AGE", "NAME", "REMARK"].map(str::to_owned);
    let titles = is_wide.then(|| "ID".to_owned()).into_iter().chain(titles);
    let widths = columns([15, 8, 20]).chain([Constraint::Fill(1)]);
    let widths = is_wide.then_some(Constraint::Length(ID)).into_iter().chain(widths);
    let before = reading.stats.accounts.len();
    let place = model.place().checked_sub(before);
    table(frame, reading.failures.iter().map(row), widths, header(titles), place, area);
}

/// A table with the cursor on one of its rows, if it is there; the others move so that it is seen.
fn table(
    frame: &mut Frame<'_>,
    rows: impl Iterator<Item = Row<'static>>,
    widths: impl Iterator<Item = Constraint>,
    header: Row<'static>,
    place: Option<usize>,
    area: Rect,
) {
    let table = Table::new(rows, widths).header(header).column_spacing(1);
    let table = table.highlight_symbol("> ").row_highlight_style(Style::new().reversed());
    let table = table.highlight_spacing(HighlightSpacing::Always);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(place));
}
