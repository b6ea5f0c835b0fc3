//! The columns of `ferry list`: on a terminal with a header and within its width, elsewhere whole.

use std::io::IsTerminal;

use console::{Style, Term};

use super::super::line::Line;
use super::super::show;
use crate::words;
use ferry_types::contract::SubmissionView;
use ferry_types::domain::{Timestamp, until};

/// The columns before the remark, which has the rest of the line.
const COLUMNS: usize = 5;

const HEADER: [&str; COLUMNS + 1] = ["ID", "STATE", "NAME", "ACCOUNT", "AGE", "REMARK"];

/// Space between two columns.
const GAP: usize = 2;

/// Widest account on a terminal.
const ACCOUNT: usize = 16;

/// Narrowest and widest name on a terminal.
const NAME: (usize, usize) = (8, 40);

/// Width of a terminal that does not know its own.
const UNKNOWN: u16 = 80;

/// The columns, no narrower than what was shown before.
#[derive(Debug, Default)]
pub(super) struct Columns {
    widths: [usize; COLUMNS],
    terminal: Option<usize>,
    is_begun: bool,
}

impl Columns {
    /// For stdout.
    pub(super) fn of_terminal() -> Self {
        let size = || Term::stdout().size_checked().map_or(UNKNOWN, |(_, columns)| columns);
        let terminal = std::io::stdout().is_terminal().then(size);
        Self { terminal: terminal.map(usize::from), ..Self::default() }
    }

    /// Lines for some submissions, the first ones with the header.
    pub(super) fn lines(&mut self, views: &[SubmissionView], now: Timestamp) -> Vec<Line> {
        let mut rows: Vec<[Line; COLUMNS + 1]> =
            views.iter().map(|view| cells(view, now)).collect();
        if !rows.is_empty() && !self.is_begun && self.terminal.is_some() {
            rows.insert(0, HEADER.map(|title| Line::styled(Style::new().bold(), title)));
        }
        self.is_begun |= !rows.is_empty();
        if let Some(width) = self.terminal {
            let name = self.name_width(&rows, width);
            for row in &mut rows {
                row[2] = row[2].truncated(name);
                row[3] = row[3].truncated(ACCOUNT);
            }
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    /// The width that leaves the remark as much as the name.
    fn name_width(&self, rows: &[[Line; COLUMNS + 1]], terminal: usize) -> usize {
        let widest = |column: usize| {
            let cells = rows.iter().map(|row| row[column].width());
            cells.max().unwrap_or_default().max(self.widths[column])
        };
        let others = widest(0) + widest(1) + widest(3).min(ACCOUNT) + widest(4) + COLUMNS * GAP;
        (terminal.saturating_sub(others) / 2).clamp(NAME.0, NAME.1)
    }

    fn line(&self, row: &[Line; COLUMNS + 1]) -> Line {
        let gap = " ".repeat(GAP);
        let columns = row.iter().zip(self.widths);
        let line = columns
            .fold(Line::default(), |line, (cell, width)| line.and(cell.padded(width)).and(&gap));
        let line = line.and(row[COLUMNS].clone()).trimmed();
        match self.terminal {
            Some(width) => line.truncated(width),
            None => line,
        }
    }
}

fn cells(view: &SubmissionView, now: Timestamp) -> [Line; COLUMNS + 1] {
    let age = words::duration(until(view.created_at, now));
    [
        view.id.into(),
        show::state(view.state),
        (&view.name).into(),
        (&view.account).into(),
        format!("{age} ago").into(),
        words::remark(view, now).into(),
    ]
}
