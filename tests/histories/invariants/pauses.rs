//! Pauses of accounts as a trace has them, for invariants about them.

use std::collections::BTreeSet;

use ferry_types::domain::account::Signal;

use crate::trace::{AccountNumber, Entry, Event, Trace};

/// Accounts that are paused, while a trace is read.
#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeSet<AccountNumber>);

impl Pauses {
    /// Reads the next entry.
    pub(super) fn read(&mut self, trace: &Trace, entry: &Entry) {
        match &entry.event {
            Event::Paused(account) => {
                self.0.insert(*account);
            }
            Event::Committed { of, signal: Signal::CredentialsDenied(_), .. }
                if !entry.is_undone =>
            {
                self.0.insert(trace.facts[*of].account);
            }
            Event::Resumed(account) => {
                self.0.remove(account);
            }
            _ => {}
        }
    }

    pub(super) fn is_paused(&self, account: AccountNumber) -> bool {
        self.0.contains(&account)
    }
}
