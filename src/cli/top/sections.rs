//! The sections of the overview, one below the other: what has no room is left out, what is wrong never.

use std::time::Duration;

use console::truncate_str;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, HighlightSpacing, Paragraph, Row, Table, TableState};

use super::model::Model;
use super::reading::Reading;
use super::text::{of_state, severe, wrapped};
use crate::queue::{ALL_IS_FINE, unfinished};
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
        let said = if model.reading.is_some() { ALL_IS_FINE } else { "reading" };
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
    let processes = reading.processes.as_ref().map(|count| format!("; {count}"));
    let processes = processes.unwrap_or_default();
    let text = format!("{unfinished}, {slots}, {oldest}, {pace}{drain}{processes}");
    let states = states.into_iter().map(Line::from);
    states.chain(wrapped(&text, width, Style::new())).collect()
}

fn age(seconds: f64) -> String {
    words::duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
}

/// The counts of steps, as cells: running, ready, scheduled, oldest.
fn counts(steps: &[StepView]) -> [String; 4] {
    let sum = |count: fn(&StepView) -> u64| grouped(steps.iter().map(count).sum());
    let oldest = steps.iter().filter_map(|step| step.oldest_ready_seconds).reduce(f64::max);
    let oldest = oldest.map_or("-".to_owned(), age);
    [sum(|step| step.running), sum(|step| step.ready), sum(|step| step.scheduled), oldest]
}

const COUNTS: [&str; 4] = ["RUNNING", "READY", "SCHEDULED", "OLDEST"];

/// The cells of a row, each with its style.
type Cells = Vec<(String, Style)>;

fn draw_steps(frame: &mut Frame<'_>, reading: &Reading, area: Rect) {
    let row = |kind: StepKind| {
        let accounts = reading.stats.accounts.iter();
        let steps: Vec<StepView> =
            accounts.filter_map(|one| one.steps.get(&kind)).copied().collect();
        plain([kind.to_string()].into_iter().chain(counts(&steps)))
    };
    let titles = ["STEP"].into_iter().chain(COUNTS).map(str::to_owned);
    let rows = StepKind::ALL.into_iter().map(row);
    table(frame, area, (titles, &[25, 7, 6, 9]), rows, None);
}

fn draw_accounts(frame: &mut Frame<'_>, model: &Model, reading: &Reading, area: Rect) {
    let accounts = &reading.stats.accounts;
    let row = |account: &AccountView| {
        let steps: Vec<StepView> = account.steps.values().copied().collect();
        let is_well = account.findings.iter().all(|one| one.sentence != account.condition);
        let style = if is_well { Style::new() } else { severe("warn") };
        let cells = [escape(&account.account), grouped(unfinished(account))].into_iter();
        let mut cells = plain(cells.chain(counts(&steps)));
        cells.push((escape(&account.condition), style));
        cells
    };
    let title = format!("ACCOUNT ({})", accounts.len());
    let titles = [title, "UNFINISHED".to_owned()].into_iter();
    let titles = titles.chain(COUNTS.map(str::to_owned)).chain(["NOW".to_owned()]);
    let widths = [14, 10, 7, 6, 9, 8];
    let place = Some(model.place()).filter(|place| *place < accounts.len());
    table(frame, area, (titles, &widths), accounts.iter().map(row), place);
}

fn draw_failures(frame: &mut Frame<'_>, model: &Model, reading: &Reading, area: Rect) {
    let is_wide = area.width >= WIDE;
    let row = |view: &SubmissionView| {
        let id = is_wide.then(|| (view.id.to_string(), Style::new()));
        let age = words::duration(until(view.updated_at, model.now));
        let cells = [
            (view.state.as_str().to_owned(), of_state(view.state)),
            (age, Style::new()),
            (escape(&view.name), Style::new()),
            (escape(&words::remark(view, model.now)), Style::new()),
        ];
        id.into_iter().chain(cells).collect()
    };
    let titles = ["NEWEST FAILURES", "AGE", "NAME", "REMARK"].map(str::to_owned);
    let titles = is_wide.then(|| "ID".to_owned()).into_iter().chain(titles);
    let widths: Vec<u16> = is_wide.then_some(ID).into_iter().chain([15, 8, 20]).collect();
    let before = reading.stats.accounts.len();
    let place = model.place().checked_sub(before);
    table(frame, area, (titles, &widths), reading.failures.iter().map(row), place);
}

fn plain(cells: impl IntoIterator<Item = String>) -> Cells {
    cells.into_iter().map(|cell| (cell, Style::new())).collect()
}

/// Mark of the row with the cursor.
const CURSOR: &str = "> ";

/// A table with the cursor on one of its rows, if it is there; the others move so that it is seen. The last
/// column has the room that the `widths` of those before leave. A text that has no room ends in `…`.
fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    (titles, widths): (impl IntoIterator<Item = String>, &[u16]),
    rows: impl Iterator<Item = Cells>,
    place: Option<usize>,
) {
    let before = widths.iter().map(|width| width + 1).sum::<u16>() + CURSOR.len() as u16;
    let last = area.width.saturating_sub(before);
    let widths: Vec<u16> = widths.iter().copied().chain([last]).collect();
    let row = |cells: Cells| {
        let cells = cells.into_iter().zip(&widths);
        Row::new(cells.map(|((text, style), width)| {
            Cell::from(truncate_str(&text, (*width).into(), "…").into_owned()).style(style)
        }))
    };
    let rows: Vec<Row<'_>> = rows.map(row).collect();
    let titles = Row::new(titles.into_iter().map(Cell::from)).bold().underlined();
    let table = Table::new(rows, widths.iter().copied().map(Constraint::Length));
    let table = table.header(titles).column_spacing(1);
    let table = table.highlight_symbol(CURSOR).row_highlight_style(Style::new().reversed());
    let table = table.highlight_spacing(HighlightSpacing::Always);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(place));
}
