//! The server itself: its version, its checks, and its settings with their sources.

use askama::Template;

use super::frame::Frame;
use super::text::{Moment, Sentence, visible};
use ferry_types::contract::{ChecksView, SettingView};

/// A check.
#[derive(Debug)]
struct Check {
    ok: bool,
    text: Sentence,
    hint: Option<Sentence>,
}

/// A setting: its name, its value, and where it comes from.
#[derive(Debug)]
pub(crate) struct SettingRow {
    /// Its name, with that of its account.
    pub(crate) name: String,
    /// Its value; none if it is secret.
    pub(crate) value: Option<String>,
    /// Place of its source.
    pub(crate) source: String,
}

impl SettingRow {
    pub(super) fn new(setting: &SettingView) -> Self {
        let name = match &setting.account {
            Some(account) => format!("accounts.{account}.{}", setting.name),
            None => setting.name.clone(),
        };
        Self {
            name: visible(&name),
            value: setting.value.as_deref().map(visible),
            source: visible(setting.location.as_deref().unwrap_or(&setting.source)),
        }
    }
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "system.html")]
pub(crate) struct SystemPage {
    frame: Frame,
    version: String,
    ok: bool,
    store_checked: Option<Moment>,
    checks: Vec<Check>,
    /// The settings; none for those who may not see them.
    settings: Option<Vec<SettingRow>>,
}

impl SystemPage {
    /// The page of these checks and settings.
    pub(crate) fn new(frame: Frame, checks: &ChecksView, settings: Option<&[SettingView]>) -> Self {
        let check = |check: &ferry_types::contract::CheckView| Check {
            ok: check.ok,
            text: check.text.as_str().into(),
            hint: check.hint.as_deref().map(Sentence::from),
        };
        Self {
            frame,
            version: checks.version.clone(),
            ok: checks.ok,
            store_checked: checks.store_checked_at.map(Moment::from),
            checks: checks.checks.iter().map(check).collect(),
            settings: settings.map(|all| all.iter().map(SettingRow::new).collect()),
        }
    }
}
