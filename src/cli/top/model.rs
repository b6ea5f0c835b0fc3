//! The state of `ferry top`: the last reading, what is selected, and what the keys have opened.

use super::reading::Reading;
use super::selected::Selected;
use ferry_types::domain::Timestamp;

/// View on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// All of the queue.
    Overview,
    /// The keys and the terms.
    Help,
    /// An account or a submission.
    Inspect(Selected),
    /// The question for the reason of a pause; empty for the usual one.
    Pause { account: String, reason: String },
    /// The question before an account is resumed.
    Resume(String),
}

/// All that is drawn.
#[derive(Debug)]
pub(super) struct Model {
    /// Location of the store.
    pub(super) location: String,
    pub(super) now: Timestamp,
    /// The last reading that succeeded.
    pub(super) reading: Option<Reading>,
    /// Error of the last reading, if it failed.
    pub(super) error: Option<String>,
    pub(super) mode: Mode,
    /// First line that is shown of what is inspected, or of the help.
    pub(super) scrolled: u16,
    /// Outcome of the last operation, until a key is pressed.
    pub(super) message: Option<String>,
    /// The row of the cursor, and its place: the place counts if the row is gone.
    selected: Option<Selected>,
    place: usize,
}

impl Model {
    pub(super) fn new(location: String, now: Timestamp) -> Self {
        Self {
            location,
            now,
            reading: None,
            error: None,
            mode: Mode::Overview,
            scrolled: 0,
            message: None,
            selected: None,
            place: 0,
        }
    }

    /// Takes a reading. After one that failed, the last one stays.
    pub(super) fn read(&mut self, reading: Result<Reading, String>) {
        match reading {
            Ok(reading) => (self.reading, self.error) = (Some(reading), None),
            Err(error) => self.error = Some(error),
        }
        let rows = self.rows();
        let found = self.selected.as_ref().and_then(|one| rows.iter().position(|row| row == one));
        self.select(found.unwrap_or(self.place));
    }

    /// All rows that the cursor can be on: accounts, then submissions.
    pub(super) fn rows(&self) -> Vec<Selected> {
        let Some(reading) = &self.reading else { return Vec::new() };
        let accounts = reading.stats.accounts.iter();
        let accounts = accounts.map(|account| Selected::Account(account.account.clone()));
        let failures = reading
            .failures
            .iter()
            .map(|view| Selected::Submission { id: view.id, account: view.account.clone() });
        accounts.chain(failures).collect()
    }

    /// Moves the cursor by so many rows.
    pub(super) fn step(&mut self, by: isize) {
        self.select(self.place.saturating_add_signed(by));
    }

    fn select(&mut self, place: usize) {
        let rows = self.rows();
        self.place = place.min(rows.len().saturating_sub(1));
        self.selected = rows.into_iter().nth(self.place);
    }

    /// The row of the cursor.
    pub(super) fn selected(&self) -> Option<&Selected> {
        self.selected.as_ref()
    }

    /// Number of the row of the cursor.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// The account or submission that is inspected.
    pub(super) fn inspected(&self) -> Option<Selected> {
        match &self.mode {
            Mode::Inspect(selected) => Some(selected.clone()),
            _ => None,
        }
    }

    /// All that is wrong, worst first: severity and sentence.
    pub(super) fn wrong(&self) -> Vec<(&'static str, String)> {
        let error = self.error.iter().map(|error| {
            let what = format!("the store cannot be read: {error}");
            let Some(reading) = &self.reading else { return ("bad", what) };
            let at = reading.at.format("%H:%M:%S");
            ("bad", format!("{what}; all below is from {at} UTC"))
        });
        let damaged = self.reading.iter().flat_map(|reading| &reading.damaged);
        let damaged = damaged.map(|record| ("warn", record.clone()));
        let found = self.reading.iter().flat_map(|one| &one.stats.findings);
        let found = found.map(|one| (one.severity.as_str(), one.sentence.clone()));
        error.chain(found).chain(damaged).collect()
    }
}
