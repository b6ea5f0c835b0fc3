//! The frame of all pages: where one is, who one is, and preferences.

use std::fmt::Display;

use form_urlencoded::{Serializer, parse};

use super::text::Moment;
use super::verdict::{Finding, findings};
use crate::server_commands::ServerCommands;
use ferry_types::contract::FindingView;
use ferry_types::domain::Timestamp;

/// The person who looks at a page, as the API knows them.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a right of its own")]
pub(crate) struct Viewer {
    /// Name of the key.
    pub(crate) name: String,
    /// The role.
    pub(crate) role: &'static str,
    /// The only accounts that the key sees; all if none.
    pub(crate) accounts: Option<Vec<String>>,
    /// True if datasets can be submitted.
    pub(crate) may_submit: bool,
    /// True if the acts of operators are offered.
    pub(crate) may_operate: bool,
    /// True if keys, audit log and settings are shown.
    pub(crate) may_administer: bool,
    /// True if drills are offered.
    pub(crate) may_rehearse: bool,
    /// True if the server has keys.
    pub(crate) has_keys: bool,
    /// Options of commands, for those who may see the settings.
    pub(crate) commands: ServerCommands,
}

/// Preferences of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// `light` or `dark`; that of the system if empty.
    pub(crate) theme: String,
    /// `local`, `UTC` or the name of a zone.
    pub(crate) zone: String,
    /// True if single keys are commands.
    pub(crate) keys: bool,
    /// True if no act is offered.
    pub(crate) looking: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: String::new(), zone: "local".to_owned(), keys: true, looking: false }
    }
}

impl Preferences {
    /// Reads the fields of a form, or a cookie; what is unknown there does not count.
    pub(crate) fn read(text: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in parse(text.as_bytes()) {
            match (&*name, &*value) {
                ("theme", "light" | "dark") => read.theme = value.into_owned(),
                ("zone", zone) if is_zone(zone) => read.zone = value.into_owned(),
                ("keys", "off") => read.keys = false,
                ("looking", "on") => read.looking = true,
                _ => {}
            }
        }
        read
    }

    /// The text of the cookie.
    pub(crate) fn written(&self) -> String {
        let mut text = Serializer::new(String::new());
        text.append_pair("theme", &self.theme).append_pair("zone", &self.zone);
        text.append_pair("keys", if self.keys { "on" } else { "off" });
        text.append_pair("looking", if self.looking { "on" } else { "off" });
        text.finish()
    }
}

/// True of a text that can be the name of a time zone; browsers know which there are.
pub(crate) fn is_zone(zone: &str) -> bool {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '+' | '-');
    (1..=40).contains(&zone.len()) && zone.chars().all(is_fit)
}

/// The frame of a page.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The reader; none on pages before the login.
    pub(crate) viewer: Option<Viewer>,
    /// Preferences of the browser.
    pub(crate) preferences: Preferences,
    /// The time of the server.
    pub(crate) now: Moment,
    /// Title of the page of the bar that it belongs to.
    pub(crate) here: &'static str,
    /// All that is wrong with the server and its store, for pages that do not say it themselves.
    pub(super) notices: Vec<Finding>,
}

/// Right that a page of the bar needs beyond reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// None.
    Nothing,
    /// To submit datasets.
    Submitting,
    /// To operate on all accounts.
    Administering,
    /// The same, and a simulated Platform in the process.
    Rehearsing,
}

/// A page of the bar: key after `g`, path, title, and the right that it needs.
pub(crate) type Entry = (&'static str, &'static str, &'static str, Needs);

impl Frame {
    /// The frame of a page that is made now.
    pub(crate) fn new(viewer: Option<Viewer>, preferences: Preferences, now: Timestamp) -> Self {
        Self { viewer, preferences, now: now.into(), here: "", notices: Vec::new() }
    }

    /// The same with all that is wrong with the server and its store.
    pub(crate) fn with_notices(self, found: &[FindingView]) -> Self {
        Self { notices: findings(found, false), ..self }
    }

    /// A command as it works on the machine of the server.
    pub(super) fn command(&self, command: impl Display) -> String {
        let (command, viewer) = (command.to_string(), self.viewer.as_ref());
        viewer.map(|viewer| viewer.commands.complete(&command)).unwrap_or(command)
    }

    /// True if acts of operators are offered.
    pub(crate) fn may_operate(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may_operate)
    }

    /// True if keys, audit log and settings are shown.
    pub(crate) fn may_administer(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may_administer)
    }

    /// True if drills are offered.
    pub(crate) fn may_rehearse(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may_rehearse)
    }

    /// True if datasets can be submitted.
    pub(crate) fn may_submit(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.may_submit)
    }

    /// The pages of the bar for this reader.
    pub(super) fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        ENTRIES.iter().filter(|(_, _, _, needs)| match needs {
            Needs::Nothing => true,
            Needs::Submitting => self.may_submit(),
            Needs::Administering => self.may_administer(),
            Needs::Rehearsing => self.may_rehearse(),
        })
    }

    /// The frame of a page of the bar.
    pub(crate) fn of(self, here: &'static str) -> Self {
        Self { here, ..self }
    }
}

/// The pages of the bar.
const ENTRIES: [Entry; 10] = [
    ("o", "/console", "Overview", Needs::Nothing),
    ("s", "/console/submissions", "Submissions", Needs::Nothing),
    ("n", "/console/new", "Submit", Needs::Submitting),
    ("a", "/console/accounts", "Accounts", Needs::Nothing),
    ("e", "/console/events", "Events", Needs::Nothing),
    ("w", "/console/webhooks", "Webhooks", Needs::Nothing),
    ("k", "/console/keys", "Keys", Needs::Administering),
    ("t", "/console/audit", "Audit", Needs::Administering),
    ("y", "/console/system", "System", Needs::Nothing),
    ("r", "/console/rehearse", "Rehearse", Needs::Rehearsing),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_as_they_were_written_and_nonsense_does_not_count() {
        let preferences = Preferences {
            theme: "dark".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            keys: false,
            looking: true,
        };
        assert_eq!(Preferences::read(&preferences.written()), preferences);
        let nonsense = "theme=%22onload&zone=<script>&keys=maybe&other=1";
        assert_eq!(Preferences::read(nonsense), Preferences::default());
    }
}
