//! The keys of `ferry top`, and what they do in each mode.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Mode, Model};
use crate::cli::pause::REASON;

/// Effect of a key beyond the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The end.
    Quit,
    /// An account is paused or resumed.
    Operate(Operation),
}

/// An operation on an account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Pause it.
    Pause { account: String, reason: String },
    /// Resume it.
    Resume(String),
}

/// Rows of a page.
const PAGE: isize = 10;

/// Longest reason of a pause, as the HTTP API has it.
const LONGEST: usize = 255;

impl Model {
    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        self.message = None;
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return Some(Action::Quit);
        }
        match self.mode.clone() {
            Mode::Pause { account, reason } => self.asked_reason(key.code, account, reason),
            Mode::Resume(account) => self.asked_to_resume(key.code, account),
            Mode::Overview | Mode::Help | Mode::Inspect(_) => self.pressed(key.code),
        }
    }

    fn pressed(&mut self, key: KeyCode) -> Option<Action> {
        let is_overview = self.mode == Mode::Overview;
        match key {
            KeyCode::Char('q') if is_overview => return Some(Action::Quit),
            KeyCode::Char('q') | KeyCode::Esc | KeyCode::Backspace => self.open(Mode::Overview),
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => self.open(Mode::Help),
            KeyCode::Up | KeyCode::Char('k') => self.by(-1),
            KeyCode::Down | KeyCode::Char('j') => self.by(1),
            KeyCode::PageUp => self.by(-PAGE),
            KeyCode::PageDown => self.by(PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.by(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.by(isize::MAX),
            KeyCode::Enter | KeyCode::Char('i') if is_overview => {
                if let Some(selected) = self.selected().cloned() {
                    self.open(Mode::Inspect(selected));
                }
            }
            KeyCode::Char('p') => {
                self.ask(|account| Mode::Pause { account, reason: String::new() });
            }
            KeyCode::Char('r') => self.ask(Mode::Resume),
            _ => {}
        }
        None
    }

    fn open(&mut self, mode: Mode) {
        (self.mode, self.scrolled) = (mode, 0);
    }

    /// Opens a question about the account of the cursor.
    fn ask(&mut self, question: impl FnOnce(String) -> Mode) {
        match self.selected().map(|selected| selected.account().to_owned()) {
            Some(account) => self.open(question(account)),
            None => self.message = Some("no account is selected".to_owned()),
        }
    }

    fn by(&mut self, rows: isize) {
        if self.mode == Mode::Overview {
            return self.step(rows);
        }
        let rows = rows.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        self.scrolled = self.scrolled.saturating_add_signed(rows);
    }

    fn asked_reason(
        &mut self,
        key: KeyCode,
        account: String,
        mut reason: String,
    ) -> Option<Action> {
        match key {
            KeyCode::Esc => self.open(Mode::Overview),
            KeyCode::Enter => {
                self.open(Mode::Overview);
                let reason = if reason.trim().is_empty() { REASON.to_owned() } else { reason };
                return Some(Action::Operate(Operation::Pause { account, reason }));
            }
            KeyCode::Backspace => {
                reason.pop();
                self.mode = Mode::Pause { account, reason };
            }
            KeyCode::Char(char) if !char.is_control() && reason.chars().count() < LONGEST => {
                reason.push(char);
                self.mode = Mode::Pause { account, reason };
            }
            _ => {}
        }
        None
    }

    fn asked_to_resume(&mut self, key: KeyCode, account: String) -> Option<Action> {
        match key {
            KeyCode::Enter | KeyCode::Char('y') => {
                self.open(Mode::Overview);
                Some(Action::Operate(Operation::Resume(account)))
            }
            KeyCode::Esc | KeyCode::Char('n' | 'q') => {
                self.open(Mode::Overview);
                None
            }
            _ => None,
        }
    }
}
