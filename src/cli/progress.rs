//! The progress of submissions: one bar a submission on a terminal, a line for each change elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::follow::is_settled;
use super::show;
use super::ui::{Ui, for_stderr};
use ferry_types::clock::Clock;
use ferry_types::contract::{SubmissionView, WaitingFor};
use ferry_types::domain::SubmissionId;
use ferry_types::domain::submission::{ReasonCode, State};

/// Submissions with a bar of their own; further ones only count.
const BARS: usize = 15;

/// The parts whose change makes a new line: a step that is due later or waits for a worker does not.
type ProgressLines = (State, Option<ReasonCode>, Option<Discriminant<WaitingFor>>);

/// Shows how far submissions are.
#[derive(Debug)]
pub(super) struct Progress {
    ui: Ui,
    clock: Arc<dyn Clock>,
    bars: HashMap<SubmissionId, ProgressBar>,
    states: HashMap<SubmissionId, State>,
    /// The last line of each, where every change is a line.
    lines: HashMap<SubmissionId, ProgressLines>,
    settled: u64,
    /// True if the last state of each will be on the terminal anyway.
    outcome_follows: bool,
    total: Option<ProgressBar>,
}

impl Progress {
    /// For `total` submissions; none if that is not known.
    pub(super) fn new(ui: &Ui, clock: Arc<dyn Clock>, total: Option<u64>) -> Self {
        let bar = total.filter(|total| ui.terminal && *total > 1).map(|total| {
            let bar = ui.bars.add(ProgressBar::new(total));
            bar.set_style(style("{bar:30} {pos} of {len} settled, {elapsed}, {msg}"));
            bar
        });
        Self {
            ui: ui.clone(),
            clock,
            bars: HashMap::new(),
            states: HashMap::new(),
            lines: HashMap::new(),
            settled: 0,
            outcome_follows: false,
            total: bar,
        }
    }

    /// For so many submissions whose outcome is printed in the end.
    pub(super) fn until_outcome(ui: &Ui, clock: Arc<dyn Clock>, total: usize) -> Self {
        let mut progress = Self::new(ui, clock, Some(total as u64));
        progress.outcome_follows = std::io::stdout().is_terminal();
        progress
    }

    /// Shows a submission as it is now.
    pub(super) fn seen(&mut self, view: &SubmissionView) {
        let before = self.states.insert(view.id, view.state);
        if self.ui.terminal {
            self.draw(view);
        } else if self.lines.insert(view.id, progress_line(view)).as_ref()
            != Some(&progress_line(view))
        {
            self.ui.print_note(show::progress(view, self.clock.now()));
        }
        if is_settled(view.state) && before.is_none_or(|before| !is_settled(before)) {
            self.settled += 1;
            if let Some(total) = &self.total {
                total.set_position(self.settled);
            }
        }
        if let Some(total) = &self.total {
            total.set_message(self.counts());
        }
    }

    /// Forgets a submission that is not seen again.
    pub(super) fn forget(&mut self, id: SubmissionId) {
        self.states.remove(&id);
        self.lines.remove(&id);
    }

    fn draw(&mut self, view: &SubmissionView) {
        let now = self.clock.now();
        if is_settled(view.state) {
            if let Some(bar) = self.bars.remove(&view.id) {
                bar.finish_and_clear();
                if !self.outcome_follows {
                    self.ui.print_note(show::progress(view, now));
                }
            }
            return;
        }
        if !self.bars.contains_key(&view.id) {
            if self.bars.len() >= BARS {
                return;
            }
            let bar = self.ui.bars.insert(self.bars.len(), ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(Duration::from_millis(120));
            self.bars.insert(view.id, bar);
        }
        if let Some(bar) = self.bars.get(&view.id) {
            bar.set_message(for_stderr(&show::progress(view, now)));
        }
    }

    fn counts(&self) -> String {
        let of = |state: State| self.states.values().filter(|known| **known == state).count();
        let counts = State::ALL.map(|state| (state, of(state)));
        let words: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        words.join(", ")
    }
}

fn progress_line(view: &SubmissionView) -> ProgressLines {
    let is_news =
        |w: &&WaitingFor| !matches!(w, WaitingFor::DueTime { .. } | WaitingFor::Worker { .. });
    let waits = view.waiting_for.as_ref().filter(is_news).map(discriminant);
    (view.state, view.reason_code, waits)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bars.values().for_each(ProgressBar::finish_and_clear);
        if let Some(total) = &self.total {
            total.finish_and_clear();
        }
    }
}

/// A bar for work on `total` of something; hidden where stderr is no terminal.
pub(super) fn bar(ui: &Ui, total: u64, template: &str) -> ProgressBar {
    if !ui.terminal {
        return ProgressBar::hidden();
    }
    let bar = ui.bars.add(ProgressBar::new(total));
    bar.set_style(style(template));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("templates are constants, and tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_understood() {
        style("{bar:30} {pos} of {len} settled, {elapsed}, {msg}");
        style("{spinner} {wide_msg}");
    }
}
